use std::collections::{BTreeMap, BTreeSet};

use kakera_shards::{NodeId, ShardId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{fanout::Format, ids::UserId};

fn shard(number: u16) -> Address {
    Address { node: NodeId(1), shard: ShardId(number) }
}

fn session(number: u16) -> SessionId {
    SessionId::at(shard(number % 3), u128::from(number) << 64)
}

fn presence(number: u16, join: u64) -> Presence {
    Presence {
        session: session(number),
        user: UserId(Uuid::from_u128(u128::from(number))),
        username: Arc::from("ann"),
        format: if number.is_multiple_of(2) { Format::Json } else { Format::Protobuf },
        hidden: false,
        persistence: false,
        status: None,
        reason: Reason::Join,
        join: JoinCounter(join),
    }
}

fn room() -> StreamId {
    StreamId::room("lobby")
}

fn join(owner: &mut Owner, number: u16, counter: u64) -> Joined {
    owner.enter(&room(), &Arc::new(presence(number, counter)), Entry::Join).expect("joins")
}

fn leave(owner: &mut Owner, number: u16, counter: u64) -> bool {
    owner.leave(&room(), session(number), JoinCounter(counter), Reason::Leave)
}

fn sessions<'a>(presences: impl IntoIterator<Item = &'a Arc<Presence>>) -> Vec<SessionId> {
    presences.into_iter().map(|presence| presence.session).collect()
}

#[test]
fn a_second_join_changes_nothing_and_shows_oneself() {
    let mut owner = Owner::default();
    assert!(join(&mut owner, 1, 1).new);
    assert_eq!(owner.end_turn().len(), 1);
    let again = join(&mut owner, 1, 1);
    assert!(!again.new);
    assert_eq!(sessions(&again.presences), [session(1)]);
    assert_eq!(owner.end_turn(), []);
    assert_eq!(owner.presences_len(), 1);
}

#[test]
fn joins_of_one_turn_are_one_event_and_in_no_snapshot() {
    let mut owner = Owner::default();
    join(&mut owner, 1, 1);
    assert!(join(&mut owner, 2, 1).presences.is_empty());
    let events = owner.end_turn();
    assert_eq!(events.len(), 1);
    assert_eq!(sessions(&events[0].joins), [session(1), session(2)]);
    assert_eq!(sessions(&join(&mut owner, 3, 1).presences), [session(1), session(2)]);
}

#[test]
fn who_came_and_went_in_one_turn_is_never_heard_of() {
    let mut owner = Owner::default();
    join(&mut owner, 1, 1);
    owner.end_turn();
    join(&mut owner, 2, 1);
    leave(&mut owner, 2, 1);
    assert_eq!(owner.end_turn(), []);
    assert_eq!(owner.count(&room()), 1);
}

#[test]
fn a_late_leave_does_not_end_a_later_join() {
    let mut owner = Owner::default();
    join(&mut owner, 1, 1);
    owner.end_turn();
    assert!(join(&mut owner, 1, 2).new);
    assert!(!leave(&mut owner, 1, 1));
    assert_eq!(owner.count(&room()), 1);
    let events = owner.end_turn();
    assert_eq!((events[0].leaves.len(), events[0].joins.len()), (1, 1));
    assert_eq!(events[0].leaves[0].presence.join, JoinCounter(1));
    assert!(leave(&mut owner, 1, 2));
}

#[test]
fn a_late_join_does_not_undo_a_later_one() {
    let mut owner = Owner::default();
    join(&mut owner, 1, 2);
    assert!(!join(&mut owner, 1, 1).new);
    assert_eq!(owner.find(&room(), session(1)).expect("is there").join, JoinCounter(2));
}

#[test]
fn an_update_leaves_and_joins_in_one_event() {
    let mut owner = Owner::default();
    join(&mut owner, 1, 1);
    owner.end_turn();
    let busy = Presence { status: Some(Arc::from("busy")), ..presence(1, 1) };
    let updated = owner.enter(&room(), &Arc::new(busy), Entry::Update).expect("updates");
    assert!(!updated.new);
    let events = owner.end_turn();
    assert_eq!(events[0].leaves[0].reason, Reason::Update);
    assert_eq!(events[0].joins[0].status.as_deref(), Some("busy"));
    assert_eq!(owner.presences_len(), 1);
}

#[test]
fn hidden_presences_are_counted_and_reached_but_never_announced() {
    let mut owner = Owner::default();
    let hidden = Arc::new(Presence { hidden: true, ..presence(1, 1) });
    owner.enter(&room(), &hidden, Entry::Join).expect("joins");
    assert!(!owner.is_dirty());
    assert_eq!(owner.count(&room()), 1);
    assert!(!owner.is_visible(&room()));
    assert_eq!(owner.homes(&room()).len(), 1);
    assert!(join(&mut owner, 2, 1).presences.is_empty());
    assert_eq!(sessions(&owner.list(&room(), true, false)), [session(1)]);
    owner.end_turn();
    leave(&mut owner, 1, 1);
    assert_eq!(owner.end_turn(), []);
}

#[test]
fn showing_oneself_is_a_join_and_hiding_a_leave() {
    let mut owner = Owner::default();
    let hidden = Arc::new(Presence { hidden: true, ..presence(1, 1) });
    let shown = Arc::new(presence(1, 1));
    owner.enter(&room(), &hidden, Entry::Join).expect("joins");
    owner.enter(&room(), &shown, Entry::Update).expect("updates");
    let events = owner.end_turn();
    assert_eq!((events[0].joins.len(), events[0].leaves.len()), (1, 0));
    owner.enter(&room(), &hidden, Entry::Update).expect("updates");
    let events = owner.end_turn();
    assert_eq!((events[0].joins.len(), events[0].leaves.len()), (0, 1));
}

#[test]
fn only_who_is_there_lets_others_join_what_must_exist() {
    let mut owner = Owner::default();
    let try_join = |owner: &mut Owner, number| {
        owner.enter(&room(), &Arc::new(presence(number, 1)), Entry::JoinExisting).map(|j| j.new)
    };
    assert_eq!(try_join(&mut owner, 1), Err(JoinError::NotFound));
    assert_eq!(owner.streams_len(), 0);
    join(&mut owner, 2, 1);
    assert_eq!(try_join(&mut owner, 1), Ok(true));
    owner.end_turn();
    leave(&mut owner, 1, 1);
    leave(&mut owner, 2, 1);
    // The event of the leaves is still due.
    assert_eq!(try_join(&mut owner, 3), Err(JoinError::NotFound));
}

#[test]
fn a_full_stream_and_a_full_shard_refuse_and_keep_nothing() {
    let mut owner = Owner::new(OwnerLimits { streams_max: 1, stream_presences_max: 2 });
    join(&mut owner, 1, 1);
    join(&mut owner, 2, 1);
    let third = owner.enter(&room(), &Arc::new(presence(3, 1)), Entry::Join);
    assert_eq!(third, Err(JoinError::StreamFull));
    let den = StreamId::room("den");
    let other = owner.enter(&den, &Arc::new(presence(3, 1)), Entry::Join);
    assert_eq!(other, Err(JoinError::StreamsFull));
    assert_eq!((owner.streams_len(), owner.presences_len()), (1, 2));
}

#[test]
fn a_user_may_have_more_followers_than_a_stream_members() {
    let mut owner = Owner::new(OwnerLimits { streams_max: 1, stream_presences_max: 2 });
    let followers = StreamId::followers(UserId(Uuid::from_u128(1)));
    for number in 0..5 {
        let follower = Arc::new(presence(number, 1));
        owner.enter(&followers, &follower, Entry::Join).unwrap();
    }
    assert_eq!(owner.count(&followers), 5);
}

#[test]
fn a_closed_stream_tells_shards_and_nobody_else() {
    let mut owner = Owner::default();
    join(&mut owner, 1, 1);
    join(&mut owner, 2, 1);
    assert_eq!(owner.close(&room()).len(), 2);
    assert_eq!(owner.end_turn(), []);
    assert_eq!((owner.streams_len(), owner.presences_len()), (0, 0));
}

#[test]
fn the_sessions_of_a_lost_shard_are_disconnected() {
    let mut owner = Owner::default();
    for number in 0..6 {
        join(&mut owner, number, 1);
    }
    owner.end_turn();
    let lost = owner.lose(shard(1));
    assert_eq!(lost.len(), 2);
    let events = owner.end_turn();
    assert_eq!(events.len(), 1);
    assert!(events[0].leaves.iter().all(|left| left.reason == Reason::Disconnect));
    assert_eq!(events[0].leaves.len(), 2);
    assert!(owner.homes(&room()).iter().all(|home| home.address != shard(1)));
}

#[test]
fn events_with_joins_come_before_those_without() {
    let mut owner = Owner::default();
    join(&mut owner, 1, 1);
    owner.end_turn();
    leave(&mut owner, 1, 1);
    let den = StreamId::room("den");
    owner.enter(&den, &Arc::new(presence(1, 2)), Entry::Join).expect("joins");
    let events: Vec<_> = owner.end_turn().into_iter().map(|event| event.stream).collect();
    assert_eq!(events, [den, room()]);
}

#[derive(Clone, Debug)]
enum Step {
    Enter { session: u16, newer: bool, hidden: bool, update: bool },
    Leave { session: u16, late: bool },
    EndTurn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..60_u16, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(session, newer, hidden, update)| Step::Enter { session, newer, hidden, update }
        ),
        3 => (0..60_u16, any::<bool>()).prop_map(|(session, late)| Step::Leave { session, late }),
        2 => Just(Step::EndTurn),
    ];
    proptest::collection::vec(step, 1..300)
}

proptest! {
    /// Against a map of sessions, and an observer who only hears events.
    #[test]
    fn the_owner_agrees_with_a_map_and_so_does_who_listens(steps in steps()) {
        let mut owner = Owner::default();
        let mut model: BTreeMap<u16, Presence> = BTreeMap::new();
        let mut counters: BTreeMap<u16, u64> = BTreeMap::new();
        let mut heard: BTreeSet<SessionId> = BTreeSet::new();
        let mut kept: Vec<(Snapshot, Vec<Arc<Presence>>)> = Vec::new();
        for step in steps {
            match step {
                Step::Enter { session, newer, hidden, update } => {
                    let counter = counters.entry(session).or_insert(1);
                    *counter += u64::from(newer);
                    let wanted = Presence { hidden, ..presence(session, *counter) };
                    let entry = if update { Entry::Update } else { Entry::Join };
                    let joined = owner.enter(&room(), &Arc::new(wanted.clone()), entry).unwrap();
                    let known = model.get(&session);
                    prop_assert_eq!(joined.new, known.is_none_or(|k| k.join < wanted.join));
                                        let mut shown: Vec<_> = joined.presences.iter().cloned().collect();
                    shown.sort_by_key(|presence| presence.session);
                    let mut expected: Vec<_> = owner.snapshot(&room()).cloned().collect();
                    expected.sort_by_key(|presence| presence.session);
                    prop_assert_eq!(&shown, &expected);
                    kept.push((joined.presences.clone(), joined.presences.iter().cloned().collect()));
                    if joined.new || update {
                        model.insert(session, wanted);
                    }
                }
                Step::Leave { session, late } => {
                    let counter = counters.get(&session).copied().unwrap_or(1) - u64::from(late);
                    let ends = model.get(&session).is_some_and(|k| k.join.0 <= counter);
                    prop_assert_eq!(leave(&mut owner, session, counter), ends);
                    if ends {
                        model.remove(&session);
                    }
                }
                Step::EndTurn => {
                    for event in owner.end_turn() {
                        for left in &event.leaves {
                            prop_assert!(heard.remove(&left.presence.session), "left unheard of");
                        }
                        for joined in &event.joins {
                            prop_assert!(heard.insert(joined.session), "joined twice");
                        }
                    }
                    let shown = model.values().filter(|p| !p.hidden).map(|p| p.session);
                    prop_assert_eq!(&heard, &shown.collect());
                }
            }
            let list: BTreeSet<_> = sessions(&owner.list(&room(), true, true)).into_iter().collect();
            prop_assert_eq!(list, model.values().map(|p| p.session).collect());
            let snapshot: BTreeSet<_> = sessions(owner.snapshot(&room())).into_iter().collect();
            prop_assert!(snapshot.is_subset(&heard));
            prop_assert_eq!(owner.count(&room()), model.len());
            prop_assert_eq!(owner.presences_len(), model.len());
            let mut homes: BTreeMap<Address, (bool, bool, u32)> = BTreeMap::new();
            for presence in model.values() {
                let home = homes.entry(presence.session.home()).or_default();
                home.0 |= presence.format == Format::Json;
                home.1 |= presence.format == Format::Protobuf;
                home.2 += 1;
            }
            let counted = owner.homes(&room()).iter().map(|home| {
                (home.address, (home.formats().json, home.formats().protobuf, home.members()))
            });
            prop_assert_eq!(counted.collect::<BTreeMap<_, _>>(), homes);
        }
        for (snapshot, was) in kept {
            prop_assert!(snapshot.iter().eq(was.iter()), "a snapshot changed after it was taken");
        }
    }
}
