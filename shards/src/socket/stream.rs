//! A socket as an asynchronous stream of bytes, with bounds on what is buffered either way.

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Closed, Consumer, Gone, Pace, Socket};

/// Unread bytes at which reading pauses.
const READ_MAX: usize = 64 * 1024;
/// Unread bytes at which it goes on.
const READ_RESUME: usize = 16 * 1024;
/// Queued bytes at which a writer waits.
const WRITE_MAX: usize = 256 * 1024;
/// Queued bytes at which it may go on.
const WRITE_RESUME: usize = 64 * 1024;

/// What a [`Stream`] and a protocol need of a connection: a [`Socket`], or a layer such as TLS over one.
pub trait Transport: Clone + 'static {
    fn consume(&self, consumer: Rc<dyn Consumer>);
    fn write(&self, bytes: &[u8], pace: Pace) -> Result<(), Gone>;
    fn write_bytes(&self, bytes: &Bytes, pace: Pace) -> Result<(), Gone>;
    /// The connection underneath.
    fn socket(&self) -> &Socket;
    /// See [`Socket::close`].
    fn close(&self);

    fn pause_reading(&self) {
        self.socket().pause_reading();
    }

    fn resume_reading(&self) {
        self.socket().resume_reading();
    }
}

impl Transport for Socket {
    fn consume(&self, consumer: Rc<dyn Consumer>) {
        Socket::consume(self, consumer);
    }

    fn write(&self, bytes: &[u8], pace: Pace) -> Result<(), Gone> {
        Socket::write(self, bytes, pace)
    }

    fn write_bytes(&self, bytes: &Bytes, pace: Pace) -> Result<(), Gone> {
        Socket::write_bytes(self, bytes, pace)
    }

    fn socket(&self) -> &Socket {
        self
    }

    fn close(&self) {
        Socket::close(self);
    }
}

struct Shared<T> {
    transport: T,
    unread: RefCell<BytesMut>,
    /// No more comes: the peer ended or the socket closed.
    ended: Cell<bool>,
    failed: Cell<Option<io::ErrorKind>>,
    paused: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

impl<T: Transport> Consumer for Shared<T> {
    fn data(&self, bytes: &mut [u8]) {
        let len = {
            let mut unread = self.unread.borrow_mut();
            unread.extend_from_slice(bytes);
            unread.len()
        };
        if len >= READ_MAX && !self.paused.replace(true) {
            self.transport.pause_reading();
        }
        wake(&self.reader);
    }

    fn ended(&self) {
        self.ended.set(true);
        wake(&self.reader);
    }

    fn writable(&self) {
        wake(&self.writer);
    }

    fn closed(&self, reason: Closed) {
        self.ended.set(true);
        match reason {
            Closed::Here => {}
            Closed::Failed(kind) => self.failed.set(Some(kind)),
            Closed::Stalled => self.failed.set(Some(io::ErrorKind::TimedOut)),
            Closed::Panicked => self.failed.set(Some(io::ErrorKind::Other)),
        }
        wake(&self.reader);
        wake(&self.writer);
    }
}

fn wake(waiter: &RefCell<Option<Waker>>) {
    let waker = waiter.borrow_mut().take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn wait(waiter: &RefCell<Option<Waker>>, cx: &Context<'_>) {
    let mut waiter = waiter.borrow_mut();
    match waiter.as_mut() {
        Some(known) => known.clone_from(cx.waker()),
        None => *waiter = Some(cx.waker().clone()),
    }
}

/// Reads and writes a connection. Dropping it closes the connection gracefully.
pub struct Stream<T: Transport = Socket> {
    shared: Rc<Shared<T>>,
    /// Taken apart: the connection goes on without the stream.
    released: bool,
}

impl<T: Transport> Stream<T> {
    /// A stream that begins with bytes that were read before it.
    pub fn new(transport: T, already_read: Bytes) -> Self {
        let shared = Rc::new(Shared {
            transport,
            unread: RefCell::new(BytesMut::from(already_read)),
            ended: Cell::new(false),
            failed: Cell::new(None),
            paused: Cell::new(false),
            reader: RefCell::new(None),
            writer: RefCell::new(None),
        });
        shared.transport.consume(shared.clone());
        Self { shared, released: false }
    }

    pub fn transport(&self) -> &T {
        &self.shared.transport
    }

    pub fn peer(&self) -> Option<SocketAddr> {
        self.shared.transport.socket().peer()
    }

    /// Gives the connection back with what was read and not taken. The stream's buffer bound no longer
    /// holds reading back.
    pub fn into_parts(mut self) -> (T, Bytes) {
        self.released = true;
        let unread = self.shared.unread.take().freeze();
        if self.shared.paused.replace(false) {
            self.shared.transport.resume_reading();
        }
        (self.shared.transport.clone(), unread)
    }

    /// Waits until `wanted` bytes are there or no more will come, and shows what is there.
    pub fn poll_peek<R>(
        &self,
        cx: &mut Context<'_>,
        wanted: usize,
        look: impl FnOnce(&[u8]) -> R,
    ) -> Poll<io::Result<R>> {
        let unread = self.shared.unread.borrow();
        if unread.len() >= wanted {
            return Poll::Ready(Ok(look(&unread)));
        }
        if let Some(kind) = self.shared.failed.get() {
            return Poll::Ready(Err(kind.into()));
        }
        if self.shared.ended.get() {
            return Poll::Ready(Ok(look(&unread)));
        }
        wait(&self.shared.reader, cx);
        Poll::Pending
    }

    /// Fills a part of `buffer`; nothing at the end of the stream.
    pub fn poll_read_into(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        put: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<()>> {
        let shared = &*self.shared;
        let mut unread = shared.unread.borrow_mut();
        if !unread.is_empty() {
            let len = room.min(unread.len());
            put(unread.get(..len).unwrap_or_default());
            unread.advance(len);
            if unread.is_empty() {
                // An idle connection keeps no buffer.
                *unread = BytesMut::new();
            }
            let resume = unread.len() <= READ_RESUME && shared.paused.get();
            drop(unread);
            if resume {
                shared.paused.set(false);
                shared.transport.resume_reading();
            }
            return Poll::Ready(Ok(()));
        }
        if let Some(kind) = shared.failed.get() {
            return Poll::Ready(Err(kind.into()));
        }
        if shared.ended.get() || room == 0 {
            return Poll::Ready(Ok(()));
        }
        wait(&shared.reader, cx);
        Poll::Pending
    }

    /// Queues bytes unless too many wait already.
    pub fn poll_write_from(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let shared = &*self.shared;
        let socket = shared.transport.socket();
        if socket.queued_bytes() >= WRITE_MAX {
            // Registered first: asking may find that the queue fell meanwhile.
            wait(&shared.writer, cx);
            socket.notify_writable(WRITE_RESUME);
            return Poll::Pending;
        }
        let taken = bytes.get(..WRITE_MAX).unwrap_or(bytes);
        match shared.transport.write(taken, Pace::Now) {
            Ok(()) => Poll::Ready(Ok(taken.len())),
            Err(gone) => match shared.failed.get() {
                Some(kind) => Poll::Ready(Err(kind.into())),
                None => Poll::Ready(Err(gone.into())),
            },
        }
    }

    /// Closes gracefully; what is queued is sent.
    pub fn close(&self) {
        self.shared.transport.close();
    }
}

impl<T: Transport> Drop for Stream<T> {
    fn drop(&mut self) {
        if !self.released {
            self.shared.transport.close();
        }
    }
}

impl<T: Transport> AsyncRead for Stream<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read_into(cx, buffer.remaining(), |bytes| buffer.put_slice(bytes))
    }
}

impl<T: Transport> AsyncWrite for Stream<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_from(cx, bytes)
    }

    /// What was written leaves at the end of the turn by itself.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}
