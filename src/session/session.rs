//! One session: the state machine of one open socket.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    sync::Arc,
    thread,
};

use kakera_proto::realtime::Envelope;
use kakera_shards::{socket::Pace, timers::TimerKey};

use super::{
    Beat, CloseCause, Duty, Heartbeat, Identity, Inbox, Line, LineFull, Phase, Sessions, Step,
    inbox::Arrival,
};
use crate::{
    fanout::{Format, Slot, frame},
    flood::{Limit, Meter, Verdict},
    ids::SessionId,
    net::WireFrame,
};

/// See the module's description. It lives as long as its place in [`Sessions`], or a turn that runs.
pub struct Session {
    me: Weak<Session>,
    sessions: Sessions,
    pub id: SessionId,
    pub slot: Slot,
    pub format: Format,
    identity: RefCell<Arc<Identity>>,
    line: Box<dyn Line>,
    phase: Cell<Phase>,
    heartbeat: Heartbeat,
    /// How fast messages come; only looked at where they are limited.
    meter: Cell<Meter>,
    /// The one timer of the session.
    pub(super) timer: Cell<Option<TimerKey>>,
    inbox: RefCell<Inbox<Box<Envelope>>>,
    /// The inbox is being worked off further up the stack.
    pumping: Cell<bool>,
    /// How the session ends once everything is handled that its client sent before that.
    ending: Cell<Option<(Step, CloseCause)>>,
}

/// What arrives in one WebSocket message.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl Session {
    /// A session in its slot, opening: its envelopes wait until [`Session::announced`].
    pub(super) fn new(
        sessions: &Sessions,
        (id, slot): (SessionId, Slot),
        format: Format,
        identity: Identity,
        line: Box<dyn Line>,
    ) -> Rc<Self> {
        let mut inbox = Inbox::default();
        inbox.begin();
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            sessions: sessions.clone(),
            id,
            slot,
            format,
            identity: RefCell::new(Arc::new(identity)),
            line,
            phase: Cell::new(Phase::Opening),
            heartbeat: Heartbeat::new(sessions.now_ms(), &sessions.settings().keep_alive),
            meter: Cell::default(),
            timer: Cell::new(None),
            inbox: RefCell::new(inbox),
            pumping: Cell::new(false),
            ending: Cell::new(None),
        })
    }

    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Who is at the other end.
    pub fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.borrow())
    }

    // Towards the client.

    /// Sends an envelope to this client. A client whose queue is full is disconnected.
    pub fn send(&self, envelope: &Envelope) {
        if self.phase.get().speaks() {
            self.send_frame(&frame(envelope, self.format), Pace::Now);
        }
    }

    /// Sends a frame that is already encoded in this session's format.
    pub fn send_frame(&self, frame: &WireFrame, pace: Pace) {
        if self.queue(frame, pace).is_err() {
            self.close(CloseCause::OutgoingQueueFull);
        }
    }

    /// Queues a frame without acting on a full queue: the caller is in the middle of a delivery.
    pub(super) fn offer_frame(&self, frame: &WireFrame) -> Result<(), LineFull> {
        self.queue(frame, Pace::Paced)
    }

    fn queue(&self, frame: &WireFrame, pace: Pace) -> Result<(), LineFull> {
        if !self.phase.get().speaks() {
            return Ok(());
        }
        self.line.send(frame, pace)?;
        self.sessions.metrics().message_out(frame.len());
        Ok(())
    }

    /// Ends the session at once: it leaves everything it has joined, and its client gets a close frame.
    pub fn close(&self, cause: CloseCause) {
        // Where the socket is gone already, nothing will say so again.
        let is_gone = matches!(self.ending.get(), Some((Step::SocketGone, _)));
        self.step(if is_gone { Step::SocketGone } else { Step::CloseAsked }, cause);
    }

    /// Ends the session for what its client sent, once everything before that is handled. What comes after
    /// it is not.
    pub fn close_in_turn(&self, cause: CloseCause) {
        self.end_in_turn(Step::CloseAsked, cause);
    }

    // From the client.

    /// A message arrived.
    pub fn message(&self, payload: Payload<'_>) {
        if !self.phase.get().speaks() || self.ending.get().is_some() {
            return;
        }
        let Some(me) = self.me.upgrade() else { return };
        let settings = self.sessions.settings();
        self.heartbeat.message(&settings.keep_alive, || self.sessions.now_ms());
        let bytes = match (self.format, payload) {
            (Format::Json, Payload::Text(text)) => text.as_bytes(),
            (Format::Protobuf, Payload::Binary(bytes)) => bytes,
            (Format::Json, Payload::Binary(_)) | (Format::Protobuf, Payload::Text(_)) => {
                return self.close_in_turn(CloseCause::WrongFrame);
            }
        };
        let malformed = &self.sessions.counters().malformed;
        let malformed_before = malformed.get();
        let served = match settings.message_limit {
            Some(limit) => self.serve_or_refuse(&limit, &me, bytes),
            None => true,
        };
        if served {
            self.sessions.dispatch().payload(&me, bytes);
        }
        let is_error =
            !served || self.ending.get().is_some() || malformed.get() != malformed_before;
        self.sessions.metrics().message_in(bytes.len(), is_error);
    }

    /// Whether a message is to be handled; if not, its sender is told, or disconnected in the end.
    fn serve_or_refuse(&self, limit: &Limit, me: &Rc<Self>, bytes: &[u8]) -> bool {
        let mut meter = self.meter.get();
        let verdict = meter.take(limit, self.sessions.now_micros());
        self.meter.set(meter);
        if verdict == Verdict::Serve {
            return true;
        }
        self.sessions.counters().messages_refused.increment();
        match verdict {
            Verdict::Abuse { .. } => self.close(CloseCause::Flooding),
            Verdict::Serve | Verdict::Refuse { .. } => self.sessions.dispatch().refuse(me, bytes),
        }
        false
    }

    /// A pong arrived.
    pub fn pong(&self) {
        self.heartbeat.pong(self.sessions.now_ms());
    }

    /// The connection has ended, by itself or for what the client sent. What it sent before is handled
    /// all the same: clients say something and close.
    pub fn line_gone(&self, cause: CloseCause) {
        self.end_in_turn(Step::SocketGone, cause);
    }

    // Turns.

    /// Handles an envelope in its turn: now, or when those before it are done.
    pub fn take_turn(&self, envelope: Envelope) {
        let Some(me) = self.me.upgrade() else { return };
        let at_rest = !self.pumping.get() && self.inbox.borrow().is_at_rest();
        if at_rest {
            return self.sessions.dispatch().envelope(&me, envelope);
        }
        let arrival = self.inbox.borrow_mut().arrive(Box::new(envelope));
        match arrival {
            Arrival::Now(envelope) => self.sessions.dispatch().envelope(&me, *envelope),
            Arrival::Waits => {}
            Arrival::WaitsAndPause => {
                self.sessions.counters().inbox_pauses.increment();
                self.line.pause();
            }
        }
    }

    /// The envelope at hand waits for somebody: those behind it wait until the turn is dropped.
    pub fn begin_turn(&self) -> Turn {
        self.inbox.borrow_mut().begin();
        Turn { session: self.me.clone() }
    }

    /// The session is known to those that must know of it: its envelopes are handled from here on.
    pub fn announced(&self) {
        self.step(Step::Announced, CloseCause::Gone);
    }

    fn turn_over(&self) {
        self.inbox.borrow_mut().finish();
        self.pump();
    }

    /// Handles what waits, until something is in flight again.
    fn pump(&self) {
        if self.pumping.get() {
            return;
        }
        let Some(me) = self.me.upgrade() else { return };
        let pumping = Pumping::begin(self);
        while self.phase.get() == Phase::Open {
            let next = self.inbox.borrow_mut().next_turn();
            let Some(envelope) = next else { break };
            self.sessions.dispatch().envelope(&me, *envelope);
        }
        drop(pumping);
        if self.inbox.borrow().is_at_rest()
            && let Some((step, cause)) = self.ending.take()
        {
            return self.step(step, cause);
        }
        let resume = self.phase.get() == Phase::Open && self.inbox.borrow_mut().may_resume();
        if resume {
            self.line.resume();
        }
    }

    // Life.

    fn end_in_turn(&self, step: Step, cause: CloseCause) {
        let cause = self.ending.get().map_or(cause, |(_, first)| first);
        let waits = match self.phase.get() {
            Phase::Opening => !self.inbox.borrow().is_empty(),
            Phase::Open => !self.inbox.borrow().is_at_rest(),
            Phase::Closing | Phase::Closed => false,
        };
        if waits {
            self.ending.set(Some((step, cause)));
        } else {
            self.step(step, cause);
        }
    }

    fn step(&self, step: Step, cause: CloseCause) {
        let (phase, duty) = self.phase.get().after(step);
        self.phase.set(phase);
        match duty {
            Duty::None => {}
            Duty::Serve => self.turn_over(),
            Duty::LeaveAndClose => {
                self.leave(cause);
                let now_sec = self.sessions.unix_sec();
                if let Some(farewell) = cause.farewell(|| self.sessions.random_uuid(), now_sec) {
                    // A client that reads too slowly for it misses it, and is closed all the same.
                    let _ = self.line.send(&frame(&farewell, self.format), Pace::Now);
                }
                self.line.close(cause.status(), cause.reason());
            }
            Duty::LeaveAndFree => {
                self.leave(cause);
                self.sessions.free(self);
            }
            Duty::Free => self.sessions.free(self),
        }
    }

    fn leave(&self, cause: CloseCause) {
        self.inbox.borrow_mut().clear();
        self.sessions.left(self, cause);
    }

    /// Sets the timer again after it fired.
    pub(super) fn rearm(&self, at_ms: u64) {
        self.sessions.arm(self, at_ms);
    }

    /// The timer fired; answers when it is to fire again.
    pub(super) fn beat(&self) -> Option<u64> {
        if !self.phase.get().speaks() {
            return None;
        }
        match self.heartbeat.beat(self.sessions.now_ms(), &self.sessions.settings().keep_alive) {
            Beat::Wait { until_ms } => Some(until_ms),
            Beat::Ping { until_ms } => {
                self.line.ping();
                Some(until_ms)
            }
            Beat::Dead => {
                self.close(CloseCause::Silent);
                None
            }
        }
    }
}

/// The inbox is being worked off. A panic of a handler ends the session: nobody knows how far it came.
struct Pumping<'a>(&'a Session);

impl<'a> Pumping<'a> {
    fn begin(session: &'a Session) -> Self {
        session.pumping.set(true);
        Self(session)
    }
}

impl Drop for Pumping<'_> {
    fn drop(&mut self) {
        self.0.pumping.set(false);
        if thread::panicking() {
            self.0.close(CloseCause::Unprocessable);
        }
    }
}

/// One envelope in flight. Dropping it lets the session's next envelope be handled, on whatever path but that
/// of a panic, which ends the session.
#[must_use = "dropping the turn ends it"]
pub struct Turn {
    session: Weak<Session>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(session) = self.session.upgrade() else { return };
        if thread::panicking() {
            session.close(CloseCause::Unprocessable);
        } else {
            session.turn_over();
        }
    }
}
