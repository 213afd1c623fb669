//! Sessions over a line that remembers what it was told, and a dispatch that the test steers.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use kakera_proto::realtime::{Envelope, Ping, envelope::Message};
use kakera_shards::{
    Address, NodeId, Rng, ShardId,
    runtime::{self, ExecutorConfig},
    socket::Pace,
};
use uuid::Uuid;

use super::*;
use crate::{
    config::Config,
    fanout::{Format, Sink, Slow},
    ids::{SessionId, StreamId, UserId},
    metrics::Metrics,
    net::WireFrame,
    presence::{self, Limits, Member, Moved, Presences, StreamEvent},
};

mod limits;

const HERE: Address = Address { node: NodeId(7), shard: ShardId(3) };

/// What a session did to its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Act {
    Sent(Vec<u8>),
    Ping,
    Close(u16, String),
    Pause,
    Resume,
}

#[derive(Clone, Default)]
struct FakeLine {
    acts: Rc<RefCell<Vec<Act>>>,
    full: Rc<Cell<bool>>,
}

impl FakeLine {
    fn take(&self) -> Vec<Act> {
        self.acts.take()
    }

    fn act(&self, act: Act) {
        self.acts.borrow_mut().push(act);
    }
}

impl Line for FakeLine {
    fn send(&self, frame: &WireFrame, _: Pace) -> Result<(), LineFull> {
        if self.full.get() {
            return Err(LineFull);
        }
        self.act(Act::Sent(frame.payload().to_vec()));
        Ok(())
    }

    fn ping(&self) {
        self.act(Act::Ping);
    }

    fn close(&self, status: u16, reason: &str) {
        self.act(Act::Close(status, reason.to_owned()));
    }

    fn pause(&self) {
        self.act(Act::Pause);
    }

    fn resume(&self) {
        self.act(Act::Resume);
    }
}

/// The only shard there is. What is posted waits until the test delivers it.
#[derive(Default)]
struct OneShard {
    posted: RefCell<Vec<Request>>,
    calls: RefCell<Vec<(Request, Then)>>,
}

impl Post for OneShard {
    fn me(&self) -> Address {
        HERE
    }

    fn owner_of_user(&self, _: UserId) -> Address {
        HERE
    }

    fn shards(&self) -> Vec<Address> {
        vec![HERE]
    }

    fn deliver(&self, to: Address, request: Request) {
        assert_eq!(to, HERE);
        self.posted.borrow_mut().push(request);
    }

    fn call(&self, _: Address, request: Request, then: Then) {
        self.calls.borrow_mut().push((request, then));
    }
}

/// Presence is not what is tested here: its owners are out of reach.
struct NoOwners;

impl presence::Post for NoOwners {
    fn me(&self) -> Address {
        HERE
    }

    fn owner_of(&self, _: &StreamId) -> Address {
        HERE
    }

    fn owner_of_user(&self, _: UserId) -> Address {
        HERE
    }

    fn shards(&self) -> Vec<Address> {
        vec![HERE]
    }

    fn cast(&self, _: Address, request: presence::Request) -> Result<(), presence::Request> {
        Err(request)
    }

    fn call(&self, _: Address, _: presence::Request, then: presence::Then) {
        then(Err(presence::PostError::Refused));
    }

    fn deliver(&self, _: Address, _: presence::Request, _: bool) -> bool {
        false
    }
}

/// Notes the envelopes whose turn it is. Those named in `slow` stay in flight until the test ends them.
#[derive(Default)]
struct Steered {
    handled: RefCell<Vec<String>>,
    refused: RefCell<Vec<String>>,
    slow: RefCell<Vec<String>>,
    turns: RefCell<Vec<Turn>>,
    ended: RefCell<Vec<SessionId>>,
}

impl Dispatch for Steered {
    fn payload(&self, session: &Rc<Session>, payload: &[u8]) {
        let cid = String::from_utf8_lossy(payload).into_owned();
        session.take_turn(Envelope { cid, message: Some(Message::Ping(Ping {})) });
    }

    fn refuse(&self, _: &Rc<Session>, payload: &[u8]) {
        self.refused.borrow_mut().push(String::from_utf8_lossy(payload).into_owned());
    }

    fn envelope(&self, session: &Rc<Session>, envelope: Envelope) {
        assert_ne!(envelope.cid, "panic", "on purpose");
        if self.slow.borrow().contains(&envelope.cid) {
            let turn = session.begin_turn();
            self.turns.borrow_mut().push(turn);
        }
        self.handled.borrow_mut().push(envelope.cid);
    }
}

impl Watch for Steered {
    fn changed(&self, _: &StreamEvent) {}
    fn moved(&self, _: &StreamId, _: &Moved, _: usize) {}
    fn ended(&self, session: SessionId) {
        self.ended.borrow_mut().push(session);
    }
}

struct World {
    sessions: Sessions,
    presences: Presences,
    post: Rc<OneShard>,
    dispatch: Rc<Steered>,
}

impl World {
    fn new(settings: Settings) -> Self {
        let post = Rc::new(OneShard::default());
        let board = runtime::counters().board().clone();
        let metrics = Metrics::new(&Config::default(), board);
        let metrics = Rc::new(metrics.shard(&runtime::counters(), ShardId(0)));
        let sessions = Sessions::new(post.clone(), settings, Rng::from_seed(1), metrics);
        let seen = Rc::new(sessions.clone());
        let presences = Presences::new(Rc::new(NoOwners), seen, Limits::default());
        let dispatch = Rc::new(Steered::default());
        sessions.connect(presences.clone(), dispatch.clone(), dispatch.clone());
        Self { sessions, presences, post, dispatch }
    }

    fn open(&self, user: u128) -> (Rc<Session>, FakeLine) {
        let line = FakeLine::default();
        let identity = Identity {
            user: UserId(Uuid::from_u128(user)),
            username: "someone".into(),
            vars: std::collections::BTreeMap::new(),
            token_id: "".into(),
            issued_at: 0,
            expires_at: i64::MAX,
            lang: "en".into(),
            client_ip: "".into(),
            client_port: "".into(),
        };
        let session = self.sessions.open(Format::Json, identity, Box::new(line.clone()));
        (session, line)
    }

    /// Handles what was posted, and what that posts.
    fn deliver(&self) {
        loop {
            let posted = self.post.posted.take();
            if posted.is_empty() {
                return;
            }
            for request in posted {
                self.sessions.handle(request, |_| {});
            }
        }
    }

    fn handled(&self) -> Vec<String> {
        self.dispatch.handled.take()
    }

    fn end_turn(&self) {
        let turn = self.dispatch.turns.borrow_mut().remove(0);
        drop(turn);
    }
}

fn settings() -> Settings {
    let keep_alive =
        KeepAlive { ping_period_ms: 15_000, pong_wait_ms: 25_000, ping_backoff_threshold: 20 };
    Settings {
        keep_alive,
        single_socket: false,
        sessions_max: 4,
        user_sessions_max: usize::MAX,
        message_limit: None,
    }
}

fn on_a_shard(test: impl AsyncFnOnce()) {
    runtime::block_on(&ExecutorConfig::default(), test()).expect("an executor starts");
}

fn say(session: &Session, texts: &[&str]) {
    for text in texts {
        session.message(Payload::Text(text));
    }
}

#[test]
fn what_arrives_before_the_session_is_announced_is_handled_after_it() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (session, _) = world.open(1);
        say(&session, &["a", "b"]);
        assert!(world.handled().is_empty());
        session.announced();
        assert_eq!(world.handled(), ["a", "b"]);
        assert_eq!(session.phase(), Phase::Open);
    });
}

#[test]
fn an_envelope_in_flight_holds_up_those_behind_it_and_no_other_session() {
    on_a_shard(async || {
        let world = World::new(settings());
        let ((one, _), (two, _)) = (world.open(1), world.open(2));
        one.announced();
        two.announced();
        world.dispatch.slow.borrow_mut().extend(["a".to_owned(), "c".to_owned()]);
        say(&one, &["a", "b", "c", "d"]);
        say(&two, &["x"]);
        assert_eq!(world.handled(), ["a", "x"]);
        world.end_turn();
        assert_eq!(world.handled(), ["b", "c"]);
        world.end_turn();
        assert_eq!(world.handled(), ["d"]);
    });
}

#[test]
fn a_panic_of_a_handler_ends_the_session_instead_of_leaving_it_mute() {
    on_a_shard(async || {
        let world = World::new(settings());
        let ended = [Act::Close(1000, "error processing message".to_owned())];
        let (session, line) = world.open(1);
        say(&session, &["panic", "b"]);
        let unwound = catch_unwind(AssertUnwindSafe(|| session.announced()));
        assert!(unwound.is_err() && session.phase() == Phase::Closing);
        assert_eq!(line.take(), ended);
        // So does that of a task which had an envelope in flight.
        let (session, line) = world.open(2);
        session.announced();
        world.dispatch.slow.borrow_mut().push("a".to_owned());
        say(&session, &["a", "b"]);
        let turn = world.dispatch.turns.borrow_mut().remove(0);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _turn = turn;
            panic!("on purpose");
        }));
        assert!(unwound.is_err() && session.phase() == Phase::Closing);
        assert_eq!(line.take(), ended);
        assert_eq!(world.handled(), ["a"]);
    });
}

#[test]
fn a_full_inbox_pauses_the_socket_until_half_of_it_is_handled() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (session, line) = world.open(1);
        session.announced();
        world.dispatch.slow.borrow_mut().push("a".to_owned());
        say(&session, &["a"]);
        for _ in 0..inbox::INBOX_LEN_MAX {
            say(&session, &["b"]);
        }
        assert_eq!(line.take(), [Act::Pause]);
        world.end_turn();
        assert_eq!(line.take(), [Act::Resume]);
        assert_eq!(world.handled().len(), 1 + inbox::INBOX_LEN_MAX);
    });
}

#[test]
fn a_frame_of_the_other_kind_closes_with_1000_and_nothing_is_handled_after_it() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (session, line) = world.open(1);
        session.announced();
        session.message(Payload::Binary(b"a"));
        say(&session, &["b"]);
        let reason = "received unexpected WebSocket message type".to_owned();
        assert_eq!(line.take(), [Act::Close(1000, reason)]);
        assert!(world.handled().is_empty());
        assert_eq!(world.presences.read_home(presence::Home::sessions_len), 0);
        assert_eq!(world.sessions.len(), 1, "the slot is taken until the socket is gone");
        session.line_gone(CloseCause::Gone);
        assert!(world.sessions.is_empty());
    });
}

#[test]
fn what_a_client_sent_before_it_went_is_handled_and_then_it_is_gone() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (session, line) = world.open(1);
        world.dispatch.slow.borrow_mut().extend(["a".to_owned(), "b".to_owned()]);
        say(&session, &["a", "b", "c"]);
        session.line_gone(CloseCause::Gone);
        session.announced();
        world.end_turn();
        assert_eq!(world.handled(), ["a", "b"]);
        assert_eq!((session.phase(), world.sessions.len()), (Phase::Open, 1));
        world.end_turn();
        assert_eq!(world.handled(), ["c"]);
        assert_eq!(session.phase(), Phase::Closed);
        assert!(world.sessions.is_empty());
        assert_eq!(world.presences.read_home(presence::Home::sessions_len), 0);
        assert_eq!(line.take(), []);
    });
}

#[test]
fn what_came_before_nonsense_is_handled_and_what_came_after_it_is_not() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (session, line) = world.open(1);
        session.announced();
        world.dispatch.slow.borrow_mut().push("a".to_owned());
        say(&session, &["a", "b"]);
        session.message(Payload::Binary(b"nonsense"));
        say(&session, &["c"]);
        assert_eq!(line.take(), []);
        world.end_turn();
        assert_eq!(world.handled(), ["a", "b"]);
        let reason = "received unexpected WebSocket message type".to_owned();
        assert_eq!(line.take(), [Act::Close(1000, reason)]);
        session.line_gone(CloseCause::Gone);
        assert!(world.sessions.is_empty());
    });
}

#[test]
fn a_server_that_closes_does_not_wait_for_what_was_sent() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (session, _) = world.open(1);
        session.announced();
        world.dispatch.slow.borrow_mut().push("a".to_owned());
        say(&session, &["a", "b"]);
        session.line_gone(CloseCause::Gone);
        session.close(CloseCause::Banned);
        assert_eq!(session.phase(), Phase::Closed);
        assert!(world.sessions.is_empty());
        world.end_turn();
        assert_eq!(world.handled(), ["a"]);
    });
}

#[test]
fn a_turn_that_ends_after_the_session_does_nothing() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (session, _) = world.open(1);
        session.announced();
        world.dispatch.slow.borrow_mut().push("a".to_owned());
        say(&session, &["a", "b"]);
        session.close(CloseCause::Disconnected);
        world.end_turn();
        assert_eq!(world.handled(), ["a"]);
        session.line_gone(CloseCause::Gone);
        drop(session);
        assert!(world.sessions.is_empty());
    });
}

#[test]
fn a_client_that_does_not_read_is_closed_and_a_delivery_is_not_disturbed() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (session, line) = world.open(1);
        session.announced();
        line.full.set(true);
        let frame = WireFrame::text(b"{}");
        assert_eq!(world.sessions.send(session.slot, &frame), Err(Slow));
        assert_eq!(session.phase(), Phase::Open, "the delivery goes on before the session closes");
        presence::Sessions::slow(&world.sessions, session.slot);
        assert_eq!(line.take(), [Act::Close(1000, "session outgoing queue full".to_owned())]);
        assert_eq!(world.sessions.send(session.slot, &frame), Ok(()), "it is told once");
    });
}

#[test]
fn a_single_socket_closes_the_older_one_with_a_notification() {
    on_a_shard(async || {
        let world = World::new(Settings { single_socket: true, ..settings() });
        let ((older, old_line), (other, other_line)) = (world.open(1), world.open(2));
        older.announced();
        other.announced();
        world.deliver();
        let (newer, new_line) = world.open(1);
        newer.announced();
        world.deliver();
        let acts = old_line.take();
        let [Act::Sent(farewell), Act::Close(1000, reason)] = &acts[..] else {
            panic!("not a farewell and a close: {acts:?}");
        };
        let farewell: serde_json::Value = serde_json::from_slice(farewell).unwrap();
        let notification = &farewell["notifications"]["notifications"][0];
        assert_eq!(
            (&notification["code"], &notification["subject"]),
            (&(-7).into(), &"single_socket".into())
        );
        assert_eq!(reason, "server-side session disconnect");
        assert!(new_line.take().is_empty() && other_line.take().is_empty());
    });
}

#[test]
fn a_ban_closes_all_sessions_of_the_user_and_the_registry_forgets_them() {
    on_a_shard(async || {
        let world = World::new(settings());
        let ((one, _), (two, _), (other, _)) = (world.open(1), world.open(1), world.open(2));
        world.deliver();
        world.sessions.disconnect_user(UserId(Uuid::from_u128(1)), CloseCause::Banned);
        world.deliver();
        let phases = [&one, &two, &other].map(|session| session.phase());
        assert_eq!(phases, [Phase::Closing, Phase::Closing, Phase::Opening]);
        let listed = Rc::new(RefCell::new(None));
        let heard = Rc::clone(&listed);
        world.sessions.of_user(UserId(Uuid::from_u128(1)), move |sessions| {
            *heard.borrow_mut() = Some(sessions);
        });
        let (request, then) = world.post.calls.borrow_mut().remove(0);
        world.sessions.handle(request, |reply| then(Ok(reply)));
        assert_eq!(listed.take(), Some(Ok(vec![])));
    });
}

#[test]
fn an_id_leads_to_its_session_and_to_no_later_one_in_the_same_slot() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (first, _) = world.open(1);
        let id = first.id;
        assert_eq!(id.home(), HERE);
        assert!(world.sessions.get(id).is_some_and(|found| Rc::ptr_eq(&found, &first)));
        first.line_gone(CloseCause::Gone);
        let (second, _) = world.open(1);
        assert_eq!(second.slot, first.slot);
        assert!(world.sessions.get(id).is_none());
        let foreign = SessionId(Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"elsewhere"));
        assert!(world.sessions.get(foreign).is_none());
    });
}

#[test]
fn a_draining_shard_says_goodbye_and_lets_nobody_in() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (session, line) = world.open(1);
        session.announced();
        world.sessions.drain();
        assert_eq!(line.take(), [Act::Close(1001, "server shutting down".to_owned())]);
        assert_eq!(world.sessions.may_open(), Err(Refused::Draining));
        let (late, _) = world.open(2);
        assert_eq!(late.phase(), Phase::Closing, "a handshake that was under way is closed too");
        session.line_gone(CloseCause::Gone);
        late.line_gone(CloseCause::Gone);
        world.sessions.drained().await;
    });
}

#[test]
fn a_full_shard_refuses_the_handshake() {
    on_a_shard(async || {
        let world = World::new(Settings { sessions_max: 1, ..settings() });
        assert_eq!(world.sessions.may_open(), Ok(()));
        let (session, _) = world.open(1);
        assert_eq!(world.sessions.may_open(), Err(Refused::Full));
        session.line_gone(CloseCause::Gone);
        assert_eq!(world.sessions.may_open(), Ok(()));
    });
}

#[test]
fn a_silent_client_is_pinged_and_then_closed() {
    on_a_shard(async || {
        let keep_alive =
            KeepAlive { ping_period_ms: 100, pong_wait_ms: 400, ping_backoff_threshold: 20 };
        let world = World::new(Settings { keep_alive, ..settings() });
        let ((silent, silent_line), (alive, alive_line)) = (world.open(1), world.open(2));
        silent.announced();
        alive.announced();
        // Timers are coarse: each may come up to 128 ms late.
        for _ in 0..12 {
            runtime::sleep(std::time::Duration::from_millis(70)).await;
            if alive_line.take().contains(&Act::Ping) {
                alive.pong();
            }
        }
        assert_eq!(
            silent_line.take(),
            [Act::Ping, Act::Close(1000, "no pong received in time".to_owned())]
        );
        assert_eq!(alive.phase(), Phase::Open);
    });
}

#[test]
fn a_member_is_shown_as_the_token_names_it() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (session, _) = world.open(5);
        let member: Member = world.presences.member(session.slot).expect("it has opened");
        assert_eq!((member.session, &*member.username), (session.id, "someone"));
    });
}
