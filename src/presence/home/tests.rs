use kakera_shards::{Address, NodeId, ShardId};
use uuid::Uuid;

use super::*;

fn member(number: u128) -> Member {
    let home = Address { node: NodeId(1), shard: ShardId(0) };
    Member {
        session: SessionId::at(home, number << 64),
        user: UserId(Uuid::from_u128(number)),
        username: Arc::from("ann"),
        format: Format::Json,
    }
}

fn home_with_one() -> (Home, Slot) {
    let mut home = Home::default();
    home.open(Slot(3), member(1));
    (home, Slot(3))
}

fn room(name: &str) -> StreamId {
    StreamId::room(name)
}

fn begin(home: &mut Home, slot: Slot, stream: &StreamId) -> Join {
    home.begin_join(slot, stream, JoinOptions::default()).expect("may join")
}

#[test]
fn a_session_is_a_member_from_the_answer_to_the_leave() {
    let (mut home, slot) = home_with_one();
    let join = begin(&mut home, slot, &room("a"));
    assert_eq!(home.membership(slot, &room("a")), None);
    assert!(home.local().is_empty());
    assert_eq!(home.install(&join), Ok(slot));
    assert!(home.membership(slot, &room("a")).is_some());
    assert_eq!(home.local().slots(&room("a")), [slot]);
    let leave = home.leave(slot, &room("a")).expect("was there");
    assert_eq!(leave.join, join.presence.join);
    assert!(home.local().is_empty());
    assert!(home.leave(slot, &room("a")).is_none());
}

#[test]
fn an_answer_that_comes_after_the_leave_makes_no_member() {
    let (mut home, slot) = home_with_one();
    let first = begin(&mut home, slot, &room("a"));
    home.leave(slot, &room("a")).expect("was joining");
    assert_eq!(home.install(&first), Err(JoinError::Left));
    let second = begin(&mut home, slot, &room("a"));
    assert!(second.presence.join > first.presence.join);
    assert_eq!(home.install(&first), Err(JoinError::Left));
    assert_eq!(home.install(&second), Ok(slot));
}

#[test]
fn an_answer_for_a_closed_session_does_not_reach_its_successor_in_the_slot() {
    let (mut home, slot) = home_with_one();
    let join = begin(&mut home, slot, &room("a"));
    assert_eq!(home.close(slot, Reason::Disconnect).len(), 1);
    home.open(slot, member(2));
    assert_eq!(home.install(&join), Err(JoinError::Left));
    assert!(home.local().is_empty());
}

#[test]
fn closing_ends_every_membership_and_follow() {
    let (mut home, slot) = home_with_one();
    for stream in [room("a"), room("b"), StreamId::followers(UserId(Uuid::from_u128(9)))] {
        let join = begin(&mut home, slot, &stream);
        home.install(&join).expect("installs");
    }
    begin(&mut home, slot, &room("c"));
    let leaves = home.close(slot, Reason::Disconnect);
    assert_eq!(leaves.len(), 4);
    assert!(leaves.iter().all(|leave| leave.reason == Reason::Disconnect));
    assert_eq!((home.sessions_len(), home.memberships_len()), (0, 0));
    assert!(home.local().is_empty());
    assert!(home.close(slot, Reason::Disconnect).is_empty());
}

#[test]
fn a_session_joins_and_follows_no_more_than_it_may() {
    let mut home = Home::new(HomeLimits { session_streams_max: 1, session_follows_max: 1 });
    home.open(Slot(0), member(1));
    let followed = |number| StreamId::followers(UserId(Uuid::from_u128(number)));
    begin(&mut home, Slot(0), &room("a"));
    begin(&mut home, Slot(0), &followed(8));
    let mut refused =
        |stream: &StreamId| home.begin_join(Slot(0), stream, JoinOptions::default()).unwrap_err();
    assert_eq!(refused(&room("b")), JoinError::SessionFull);
    assert_eq!(refused(&followed(9)), JoinError::FollowsFull);
    // What it has, it may ask for again.
    begin(&mut home, Slot(0), &room("a"));
    assert_eq!(home.memberships_len(), 2);
}

#[test]
fn a_join_that_failed_for_sure_is_forgotten_and_one_in_doubt_is_taken_back() {
    let (mut home, slot) = home_with_one();
    let refused = begin(&mut home, slot, &room("a"));
    assert!(home.abandon(&refused, false).is_none());
    let lost = begin(&mut home, slot, &room("a"));
    assert_eq!(home.abandon(&lost, true).map(|leave| leave.join), Some(lost.presence.join));
    assert_eq!(home.memberships_len(), 0);
}

#[test]
fn a_failed_join_leaves_room_for_another_that_is_under_way() {
    let (mut home, slot) = home_with_one();
    let first = begin(&mut home, slot, &room("a"));
    let second = begin(&mut home, slot, &room("a"));
    assert!(home.abandon(&first, true).is_none());
    assert_eq!(home.install(&second), Ok(slot));
    // And a failed second join does not cost what the first achieved.
    let third = begin(&mut home, slot, &room("a"));
    assert!(home.abandon(&third, true).is_none());
    assert!(home.membership(slot, &room("a")).is_some());
}

#[test]
fn the_last_of_several_failed_joins_takes_back_what_any_of_them_left_in_doubt() {
    let (mut home, slot) = home_with_one();
    let first = begin(&mut home, slot, &room("a"));
    let second = begin(&mut home, slot, &room("a"));
    assert!(home.abandon(&first, true).is_none());
    assert!(home.abandon(&second, false).is_some());
}

#[test]
fn a_member_may_ask_again_for_what_must_exist() {
    let (mut home, slot) = home_with_one();
    let options = JoinOptions { entry: Entry::JoinExisting, ..JoinOptions::default() };
    let first = home.begin_join(slot, &room("a"), options.clone()).expect("may join");
    assert_eq!(first.entry, Entry::JoinExisting);
    home.install(&first).expect("installs");
    let again = home.begin_join(slot, &room("a"), options).expect("may join");
    assert_eq!(again.entry, Entry::Join);
}

#[test]
fn a_closed_stream_has_no_members_but_those_who_join_after() {
    let (mut home, slot) = home_with_one();
    home.open(Slot(5), member(2));
    let early = begin(&mut home, slot, &room("a"));
    home.install(&early).expect("installs");
    let late = begin(&mut home, Slot(5), &room("a"));
    let leaves = home.closed(&room("a"));
    assert_eq!(leaves.len(), 1);
    assert_eq!(home.membership(slot, &room("a")), None);
    assert_eq!(home.install(&late), Ok(Slot(5)));
}

#[test]
fn an_update_changes_whether_messages_are_to_be_stored_and_a_second_join_does_not() {
    let (mut home, slot) = home_with_one();
    let join = begin(&mut home, slot, &room("a"));
    home.install(&join).expect("installs");
    let stored = JoinOptions { persistence: true, ..JoinOptions::default() };
    let again = home.begin_join(slot, &room("a"), stored.clone()).expect("may join");
    home.install(&again).expect("installs");
    assert!(!home.membership(slot, &room("a")).expect("is there").persistence);
    let update = JoinOptions { entry: Entry::Update, ..stored };
    let update = home.begin_join(slot, &room("a"), update).expect("may update");
    home.install(&update).expect("installs");
    assert!(home.membership(slot, &room("a")).expect("is there").persistence);
}
