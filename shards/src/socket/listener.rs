//! Listening sockets: every shard binds the port for itself and the kernel spreads connections.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    rc::{Rc, Weak},
    time::Duration,
};

use hashbrown::HashMap;
use socket2::{Domain, Protocol, SockRef, Type};

use super::{
    Closed, Socket,
    connect::stopped,
    engine::{Alarm, Engine, Phase, Slot, State},
    slots::Key,
};

/// The first rest after the process or the machine ran out of something that accepting needs.
const RETRY_MIN: Duration = Duration::from_millis(10);
/// The longest rest; each failure in a row doubles it.
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Bounds of a listener. They hold for this shard alone.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Connections waiting in the kernel.
    pub backlog: i32,
    /// At this many open connections that were accepted here, by this listener or by others, newcomers are
    /// closed at once: who waited in the kernel's backlog would not learn that another shard or node has
    /// room.
    pub connections_max: usize,
    /// Connections to this listener from one address (of IPv6: one /64 network, which is what a customer has); more are
    /// closed at once. Zero for no limit.
    pub per_address_max: u32,
    /// Bytes that the kernel holds for a peer that does not take them (it doubles this for its own
    /// needs). A small buffer finds slow peers early and bounds the kernel's memory. Zero leaves it to the
    /// kernel, which grows it as the connection needs, up to the last number of `net.ipv4.tcp_wmem`.
    pub send_buffer_bytes: usize,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: 4096,
            connections_max: usize::MAX,
            per_address_max: 0,
            send_buffer_bytes: 128 << 10,
        }
    }
}

pub(super) struct Listener {
    fd: OwnedFd,
    options: ListenOptions,
    on_accept: Rc<dyn Fn(Socket)>,
    open: usize,
    by_address: HashMap<IpAddr, u32>,
    armed: bool,
    stopped: bool,
    retry: Duration,
    retry_waits: bool,
}

/// A listener of this shard. Dropping it changes nothing; [`Listening::stop`] ends it.
pub struct Listening {
    engine: Weak<Engine>,
    key: Key,
    address: SocketAddr,
}

impl Listening {
    /// With the port that the kernel chose where none was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more and gives the port up; accepted connections stay.
    pub fn stop(&self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.state.borrow_mut().stop_listening(self.key);
            engine.kick();
        }
    }

    /// Connections accepted here that are not closed yet.
    pub fn connections(&self) -> usize {
        self.engine.upgrade().map_or(0, |engine| {
            engine.state.borrow().listeners.get(self.key).map_or(0, |listener| listener.open)
        })
    }
}

pub(super) fn listen(
    engine: &Rc<Engine>,
    address: SocketAddr,
    options: ListenOptions,
    on_accept: Rc<dyn Fn(Socket)>,
) -> io::Result<Listening> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::STREAM.cloexec(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // Accepted sockets inherit both.
    socket.set_tcp_nodelay(true)?;
    if options.send_buffer_bytes > 0 {
        socket.set_send_buffer_size(options.send_buffer_bytes)?;
    }
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    let address = socket.local_addr()?.as_socket().unwrap_or(address);
    let mut state = engine.state.borrow_mut();
    if state.stopping {
        return Err(stopped());
    }
    let key = state.listeners.insert(Listener {
        fd: socket.into(),
        options,
        on_accept,
        open: 0,
        by_address: HashMap::new(),
        armed: false,
        stopped: false,
        retry: RETRY_MIN,
        retry_waits: false,
    });
    state.arm_accept(key);
    engine.kick();
    Ok(Listening { engine: Rc::downgrade(engine), key, address })
}

impl State {
    fn arm_accept(&mut self, key: Key) {
        let Some(listener) = self.listeners.get_mut(key) else { return };
        if !listener.armed && !listener.stopped && !listener.retry_waits {
            listener.armed = true;
            self.ring.accept(key, &listener.fd);
        }
    }

    pub(super) fn stop_listening(&mut self, key: Key) {
        let Some(listener) = self.listeners.get_mut(key) else { return };
        if !std::mem::replace(&mut listener.stopped, true) {
            // Take the port out of the kernel's spread now; the descriptor lives until its last
            // connection is gone, since that is when the listener's counts end.
            if let Err(error) = SockRef::from(&listener.fd).shutdown(std::net::Shutdown::Both) {
                tracing::debug!(%error, "a listener does not shut down");
            }
            if listener.armed {
                self.ring.cancel_accept(key);
            }
        }
        self.release_listener(key);
    }

    /// A connection of a listener closed.
    pub(super) fn leave(&mut self, key: Key, peer: Option<SocketAddr>) {
        self.accepted -= 1;
        if let Some(listener) = self.listeners.get_mut(key) {
            listener.leave(peer.map(|peer| peer.ip()));
            self.release_listener(key);
        }
    }

    fn release_listener(&mut self, key: Key) {
        let over = self.listeners.get(key).is_some_and(|l| l.stopped && !l.armed && l.open == 0);
        if over && let Some(listener) = self.listeners.remove(key) {
            self.ring.close(listener.fd);
        }
    }
}

impl Engine {
    pub(super) fn accepted(self: &Rc<Self>, key: Key, result: io::Result<OwnedFd>, more: bool) {
        if !more && let Some(listener) = self.state.borrow_mut().listeners.get_mut(key) {
            listener.armed = false;
        }
        match result {
            Ok(fd) => self.admit(key, fd),
            Err(error) => self.accept_failed(key, &error),
        }
        let mut state = self.state.borrow_mut();
        state.arm_accept(key);
        state.release_listener(key);
    }

    fn admit(self: &Rc<Self>, listener_key: Key, fd: OwnedFd) {
        // A connection that is reset already has no peer.
        let Some(peer) = SockRef::from(&fd).peer_addr().ok().and_then(|peer| peer.as_socket())
        else {
            return;
        };
        let mut state = self.state.borrow_mut();
        let accepted = state.accepted;
        let Some(listener) = state.listeners.get_mut(listener_key) else { return };
        listener.retry = RETRY_MIN;
        let has_room = accepted < listener.options.connections_max;
        if listener.stopped || !has_room || !listener.enter(peer.ip()) {
            self.counts.refused.increment();
            return;
        }
        let on_accept = listener.on_accept.clone();
        let mut slot = Slot::new(fd, Phase::Open, Some(peer));
        slot.listener = Some(listener_key);
        state.accepted += 1;
        let key = state.slots.insert(slot);
        self.counts.accepted.increment();
        self.counts.open.set(state.slots.len() as u64);
        drop(state);
        let socket = Socket { engine: self.clone(), key };
        let taken = self.guard(|| on_accept(socket));
        let consumed = self.read(key, |slot| slot.consumer.is_some()).unwrap_or(false);
        if !(taken && consumed) {
            let reason = if taken { Closed::Here } else { Closed::Panicked };
            self.die(&mut self.state.borrow_mut(), key, reason);
        }
    }

    fn accept_failed(&self, key: Key, error: &io::Error) {
        let mut state = self.state.borrow_mut();
        let Some(listener) = state.listeners.get_mut(key) else { return };
        match error.raw_os_error() {
            // The connection was gone before it was accepted, or the accept was cancelled by us.
            Some(libc::ECONNABORTED | libc::ECANCELED | libc::EINTR | libc::EAGAIN) => return,
            _ if listener.stopped => return,
            _ => {}
        }
        self.counts.accept_errors.increment();
        tracing::warn!(%error, "connections cannot be accepted");
        if !listener.retry_waits {
            listener.retry_waits = true;
            let delay = listener.retry;
            listener.retry = (delay * 2).min(RETRY_MAX);
            self.alarm(self.ms_from_now(delay), Alarm::Accept, Some(key));
        }
    }

    pub(super) fn retry_accept(&self, key: Key) {
        let mut state = self.state.borrow_mut();
        if let Some(listener) = state.listeners.get_mut(key) {
            listener.retry_waits = false;
            state.arm_accept(key);
            self.kick();
        }
    }
}

impl Listener {
    fn enter(&mut self, address: IpAddr) -> bool {
        if self.options.per_address_max > 0 {
            let count = self.by_address.entry(network(address)).or_insert(0);
            if *count >= self.options.per_address_max {
                return false;
            }
            *count += 1;
        }
        self.open += 1;
        true
    }

    fn leave(&mut self, address: Option<IpAddr>) {
        self.open = self.open.saturating_sub(1);
        let Some(address) = address else { return };
        if let Some(count) = self.by_address.get_mut(&network(address)) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&network(address));
            }
        }
    }
}

/// What counts as one address: of IPv6 the /64 network, which is what one customer has.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(network.into())
        }
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn a_customer_counts_once_however_many_addresses_it_has() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::"), network("2001:db8:1:3::"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
