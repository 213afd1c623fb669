use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use kakera_proto::realtime::{
    Status, StatusFollow, StatusPresenceEvent, StatusUnfollow, envelope::Message,
};
use uuid::Uuid;

use super::*;
use crate::{
    error::RealtimeCode,
    fanout::{Format, Slot},
    ids::{SessionId, StreamId, UserId},
    presence::{
        JoinOptions, Reason,
        tests::net::{Faults, Net},
    },
};

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

/// Users 1, 2 and 3, each on a shard of its own.
struct Town {
    net: Net,
    statuses: Vec<Statuses>,
    slots: Vec<Slot>,
}

impl Town {
    fn new() -> Self {
        let net = Net::new(3, 3, Faults::default());
        let (mut statuses, mut slots) = (Vec::new(), Vec::new());
        for (index, shard) in net.shards.iter().enumerate() {
            let number = index as u128 + 1;
            statuses.push(Statuses::new(shard.presences.clone()));
            let session = SessionId::at(shard.address, number << 64);
            let slot = shard.clients.open(session, user(number), Format::Protobuf);
            let options = JoinOptions { hidden: true, ..JoinOptions::default() };
            let stream = StreamId::notifications(user(number));
            shard.presences.join(slot, &stream, options, |_| ());
            slots.push(slot);
        }
        net.settle();
        Self { net, statuses, slots }
    }

    fn update(&self, number: usize, status: Option<&str>) -> Result<(), StatusError> {
        let got: Rc<RefCell<Option<Result<(), StatusError>>>> = Rc::default();
        let put = Rc::clone(&got);
        let slot = self.slots[number - 1];
        self.statuses[number - 1].update(slot, status, move |r| *put.borrow_mut() = Some(r));
        self.net.settle();
        got.borrow_mut().take().expect("was answered")
    }

    fn follow(&self, number: usize, users: &[UserId]) -> Status {
        let got: Rc<RefCell<Option<Status>>> = Rc::default();
        let put = Rc::clone(&got);
        let (slot, clients) = (self.slots[number - 1], &self.net.shards[number - 1].clients);
        let (clients, followed) = (Rc::clone(clients), users.to_vec());
        self.statuses[number - 1].follow(slot, users, move |status| {
            clients.with(slot, |client| client.follows.extend(followed));
            *put.borrow_mut() = Some(status.expect("follows"));
        });
        self.net.settle();
        got.borrow_mut().take().expect("was answered")
    }

    /// The texts of status events since the last look: those that came, and how many went.
    fn events(&self, number: usize) -> Vec<(Vec<String>, usize)> {
        let clients = &self.net.shards[number - 1].clients;
        let received =
            clients.with(self.slots[number - 1], |client| std::mem::take(&mut client.received));
        let event = |event: StatusPresenceEvent| {
            let texts = event.joins.into_iter().map(|p| p.status.unwrap_or_default());
            (texts.collect(), event.leaves.len())
        };
        let events = received.into_iter().filter_map(|envelope| match envelope.message {
            Some(Message::StatusPresenceEvent(status)) => Some(event(status)),
            _ => None,
        });
        events.collect()
    }
}

#[test]
fn a_follower_sees_who_is_online_and_what_changes() {
    let town = Town::new();
    town.update(2, Some("hello")).expect("updates");
    let status = town.follow(1, &[user(2), user(3)]);
    assert_eq!(status.presences.len(), 1);
    assert_eq!(status.presences[0].status.as_deref(), Some("hello"));
    assert_eq!(status.presences[0].username, "user-2");
    town.update(2, Some("busy")).expect("updates");
    town.update(3, Some("")).expect("updates");
    assert_eq!(town.events(1), [(vec!["busy".to_owned()], 1), (vec![String::new()], 0)]);
    town.update(2, None).expect("goes offline");
    assert_eq!(town.events(1), [(vec![], 1)]);
    let slot = town.slots[2];
    town.net.shards[2].presences.close(slot, Reason::Disconnect);
    town.net.shards[2].clients.close(slot);
    town.net.settle();
    assert_eq!(town.events(1), [(vec![], 1)]);
}

#[test]
fn ones_own_status_comes_unasked() {
    let town = Town::new();
    town.update(1, Some("mine")).expect("updates");
    assert_eq!(town.events(1), [(vec!["mine".to_owned()], 0)]);
}

#[test]
fn nobody_hears_of_whom_they_no_longer_follow() {
    let town = Town::new();
    town.follow(1, &[user(2)]);
    let unfollow = StatusUnfollow { user_ids: vec![user(2).to_string()] };
    town.statuses[0].unfollow(town.slots[0], &unfollow).expect("unfollows");
    town.update(2, Some("hello")).expect("updates");
    assert_eq!(town.events(1), []);
    let wrong = StatusUnfollow { user_ids: vec!["x".to_owned()] };
    assert_eq!(town.statuses[0].unfollow(town.slots[0], &wrong), Err(StatusError::UserId));
}

#[test]
fn a_status_has_at_most_2048_bytes() {
    let town = Town::new();
    assert_eq!(town.update(1, Some(&"x".repeat(2048))), Ok(()));
    let long = town.update(1, Some(&"x".repeat(2049))).expect_err("too long");
    assert_eq!((long, long.code()), (StatusError::StatusLength, RealtimeCode::BadInput));
}

#[test]
fn nobody_follows_oneself_or_the_system() {
    let town = Town::new();
    town.update(1, Some("mine")).expect("updates");
    assert_eq!(town.follow(1, &[user(1), UserId::NIL]).presences, []);
    assert_eq!(town.net.shards[0].presences.read_home(crate::presence::Home::memberships_len), 2);
}

#[test]
fn a_follow_is_read_once_per_user_and_without_oneself() {
    let follow = StatusFollow {
        user_ids: vec![user(2).to_string(), user(2).to_string(), user(1).to_string()],
        usernames: vec!["bob".into(), "ann".into(), "bob".into()],
    };
    let wanted = Wanted::read(user(1), "ann", follow).expect("is fine");
    assert_eq!(wanted.users, BTreeSet::from([user(2)]));
    assert_eq!(wanted.usernames, BTreeSet::from(["bob".to_owned()]));
    let me = StatusFollow { user_ids: vec![user(1).to_string()], usernames: vec!["ann".into()] };
    assert!(Wanted::read(user(1), "ann", me).expect("is fine").is_empty());
    let read = |user_ids: &[&str], usernames: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let follow = StatusFollow { user_ids: owned(user_ids), usernames: owned(usernames) };
        Wanted::read(user(1), "ann", follow)
    };
    assert_eq!(read(&["x"], &[]), Err(StatusError::UserId));
    assert_eq!(read(&[], &[""]), Err(StatusError::Username));
}

#[test]
fn who_is_online_is_known_across_shards() {
    let town = Town::new();
    town.update(2, Some("hello")).expect("updates");
    let got: Rc<RefCell<Vec<UserId>>> = Rc::default();
    let put = Rc::clone(&got);
    let asked = [user(1), user(2), user(3)];
    let presences = &town.net.shards[0].presences;
    presences.online(&asked, move |online| *put.borrow_mut() = online.expect("answered"));
    town.net.settle();
    assert_eq!(*got.borrow(), [user(2)]);
}
