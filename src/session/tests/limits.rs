//! What a session and a user may not do without end, and who is told of their lives.

use super::*;
use crate::flood::{Limit, Rate};

/// Two messages at once, then one in a quarter of an hour; the fourth refusal is one too many.
fn limited() -> Settings {
    let rate = Rate::new(1, 2).expect("a rate");
    Settings { message_limit: Some(Limit { rate, refusals_max: 3 }), ..settings() }
}

#[test]
fn messages_over_the_limit_are_refused_and_without_end_they_cost_the_session() {
    on_a_shard(async || {
        let world = World::new(limited());
        let ((one, line), (two, _)) = (world.open(1), world.open(2));
        one.announced();
        two.announced();
        say(&one, &["a", "b", "c", "d"]);
        say(&two, &["x"]);
        assert_eq!(world.handled(), ["a", "b", "x"], "each session has a limit of its own");
        assert_eq!(world.dispatch.refused.take(), ["c", "d"]);
        assert!(line.take().is_empty(), "the connection stays");
        say(&one, &["e", "f", "g"]);
        assert_eq!(world.dispatch.refused.take(), ["e"], "past the end nobody is answered");
        assert_eq!(line.take(), [Act::Close(1008, "too many messages".to_owned())]);
        assert_eq!(world.handled(), Vec::<String>::new());
        let board = runtime::counters().board().clone();
        assert_eq!(board.sum("flood_messages_refused"), 4);
        assert_eq!(board.sum("flood_sessions_closed"), 1);
    });
}

#[test]
fn a_session_too_many_closes_the_users_oldest() {
    on_a_shard(async || {
        let world = World::new(Settings { user_sessions_max: 1, ..settings() });
        let ((first, first_line), (other, _)) = (world.open(1), world.open(2));
        first.announced();
        world.deliver();
        assert_eq!(first.phase(), Phase::Open);
        let (second, _) = world.open(1);
        world.deliver();
        let reason = "too many sessions of this user".to_owned();
        assert_eq!(first_line.take(), [Act::Close(1008, reason)]);
        assert!(second.phase().speaks() && other.phase().speaks());
        assert_eq!(runtime::counters().board().sum("sessions_over_user_bound"), 1);
    });
}

#[test]
fn a_message_that_was_too_large_is_counted() {
    on_a_shard(async || {
        let world = World::new(settings());
        let (session, _) = world.open(1);
        session.announced();
        session.line_gone(CloseCause::Oversize);
        assert_eq!(session.phase(), Phase::Closed);
        assert_eq!(runtime::counters().board().sum("sessions_oversize"), 1);
    });
}

#[test]
fn a_refused_handshake_is_counted() {
    on_a_shard(async || {
        let world = World::new(Settings { sessions_max: 0, ..settings() });
        assert_eq!(world.sessions.may_open(), Err(Refused::Full));
        assert_eq!(runtime::counters().board().sum("sessions_refused"), 1);
    });
}

#[derive(Default)]
struct Diary(RefCell<Vec<(SessionId, Change)>>);

impl LifeWatch for Diary {
    fn happened(&self, event: SessionEvent) {
        assert_eq!(event.identity.user, UserId(Uuid::from_u128(1)));
        self.0.borrow_mut().push((event.session, event.change));
    }
}

#[test]
fn each_session_is_told_to_begin_and_to_end_once() {
    on_a_shard(async || {
        let world = World::new(settings());
        let diary = Rc::new(Diary::default());
        world.sessions.watch_life(diary.clone());
        let (one, _) = world.open(1);
        let (two, _) = world.open(1);
        one.announced();
        one.close(CloseCause::Banned);
        one.line_gone(CloseCause::Gone);
        two.line_gone(CloseCause::Gone);
        let expected = [
            (one.id, Change::Started),
            (two.id, Change::Started),
            (one.id, Change::Ended(CloseCause::Banned)),
            (two.id, Change::Ended(CloseCause::Gone)),
        ];
        assert_eq!(diary.0.take(), expected);
        assert_eq!(world.dispatch.ended.take(), [one.id, two.id]);
    });
}

#[test]
fn a_message_for_all_reaches_every_session_once() {
    on_a_shard(async || {
        let world = World::new(Settings { sessions_max: 1000, ..settings() });
        let opened: Vec<_> = (0..600).map(|n| world.open(n)).collect();
        for (session, _) in &opened {
            session.announced();
        }
        let (gone, gone_line) = &opened[0];
        gone.close(CloseCause::Disconnected);
        gone_line.take();
        world.deliver();
        world.sessions.send_to_all(&Envelope { cid: "x".to_owned(), message: None });
        world.deliver();
        runtime::sleep(std::time::Duration::from_millis(20)).await;
        assert!(gone_line.take().is_empty());
        for (_, line) in &opened[1..] {
            let acts = line.take();
            assert!(matches!(acts.as_slice(), [Act::Sent(text)] if text == br#"{"cid":"x"}"#));
        }
    });
}
