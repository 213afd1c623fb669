//! The sockets of a shard against blocking clients of the standard library.

mod ends;
mod listening;
mod streams;
mod traffic;

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    pin::Pin,
    rc::Rc,
    sync::mpsc,
    thread,
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;
use crate::runtime::{self, ExecutorConfig};

const LIMIT: Duration = Duration::from_secs(20);

fn on_a_shard<T>(config: SocketConfig, main: impl AsyncFnOnce(Sockets) -> T) -> T {
    runtime::block_on(&ExecutorConfig::default(), async {
        let sockets = Sockets::start(config).unwrap();
        let result = runtime::timeout(LIMIT, main(sockets.clone())).await.expect("in time");
        runtime::timeout(LIMIT, sockets.shut_down()).await.expect("all sockets close");
        assert!(sockets.is_empty());
        result
    })
    .unwrap()
}

/// Runs a blocking client beside the shard and waits for it.
async fn client<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let thread = thread::spawn(move || done.send(run()).unwrap());
    loop {
        match result.try_recv() {
            Ok(value) => return value,
            Err(mpsc::TryRecvError::Empty) => runtime::sleep(Duration::from_millis(1)).await,
            Err(mpsc::TryRecvError::Disconnected) => {
                thread.join().expect("the client passes");
                unreachable!()
            }
        }
    }
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        runtime::sleep(Duration::from_millis(1)).await;
    }
}

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Sends everything back, and remembers how it ended.
struct Echo {
    socket: Socket,
    pace: Pace,
    closed: Rc<Cell<Option<Closed>>>,
}

impl Consumer for Echo {
    fn data(&self, bytes: &mut [u8]) {
        let _ = self.socket.write(bytes, self.pace);
    }

    fn ended(&self) {
        self.socket.close();
    }

    fn closed(&self, reason: Closed) {
        self.closed.set(Some(reason));
    }
}

fn echo_server(sockets: &Sockets, options: ListenOptions, pace: Pace) -> Listening {
    sockets
        .listen(any(), options, move |socket| {
            let closed = Rc::default();
            socket.consume(Rc::new(Echo { socket: socket.clone(), pace, closed }));
        })
        .unwrap()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}
