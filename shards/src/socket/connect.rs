//! Outgoing connections.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    path::Path,
    rc::Rc,
    task::{Poll, Waker},
};

use socket2::{Domain, SockAddr, Type};

use super::{
    Closed, Socket,
    engine::{Engine, Phase, Slot},
    slots::Key,
};

/// A connection that is being made, and who waits for it.
#[derive(Default)]
pub(super) struct Connecting {
    result: Option<io::Result<()>>,
    waiter: Option<Waker>,
}

impl Connecting {
    /// The waiter finds nothing to wait for any more.
    pub(super) fn give_up(mut self) {
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }
}

pub(super) async fn tcp(engine: &Rc<Engine>, address: SocketAddr) -> io::Result<Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM.cloexec(), None)?;
    socket.set_tcp_nodelay(true)?;
    connect(engine, socket, address.into(), Some(address)).await
}

pub(super) async fn unix(engine: &Rc<Engine>, path: &Path) -> io::Result<Socket> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?;
    connect(engine, socket, SockAddr::unix(path)?, None).await
}

async fn connect(
    engine: &Rc<Engine>,
    socket: socket2::Socket,
    address: SockAddr,
    peer: Option<SocketAddr>,
) -> io::Result<Socket> {
    let key = {
        let mut state = engine.state.borrow_mut();
        if state.stopping {
            return Err(stopped());
        }
        let mut slot = Slot::new(socket.into(), Phase::Connecting, peer);
        slot.connecting = Some(Box::default());
        slot.pending = 1;
        let key = state.slots.insert(slot);
        let state = &mut *state;
        if let Some(slot) = state.slots.get(key) {
            state.ring.connect(key, &slot.fd, address);
        }
        engine.counts.open.set(state.slots.len() as u64);
        key
    };
    engine.kick();
    let mut attempt = Attempt { socket: Some(Socket { engine: engine.clone(), key }) };
    poll_fn(|cx| {
        let mut state = engine.state.borrow_mut();
        let Some(connecting) = state.slots.get_mut(key).and_then(|slot| slot.connecting.as_mut())
        else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        };
        if let Some(result) = connecting.result.take() {
            return Poll::Ready(result);
        }
        connecting.waiter = Some(cx.waker().clone());
        Poll::Pending
    })
    .await?;
    let mut state = engine.state.borrow_mut();
    if let Some(slot) = state.slots.get_mut(key) {
        slot.connecting = None;
        slot.phase = Phase::Open;
    }
    drop(state);
    attempt.socket.take().ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
}

/// What nobody would close any more is not opened.
pub(super) fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the shard's sockets are shut down")
}

/// Gives up on a connection whose future was dropped or failed.
struct Attempt {
    socket: Option<Socket>,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            let Socket { engine, key } = socket;
            engine.die(&mut engine.state.borrow_mut(), key, Closed::Here);
            engine.kick();
        }
    }
}

impl Engine {
    pub(super) fn connected(&self, key: Key, result: io::Result<()>) {
        if !self.book(key, |slot| slot.pending -= 1) {
            return;
        }
        let mut state = self.state.borrow_mut();
        let connecting = state.slots.get_mut(key).and_then(|slot| slot.connecting.as_mut());
        let Some(connecting) = connecting else { return };
        connecting.result = Some(result);
        if let Some(waiter) = connecting.waiter.take() {
            waiter.wake();
        }
    }
}
