//! Sockets of a shard: one `io_uring`, pumped by a task of the shard's executor.
//!
//! A turn of the pump takes completions (bounded), runs their handlers, and pushes at most one send for
//! each socket that has something to send, so that frames queued together leave together. An idle
//! connection costs a slot: no task, no read buffer, no output buffer. Writes are queued without bound
//! here and counted exactly ([`Socket::queued_bytes`], [`Socket::queued_writes`]): the protocol above
//! knows what its bound is and what to do at it. A peer that takes nothing for
//! [`SocketConfig::write_stall`] is cut.
//!
//! Failures: an error of a socket ends that socket and is told to its consumer. A panic of a handler
//! is caught, counted, and costs that socket.

mod buffers;
mod chunks;
mod connect;
mod counts;
mod cpu_time;
mod engine;
mod lifecycle;
mod listener;
mod pace;
mod pump;
mod rests;
mod ring;
mod slots;
mod stream;
#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, rc::Rc, time::Duration};

use bytes::Bytes;

pub use listener::{ListenOptions, Listening, network};
pub use stream::{Stream, Transport};

use engine::{Engine, Slot};
use slots::Key;

/// Bounds and habits of a shard's sockets.
#[derive(Clone, Debug)]
pub struct SocketConfig {
    /// Operations that are handed to the kernel at once. A power of two.
    pub ring_entries: u32,
    /// Receive buffers of the shard, shared by all its sockets. A power of two.
    pub receive_buffers: u16,
    /// Bytes of a receive buffer.
    pub receive_buffer_len: usize,
    /// Completions that a turn handles at most before other tasks get their turn.
    pub turn_events_max: usize,
    /// How long a paced write may wait on a busy core.
    pub flush_window_max: Duration,
    /// How long a closed socket waits for its peer to close too.
    pub linger: Duration,
    /// How long a closed socket may take to send what is queued, progress or not, before it is cut.
    pub finish_max: Duration,
    /// How long a send may make no progress before the socket is cut.
    pub write_stall: Duration,
    /// Bytes of idle output buffers that are kept, for each of two sizes.
    pub pool_bytes_max: usize,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            ring_entries: 1024,
            receive_buffers: 512,
            receive_buffer_len: 4096,
            turn_events_max: 512,
            flush_window_max: Duration::from_millis(4),
            linger: Duration::from_secs(2),
            finish_max: Duration::from_mins(1),
            write_stall: Duration::from_secs(10),
            pool_bytes_max: 4 << 20,
        }
    }
}

/// When a write leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At the end of the turn: replies.
    Now,
    /// When something else leaves or the flush window passed: broadcasts. The window is zero while the
    /// core has time to spare.
    Paced,
}

/// What waits to be sent on a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Bytes that the kernel has not taken.
    pub bytes: usize,
    /// Writes that wait behind the send in flight, if there is one.
    pub writes: usize,
    /// The kernel takes no more for now: a send has been in flight for more than two turns.
    pub blocked: bool,
}

/// Why a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// This side closed or aborted it.
    Here,
    /// The peer reset it, or the network failed.
    Failed(io::ErrorKind),
    /// The peer took no bytes for [`SocketConfig::write_stall`].
    Stalled,
    /// A handler panicked.
    Panicked,
}

/// The socket is closed, or about to be; nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the socket is closed")]
pub struct Gone;

impl From<Gone> for io::Error {
    fn from(_: Gone) -> Self {
        io::ErrorKind::BrokenPipe.into()
    }
}

/// What happens to a socket. Called on the shard's thread, from the pump, never inside a call of the
/// consumer's own; it may call the socket.
pub trait Consumer: 'static {
    /// Bytes came in. They are the consumer's to change; the slice ends with the call. After
    /// [`Socket::pause_reading`] what the kernel had already taken may still come.
    fn data(&self, bytes: &mut [u8]);
    /// The peer will send no more. The socket can still be written; who is done closes it.
    fn ended(&self);
    /// The queue fell to what [`Socket::notify_writable`] asked for.
    fn writable(&self) {}
    /// Reading goes on after [`Socket::resume_reading`]; called from the pump.
    fn resumed(&self) {}
    /// The last call.
    fn closed(&self, reason: Closed);
}

/// The sockets of a shard. Clones share them.
#[derive(Clone)]
pub struct Sockets(Rc<Engine>);

impl Sockets {
    /// Sets up the ring and starts its pump. On a shard's thread only.
    pub fn start(config: SocketConfig) -> io::Result<Self> {
        pump::start(config).map(Self)
    }

    /// Listens on an address (port 0 for any) that other shards may listen on too.
    ///
    /// `on_accept` gets each new socket and must give it a consumer ([`Socket::consume`],
    /// [`Socket::into_stream`]) before it returns; one without is closed.
    pub fn listen(
        &self,
        address: SocketAddr,
        options: ListenOptions,
        on_accept: impl Fn(Socket) + 'static,
    ) -> io::Result<Listening> {
        listener::listen(&self.0, address, options, Rc::new(on_accept))
    }

    /// Connects by TCP. Dropping the future gives up; there is no timeout of its own.
    pub async fn connect_tcp(&self, address: SocketAddr) -> io::Result<Stream> {
        Ok(self.connect_socket(address).await?.into_stream(Bytes::new()))
    }

    /// As [`Self::connect_tcp`], for who takes what comes as it comes: the socket needs a consumer before
    /// the caller next waits.
    pub async fn connect_socket(&self, address: SocketAddr) -> io::Result<Socket> {
        connect::tcp(&self.0, address).await
    }

    /// Connects to a Unix socket. Dropping the future gives up; there is no timeout of its own.
    pub async fn connect_unix(&self, path: &std::path::Path) -> io::Result<Stream> {
        let socket = connect::unix(&self.0, path).await?;
        Ok(socket.into_stream(Bytes::new()))
    }

    /// Sockets of any state, those that are being closed included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How long a paced write waits at present.
    pub fn flush_window(&self) -> Duration {
        self.0.flush_window()
    }

    /// Stops listening, aborts every socket and ends the pump; returns when all are closed. Meanwhile, and
    /// afterwards, new ones are refused.
    pub async fn shut_down(&self) {
        self.0.stop();
        pump::stopped(&self.0).await;
    }
}

/// A connection. Clones name the same one; it lives until it is closed, not until handles go.
#[derive(Clone)]
pub struct Socket {
    engine: Rc<Engine>,
    key: Key,
}

impl Socket {
    /// Gives what happens from now on to `consumer`, which the socket keeps until it is closed.
    pub fn consume(&self, consumer: Rc<dyn Consumer>) {
        self.engine.consume(self.key, consumer);
    }

    /// Reads and writes it as a stream that begins with `already_read`.
    pub fn into_stream(self, already_read: Bytes) -> Stream {
        Stream::new(self, already_read)
    }

    /// Queues a copy of the bytes.
    pub fn write(&self, bytes: &[u8], pace: Pace) -> Result<(), Gone> {
        self.engine.write(self.key, pace, |chunks, pool| chunks.copy(bytes, pool))
    }

    /// Queues bytes; long ones are sent from where they are.
    pub fn write_bytes(&self, bytes: &Bytes, pace: Pace) -> Result<(), Gone> {
        self.engine.write(self.key, pace, |chunks, pool| chunks.share(bytes, pool))
    }

    /// What waits to be sent, all at one look.
    pub fn queue(&self) -> Queue {
        self.engine.queue(self.key)
    }

    /// Bytes that the kernel has not taken.
    pub fn queued_bytes(&self) -> usize {
        self.engine.read(self.key, Slot::queued_bytes).unwrap_or(0)
    }

    /// Writes that wait behind the send in flight, if there is one.
    pub fn queued_writes(&self) -> usize {
        self.engine.read(self.key, Slot::queued_writes).unwrap_or(0)
    }

    /// Asks for one [`Consumer::writable`] when at most `below` bytes are queued.
    pub fn notify_writable(&self, below: usize) {
        self.engine.notify_writable(self.key, below);
    }

    /// Takes no more bytes from the kernel, so that the peer is held back in turn.
    pub fn pause_reading(&self) {
        self.engine.pause_reading(self.key);
    }

    pub fn resume_reading(&self) {
        self.engine.resume_reading(self.key);
    }

    /// Sends what is queued (for [`SocketConfig::finish_max`] at most), ends the stream, waits ([`SocketConfig::linger`]) for the peer to end its
    /// own, and closes. What comes in meanwhile is thrown away.
    pub fn close(&self) {
        self.engine.close(self.key);
    }

    /// Closes without sending what is queued; the peer sees a reset.
    pub fn abort(&self) {
        self.engine.abort(self.key, Closed::Here);
    }

    /// None for a Unix socket.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.engine.read(self.key, Slot::peer).flatten()
    }

    pub fn is_open(&self) -> bool {
        self.engine.read(self.key, Slot::is_open).unwrap_or(false)
    }
}
