//! An open WebSocket connection.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    ops::ControlFlow,
    rc::{Rc, Weak},
};

use bytes::BytesMut;
use kakera_shards::{
    runtime,
    socket::{Closed, Consumer, Pace, Transport},
};

use super::{
    Accept, CloseReason, MessageRef, SendError, SocketEvents, WebSocketConfig, WireFrame,
    assembly::{Assembly, Fault, Incoming, NO_CODE},
    frame::{Opcode, close_payload, control},
};
use crate::net::link::Link;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our close is sent, the peer's is waited for.
    Closing,
    /// Both are, or there will be none.
    Over,
}

struct Inner {
    link: Link,
    peer: SocketAddr,
    config: WebSocketConfig,
    assembly: Cell<Assembly>,
    phase: Cell<Phase>,
    paused: Cell<bool>,
    /// Bytes that came after reading was paused.
    held: RefCell<Vec<u8>>,
    /// The peer's stream has ended behind them.
    ended: Cell<bool>,
    /// None before the start and after the end.
    events: RefCell<Option<Rc<dyn SocketEvents>>>,
    myself: Weak<Inner>,
}

/// A WebSocket connection. Clones name the same one; it lives until it is closed.
#[derive(Clone)]
pub struct WsSocket(Rc<Inner>);

/// Starts a connection whose handshake is answered; `first` came after the request.
pub(in crate::net) fn begin(
    link: &Link,
    peer: SocketAddr,
    config: &WebSocketConfig,
    accept: Accept,
    mut first: BytesMut,
) {
    let inner = Rc::new_cyclic(|myself| Inner {
        link: link.clone(),
        peer,
        config: config.clone(),
        assembly: Cell::default(),
        phase: Cell::new(Phase::Open),
        paused: Cell::new(false),
        held: RefCell::default(),
        ended: Cell::new(false),
        events: RefCell::new(None),
        myself: myself.clone(),
    });
    link.consume(inner.clone());
    let starting = Starting(&inner);
    let events = (accept.start)(WsSocket(inner.clone()));
    inner.events.replace(Some(events));
    drop(starting);
    if !link.socket().is_open() {
        return inner.end(CloseReason::Lost);
    }
    if !first.is_empty() {
        inner.data(&mut first);
    }
}

/// Ends a connection whose start panicked: nobody would hear of it.
struct Starting<'a>(&'a Inner);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        if self.0.events.borrow().is_none() {
            self.0.link.socket().abort();
        }
    }
}

impl WsSocket {
    /// Queues a message. A burst is taken while the peer keeps up, within the bound of bytes; behind a
    /// send that the peer does not take, the bound of messages holds too. A message that would be alone
    /// in the queue is taken whatever its length.
    pub fn send(&self, frame: &WireFrame, pace: Pace) -> Result<(), SendError> {
        let inner = &*self.0;
        if inner.phase.get() != Phase::Open {
            return Err(SendError::Closed);
        }
        let queue = inner.link.socket().queue();
        let long = queue.writes >= inner.config.outgoing_queue_len_max;
        let room = inner.config.outgoing_queue_bytes_max.saturating_sub(queue.bytes);
        if long && queue.blocked || queue.bytes > 0 && frame.len() > room {
            return Err(SendError::QueueFull);
        }
        inner.link.write_bytes(frame.bytes(), pace).map_err(|_| SendError::Closed)
    }

    /// Sends what is queued and a close; ends the connection when the peer's close comes or
    /// [`WebSocketConfig::close_ack_wait`] passed. Messages that come meanwhile are thrown away.
    pub fn close(&self, code: u16, reason: &str) {
        self.0.begin_close(code, reason);
    }

    /// Ends the connection without a word.
    pub fn abort(&self) {
        self.0.link.socket().abort();
    }

    /// Messages that wait behind the send in flight.
    pub fn queued_len(&self) -> usize {
        self.0.link.socket().queued_writes()
    }

    /// Bytes that the kernel has not taken.
    pub fn queued_bytes(&self) -> usize {
        self.0.link.socket().queued_bytes()
    }

    /// No message comes until [`WsSocket::resume_reading`], not even one that had arrived; neither do
    /// pongs and the peer's close.
    pub fn pause_reading(&self) {
        self.0.paused.set(true);
        self.0.link.pause_reading();
    }

    pub fn resume_reading(&self) {
        if self.0.paused.replace(false) {
            self.0.link.resume_reading();
        }
    }

    /// Sends a ping. [`SocketEvents::pong`] tells the answer.
    pub fn ping(&self) -> Result<(), SendError> {
        if self.0.phase.get() != Phase::Open {
            return Err(SendError::Closed);
        }
        self.0.control(Opcode::Ping, &[])
    }

    pub fn is_open(&self) -> bool {
        self.0.phase.get() == Phase::Open
    }

    /// The other end of the connection: a client or a proxy.
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }
}

impl Inner {
    fn control(&self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        let (frame, len) = control(opcode, payload);
        let frame = frame.get(..len).unwrap_or_default();
        self.link.write(frame, Pace::Now).map_err(|_| SendError::Closed)
    }

    fn begin_close(&self, code: u16, reason: &str) {
        if self.phase.get() != Phase::Open {
            return;
        }
        self.phase.set(Phase::Closing);
        if self.control(Opcode::Close, &close_payload(code, reason)).is_err() {
            // The socket's own end is on its way.
            return;
        }
        // The peer's close must be read.
        if self.paused.replace(false) {
            self.link.resume_reading();
        }
        let myself = self.myself.clone();
        runtime::timers().run_after(self.config.close_ack_wait, move || {
            if let Some(inner) = myself.upgrade() {
                inner.give_up();
            }
        });
    }

    /// The peer's close did not come in time.
    fn give_up(&self) {
        if self.phase.get() != Phase::Closing {
            return;
        }
        if self.link.socket().queued_bytes() > 0 {
            self.link.socket().abort();
        } else {
            self.link.close();
        }
        self.end(CloseReason::Here);
    }

    /// There is no more to come.
    fn lost(&self) {
        if self.phase.get() != Phase::Over {
            let here = self.phase.get() == Phase::Closing;
            self.end(if here { CloseReason::Here } else { CloseReason::Lost });
        }
    }

    /// The last event.
    fn end(&self, reason: CloseReason) {
        self.phase.set(Phase::Over);
        let events = self.events.take();
        self.held.take();
        self.assembly.take();
        if let Some(events) = events {
            events.closed(reason);
        }
    }

    fn receive(&self, bytes: &mut [u8]) {
        let mut assembly = self.assembly.take();
        let fed =
            assembly.feed(bytes, self.config.message_bytes_max, |incoming| self.take(incoming));
        match fed {
            Ok(used) => {
                let rest = bytes.get(used..).unwrap_or_default();
                if self.phase.get() != Phase::Over {
                    self.assembly.set(assembly);
                    self.held.borrow_mut().extend_from_slice(rest);
                }
            }
            Err(fault) => self.fault(fault),
        }
    }

    fn take(&self, incoming: Incoming<'_>) -> ControlFlow<()> {
        match incoming {
            Incoming::Message(message) => self.message(message),
            Incoming::Ping(payload) => {
                // A peer that pings and does not read gets no pongs rather than memory.
                let room = self.config.outgoing_queue_bytes_max;
                if self.phase.get() == Phase::Open && self.link.socket().queued_bytes() < room {
                    let _ = self.control(Opcode::Pong, payload);
                }
            }
            Incoming::Pong => {
                let events = self.events.borrow().clone();
                if let Some(events) = events {
                    events.pong();
                }
            }
            Incoming::Close { code, reason } => self.peer_closes(code, reason),
        }
        if self.paused.get() || self.phase.get() == Phase::Over {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn message(&self, message: MessageRef<'_>) {
        if self.phase.get() != Phase::Open {
            return;
        }
        let events = self.events.borrow().clone();
        if let Some(events) = events {
            events.message(message);
        }
    }

    fn peer_closes(&self, code: u16, reason: &str) {
        if self.phase.get() == Phase::Closing {
            self.link.close();
            return self.end(CloseReason::Here);
        }
        let payload = if code == NO_CODE { Vec::new() } else { close_payload(code, "") };
        let _ = self.control(Opcode::Close, &payload);
        self.link.close();
        self.end(CloseReason::Peer { code, reason: reason.to_owned() });
    }

    fn fault(&self, fault: Fault) {
        if self.phase.get() == Phase::Open {
            let _ = self.control(Opcode::Close, &close_payload(fault.code, fault.what));
        }
        self.link.close();
        let Fault { code, what } = fault;
        self.end(CloseReason::Fault { code, what });
    }
}

impl Consumer for Inner {
    fn data(&self, bytes: &mut [u8]) {
        if self.phase.get() == Phase::Over {
            return;
        }
        if self.paused.get() || !self.held.borrow().is_empty() {
            self.held.borrow_mut().extend_from_slice(bytes);
        } else {
            self.receive(bytes);
        }
    }

    fn ended(&self) {
        if self.phase.get() == Phase::Open && !self.held.borrow().is_empty() {
            // What came before is handled first, when reading goes on.
            return self.ended.set(true);
        }
        self.link.close();
        self.lost();
    }

    fn resumed(&self) {
        while !self.paused.get() && self.phase.get() != Phase::Over {
            let mut held = self.held.take();
            if held.is_empty() {
                break;
            }
            self.receive(&mut held);
        }
        if self.ended.get() && self.held.borrow().is_empty() {
            self.ended();
        }
    }

    fn closed(&self, _: Closed) {
        self.lost();
    }
}
