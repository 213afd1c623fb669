//! The sessions of one shard.

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use kakera_proto::realtime::Envelope;
use kakera_shards::{
    Clock, Counter, Counters, Rng, runtime,
    socket::Pace,
    timers::{Target, Timers},
};
use slab::Slab;
use uuid::Uuid;

use super::{
    Change, CloseCause, ForAll, Identity, KeepAlive, LifeWatch, Line, LineFull, Reply, Request,
    Session, SessionEvent, SharedPost, Unanswered, users,
};
use crate::{
    fanout::{Format, Formats, Outgoing, Sink, Slot, Slow},
    flood,
    ids::{SessionId, StreamId, UserId},
    metrics::ShardMetrics,
    net::WireFrame,
    presence::{self, Member, Moved, Presences, Reason, StreamEvent},
};

/// Sessions that get a message for all in one turn of the shard.
const HANDED_PER_TURN: usize = 256;

/// What the configuration says about sessions.
#[derive(Clone, Debug)]
pub struct Settings {
    pub keep_alive: KeepAlive,
    /// A user's new socket closes the older ones (`session.single_socket`).
    pub single_socket: bool,
    /// Sessions of this shard; more are refused at the handshake.
    pub sessions_max: usize,
    /// Sessions of one user anywhere; a new one closes the oldest (`session.max_per_user`).
    pub user_sessions_max: usize,
    /// How many messages of a session are handled; `None` handles all.
    pub message_limit: Option<flood::Limit>,
}

/// Who understands what clients send. The layer above sets it once, before the first session.
pub trait Dispatch {
    /// One message of the client, in its session's format.
    fn payload(&self, session: &Rc<Session>, payload: &[u8]);

    /// One message too many: the client is answered that it was not handled.
    fn refuse(&self, session: &Rc<Session>, payload: &[u8]);

    /// An envelope whose turn it is.
    fn envelope(&self, session: &Rc<Session>, envelope: Envelope);
}

/// Told of what concerns those who keep things of this shard: matches, parties and tickets.
pub trait Watch {
    /// The members of a stream of this shard are about to be told this.
    fn changed(&self, event: &StreamEvent);

    /// This has just happened on a stream of this shard, and `count` sessions are there now.
    fn moved(&self, stream: &StreamId, moved: &Moved, count: usize);

    /// A session of this shard has ended; told once for each.
    fn ended(&self, session: SessionId);
}

/// What this shard counts about sessions, beside what the reference has names for.
pub struct SessionCounters {
    pub slow: Counter,
    pub silent: Counter,
    pub malformed: Counter,
    pub inbox_pauses: Counter,
    pub refused: Counter,
    pub oversize: Counter,
    pub over_user_bound: Counter,
    pub messages_refused: Counter,
    pub flooding: Counter,
}

impl SessionCounters {
    fn new(counters: &Counters) -> Self {
        Self {
            slow: counters.counter("sessions_slow", "Sessions closed with a full outgoing queue."),
            silent: counters.counter("sessions_silent", "Sessions closed for a missing pong."),
            malformed: counters
                .counter("sessions_malformed", "Sessions closed for what they sent."),
            inbox_pauses: counters
                .counter("session_inbox_pauses", "Times a socket was not read for a full inbox."),
            refused: counters
                .counter("sessions_refused", "Sockets refused by a full or draining shard."),
            oversize: counters
                .counter("sessions_oversize", "Sessions closed for a message that was too large."),
            over_user_bound: counters.counter(
                "sessions_over_user_bound",
                "Sessions closed for newer ones of their user.",
            ),
            messages_refused: counters
                .counter("flood_messages_refused", "Messages refused because they came too fast."),
            flooding: counters
                .counter("flood_sessions_closed", "Sessions closed for messages without end."),
        }
    }
}

/// The sessions of this shard, and the registry of the users that it owns. Clones are the same.
#[derive(Clone)]
pub struct Sessions(Rc<Inner>);

struct Inner {
    post: SharedPost,
    settings: Settings,
    clock: Clock,
    rng: Rng,
    timers: Timers,
    counters: SessionCounters,
    metrics: Rc<ShardMetrics>,
    table: RefCell<Slab<Rc<Session>>>,
    /// The slot's number is the start of a session's id, masked so that ids do not look numbered.
    id_mask: u32,
    users: RefCell<users::State>,
    presences: OnceCell<Presences>,
    dispatch: OnceCell<Rc<dyn Dispatch>>,
    watch: OnceCell<Rc<dyn Watch>>,
    life: OnceCell<Rc<dyn LifeWatch>>,
    draining: Cell<bool>,
}

/// The shard has as many sessions as it may have, or is shutting down. State unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("The server is full.")]
    Full,
    #[error("The server is shutting down.")]
    Draining,
}

impl Sessions {
    /// No sessions yet. [`Sessions::connect`] must follow before the first one.
    pub fn new(post: SharedPost, settings: Settings, rng: Rng, metrics: Rc<ShardMetrics>) -> Self {
        let user_sessions_max = settings.user_sessions_max;
        Self(Rc::new(Inner {
            post,
            settings,
            clock: runtime::clock(),
            timers: runtime::timers(),
            counters: SessionCounters::new(&runtime::counters()),
            metrics,
            table: RefCell::default(),
            id_mask: rng.next_u32(),
            rng,
            users: RefCell::new(users::State::new(user_sessions_max)),
            presences: OnceCell::new(),
            dispatch: OnceCell::new(),
            watch: OnceCell::new(),
            life: OnceCell::new(),
            draining: Cell::new(false),
        }))
    }

    /// Who is told of what happens here; once, while the shard starts.
    pub fn connect(&self, presences: Presences, dispatch: Rc<dyn Dispatch>, watch: Rc<dyn Watch>) {
        let connected = self.0.presences.set(presences).is_ok()
            && self.0.dispatch.set(dispatch).is_ok()
            && self.0.watch.set(watch).is_ok();
        assert!(connected, "sessions are connected once, while the shard starts");
    }

    /// Who is told when sessions begin and end; at most once, while the shard starts. Without it nobody is:
    /// it is for the scripts' session events, and nothing sets it as long as there are no scripts.
    pub fn watch_life(&self, watch: Rc<dyn LifeWatch>) {
        assert!(self.0.life.set(watch).is_ok(), "one watch, set while the shard starts");
    }

    fn tell_life(&self, session: &Session, change: Change) {
        if let Some(watch) = self.0.life.get() {
            watch.happened(SessionEvent {
                session: session.id,
                identity: session.identity(),
                unix_sec: self.unix_sec(),
                change,
            });
        }
    }

    // Opening and closing.

    /// Whether another session may open; checked before the handshake is answered.
    pub fn may_open(&self) -> Result<(), Refused> {
        let full = self.0.table.borrow().len() >= self.0.settings.sessions_max;
        let refused = match (self.0.draining.get(), full) {
            (true, _) => Refused::Draining,
            (false, true) => Refused::Full,
            (false, false) => return Ok(()),
        };
        self.0.counters.refused.increment();
        Err(refused)
    }

    /// A socket was upgraded: its session opens. [`Session::announced`] lets its envelopes through.
    pub fn open(&self, format: Format, identity: Identity, line: Box<dyn Line>) -> Rc<Session> {
        let inner = &*self.0;
        let user = identity.user;
        let username = identity.username.clone();
        let session = {
            let mut table = inner.table.borrow_mut();
            let vacant = table.vacant_entry();
            let slot = Slot(vacant.key() as u32);
            let session = Session::new(self, (self.new_id(slot), slot), format, identity, line);
            Rc::clone(vacant.insert(session))
        };
        inner.metrics.websockets_opened.increment();
        inner.metrics.sessions.add(1);
        let member = Member { session: session.id, user, username, format };
        self.presences().open(session.slot, member);
        let alone = inner.settings.single_socket;
        self.tell_owner(users::Request::Opened { user, session: session.id, alone });
        self.tell_life(&session, Change::Started);
        self.arm(&session, inner.clock.monotonic_ms() + inner.settings.keep_alive.ping_period_ms);
        if inner.draining.get() {
            session.close(CloseCause::Draining);
        }
        session
    }

    /// The session ends: what it joined and who knows of it is told. Called once for each session.
    pub(super) fn left(&self, session: &Session, cause: CloseCause) {
        let inner = &*self.0;
        match cause {
            CloseCause::OutgoingQueueFull => inner.counters.slow.increment(),
            CloseCause::Silent => inner.counters.silent.increment(),
            CloseCause::Malformed | CloseCause::WrongFrame | CloseCause::Unprocessable => {
                inner.counters.malformed.increment();
            }
            CloseCause::Oversize => inner.counters.oversize.increment(),
            CloseCause::UserFull => inner.counters.over_user_bound.increment(),
            CloseCause::Flooding => inner.counters.flooding.increment(),
            CloseCause::Gone
            | CloseCause::SingleSocket
            | CloseCause::Banned
            | CloseCause::Disconnected
            | CloseCause::Overloaded
            | CloseCause::Draining => {}
        }
        if let Some(timer) = session.timer.take() {
            inner.timers.cancel(timer);
        }
        self.presences().close(session.slot, Reason::Disconnect);
        if let Some(watch) = inner.watch.get() {
            watch.ended(session.id);
        }
        let user = session.identity().user;
        self.tell_owner(users::Request::Closed { user, session: session.id });
        self.tell_life(session, Change::Ended(cause));
        tracing::debug!(sid = %session.id, uid = %user, reason = cause.reason(), "Session closed.");
    }

    /// The session's socket is gone and so is the session.
    pub(super) fn free(&self, session: &Session) {
        let inner = &*self.0;
        let index = session.slot.0 as usize;
        let freed = {
            let mut table = inner.table.borrow_mut();
            let here = table.get(index).is_some_and(|known| known.id == session.id);
            here.then(|| table.remove(index))
        };
        if freed.is_some() {
            inner.metrics.websockets_closed.increment();
            inner.metrics.sessions.sub(1);
        }
    }

    /// Closes every session, and refuses new ones.
    pub fn drain(&self) {
        self.0.draining.set(true);
        for session in self.all() {
            session.close(CloseCause::Draining);
        }
    }

    /// Returns when the last session is gone.
    pub async fn drained(&self) {
        while !self.is_empty() {
            runtime::sleep(Duration::from_millis(5)).await;
        }
    }

    // Looking up.

    /// The session in a slot.
    pub fn at(&self, slot: Slot) -> Option<Rc<Session>> {
        self.0.table.borrow().get(slot.0 as usize).cloned()
    }

    /// The session with this id, if it lives here.
    pub fn get(&self, id: SessionId) -> Option<Rc<Session>> {
        let [a, b, c, d, ..] = *id.0.as_bytes();
        let slot = Slot(u32::from_be_bytes([a, b, c, d]) ^ self.0.id_mask);
        self.at(slot).filter(|session| session.id == id)
    }

    /// Every session of this shard.
    pub fn all(&self) -> Vec<Rc<Session>> {
        self.0.table.borrow().iter().map(|(_, session)| Rc::clone(session)).collect()
    }

    pub fn len(&self) -> usize {
        self.0.table.borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.table.borrow().is_empty()
    }

    /// Users that this shard owns and who have a session anywhere.
    pub fn users_len(&self) -> usize {
        self.0.users.borrow().len()
    }

    // The sessions of users.

    /// The sessions of a user anywhere, oldest first.
    pub fn of_user(
        &self,
        user: UserId,
        then: impl FnOnce(Result<Vec<SessionId>, Unanswered>) + 'static,
    ) {
        let owner = self.0.post.owner_of_user(user);
        let request = Request::User(users::Request::List { user });
        let then = move |reply: Result<Reply, Unanswered>| {
            then(reply.map(|Reply::User(users::Reply::Sessions(sessions))| sessions));
        };
        self.0.post.call(owner, request, Box::new(then));
    }

    /// Ends every session of a user, wherever they are.
    pub fn disconnect_user(&self, user: UserId, cause: CloseCause) {
        self.tell_owner(users::Request::Disconnect { user, cause });
    }

    /// Ends a session, wherever it is.
    pub fn disconnect(&self, session: SessionId, cause: CloseCause) {
        self.0.post.deliver(session.home(), Request::Close { session, cause });
    }

    /// Sends to every session there is, on all shards: encoded once for each format, one message a shard.
    pub fn send_to_all(&self, envelope: &Envelope) {
        let formats = Formats { json: true, protobuf: true };
        let frames = Arc::new(Outgoing::encode(envelope, formats));
        for shard in self.0.post.shards() {
            self.0.post.deliver(shard, Request::ToAll(ForAll(Arc::clone(&frames))));
        }
    }

    /// Hands a message to the sessions that are here now, some at a turn.
    fn hand_to_all(&self, frames: Arc<Outgoing>) {
        let sessions = self.all();
        runtime::spawn("send to all sessions", async move {
            for some in sessions.chunks(HANDED_PER_TURN) {
                for session in some {
                    if let Some(frame) = frames.get(session.format) {
                        session.send_frame(frame, Pace::Paced);
                    }
                }
                runtime::yield_now().await;
            }
        });
    }

    // For the shard.

    /// A message of another shard, or of this one to itself. `answer` is called for what is asked.
    pub fn handle(&self, request: Request, answer: impl FnOnce(Reply)) {
        match request {
            Request::Close { session, cause } => {
                if let Some(session) = self.get(session) {
                    session.close(cause);
                }
            }
            Request::User(request) => self.handle_user(&request, answer),
            Request::ToAll(ForAll(frames)) => self.hand_to_all(frames),
        }
    }

    fn handle_user(&self, request: &users::Request, answer: impl FnOnce(Reply)) {
        let inner = &*self.0;
        let closes = match *request {
            users::Request::Opened { user, session, alone } => {
                inner.users.borrow_mut().opened(user, session, alone)
            }
            users::Request::Closed { user, session } => {
                inner.users.borrow_mut().closed(user, session);
                return;
            }
            users::Request::Disconnect { user, cause } => {
                inner.users.borrow().disconnect(user, cause)
            }
            users::Request::List { user } => {
                let sessions = inner.users.borrow().sessions(user).to_vec();
                return answer(Reply::User(users::Reply::Sessions(sessions)));
            }
        };
        for users::Close { session, cause } in closes {
            self.disconnect(session, cause);
        }
    }

    fn tell_owner(&self, request: users::Request) {
        let owner = self.0.post.owner_of_user(request.user());
        self.0.post.deliver(owner, Request::User(request));
    }

    // For sessions.

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) fn counters(&self) -> &SessionCounters {
        &self.0.counters
    }

    pub(super) fn metrics(&self) -> &ShardMetrics {
        &self.0.metrics
    }

    pub(super) fn now_micros(&self) -> u64 {
        self.0.clock.monotonic_micros()
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.0.clock.monotonic_ms()
    }

    pub(super) fn unix_sec(&self) -> i64 {
        self.0.clock.unix_sec()
    }

    pub(super) fn random_uuid(&self) -> String {
        uuid::Builder::from_random_bytes(self.0.rng.bytes_16()).into_uuid().to_string()
    }

    pub(super) fn dispatch(&self) -> &dyn Dispatch {
        self.0.dispatch.get().expect("sessions are connected before the first one opens").as_ref()
    }

    fn presences(&self) -> &Presences {
        self.0.presences.get().expect("sessions are connected before the first one opens")
    }

    fn new_id(&self, slot: Slot) -> SessionId {
        let random = u128::from_be_bytes(self.0.rng.bytes_16()) >> 32;
        let prefix = u128::from(slot.0 ^ self.0.id_mask) << 96;
        SessionId::at(self.0.post.me(), prefix | random)
    }

    pub(super) fn arm(&self, session: &Session, at_ms: u64) {
        let target: Rc<dyn Target> = Rc::clone(&self.0) as Rc<dyn Target>;
        let token = token(session.id);
        session.timer.set(Some(self.0.timers.notify_coarsely_at(at_ms, target, token)));
    }
}

/// What a timer knows of its session: the slot, and enough of the id to tell it from the slot's next one.
fn token(id: SessionId) -> u64 {
    Uuid::as_u64_pair(&id.0).0
}

impl Target for Inner {
    fn fired(&self, timer: u64) {
        let slot = (timer >> 32) as u32 ^ self.id_mask;
        let session = self.table.borrow().get(slot as usize).cloned();
        let Some(session) = session.filter(|session| token(session.id) == timer) else { return };
        session.timer.set(None);
        if let Some(at_ms) = session.beat() {
            session.rearm(at_ms);
        }
    }
}

impl Sink for Sessions {
    fn send(&self, slot: Slot, frame: &WireFrame) -> Result<(), Slow> {
        match self.0.table.borrow().get(slot.0 as usize) {
            Some(session) => session.offer_frame(frame).map_err(|LineFull| Slow),
            None => Ok(()),
        }
    }
}

impl presence::Sessions for Sessions {
    fn slow(&self, slot: Slot) {
        if let Some(session) = self.at(slot) {
            session.close(CloseCause::OutgoingQueueFull);
        }
    }

    fn changed(&self, event: &StreamEvent) {
        if let Some(watch) = self.0.watch.get() {
            watch.changed(event);
        }
    }

    fn moved(&self, stream: &StreamId, moved: &Moved, count: usize) {
        if let Some(watch) = self.0.watch.get() {
            watch.moved(stream, moved, count);
        }
    }
}
