//! Whoever is on a stream sees exactly who else is, however joins, leaves, disconnects and delays mix.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use kakera_proto::realtime::{Envelope, StreamData, UserPresence, envelope::Message};
use kakera_shards::{Rng, sim::check};
use uuid::Uuid;

use super::{
    client::{View, name, presence_event},
    net::{Faults, Net},
};
use crate::{
    fanout::{Audience, Format, Slot},
    ids::{SessionId, StreamId, StreamMode, UserId},
    presence::{Entry, JoinOptions, Presence, Reason, wire},
};

const USERS: u64 = 5;

/// A net, its clients, and what drives them.
struct World {
    net: Net,
    rng: Rng,
    sessions: u128,
    /// Every session that ever asked to join a stream, by the stream's name.
    ever: RefCell<BTreeSet<(String, String)>>,
}

fn user(number: u64) -> UserId {
    UserId(Uuid::from_u128(u128::from(number) + 1))
}

fn stream(number: u64) -> StreamId {
    match number {
        0 => StreamId::room("lobby"),
        1 => StreamId::room("den"),
        2 => StreamId::direct(user(0), user(1)),
        3 => StreamId::relayed_match(Uuid::from_u128(77)),
        _ => StreamId::new(StreamMode::from_wire(90), Uuid::from_u128(3), Uuid::nil(), "own"),
    }
}

impl World {
    fn new(shards: u16, seed: u64, faults: Faults) -> Self {
        let (rng, ever) = (Rng::from_seed(!seed), RefCell::default());
        Self { net: Net::new(shards, seed, faults), rng, sessions: 0, ever }
    }

    fn pick(&self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    fn act(&mut self) {
        let shard = self.pick(self.net.shards.len());
        let slots = self.net.shards[shard].clients.open_slots();
        if slots.is_empty() || self.rng.chance(0.08) {
            return self.open(shard);
        }
        let slot = slots[self.pick(slots.len())];
        let stream = stream(self.rng.below(5));
        match self.rng.below(100) {
            0..8 => self.close(shard, slot),
            8..35 => self.join(shard, slot, &stream, Entry::Join),
            35..40 => self.join(shard, slot, &stream, Entry::JoinExisting),
            40..48 => self.join(shard, slot, &stream, Entry::Update),
            48..66 => self.leave(shard, slot, &stream),
            66..76 => self.send(shard, slot, stream),
            76..82 => self.set_status(shard, slot),
            82..91 => self.follow(shard, slot),
            91..95 => self.unfollow(shard, slot),
            95 => drop(
                self.net.shards[shard].presences.remove_user(&stream, user(self.rng.below(USERS))),
            ),
            96 => self.net.shards[shard].presences.close_stream(stream, |_| ()),
            _ => self.untrack(shard, slot, stream),
        }
    }

    fn open(&mut self, shard: usize) {
        self.sessions += 1;
        let home = &self.net.shards[shard];
        let session = SessionId::at(home.address, self.sessions << 64);
        let format = if self.rng.chance(0.5) { Format::Json } else { Format::Protobuf };
        let user = user(self.rng.below(USERS));
        let slot = home.clients.open(session, user, format);
        let options = JoinOptions { hidden: true, ..JoinOptions::default() };
        home.presences.join(slot, &StreamId::notifications(user), options, |_| ());
    }

    fn close(&self, shard: usize, slot: Slot) {
        let home = &self.net.shards[shard];
        home.presences.close(slot, Reason::Disconnect);
        home.clients.close(slot);
    }

    fn join(&self, shard: usize, slot: Slot, stream: &StreamId, entry: Entry) {
        let home = &self.net.shards[shard];
        let clients = Rc::clone(&home.clients);
        let session = clients.with(slot, |client| client.session);
        let options = JoinOptions { entry, hidden: self.rng.chance(0.2), ..JoinOptions::default() };
        let stream = stream.clone();
        self.ever.borrow_mut().insert((name(&stream), session.to_string()));
        home.presences.join(slot, &stream.clone(), options, move |joined| {
            if let Ok(joined) = joined {
                clients.with_session(slot, session, |client| client.joined(&stream, &joined));
            }
        });
    }

    fn leave(&self, shard: usize, slot: Slot, stream: &StreamId) {
        let home = &self.net.shards[shard];
        home.presences.leave(slot, stream, || ());
        home.clients.with(slot, |client| client.left(stream));
    }

    /// Another shard takes the session off the stream; its client learns nothing of it.
    fn untrack(&self, shard: usize, slot: Slot, stream: StreamId) {
        let session = self.net.shards[shard].clients.with(slot, |client| client.session);
        let other = &self.net.shards[self.pick(self.net.shards.len())];
        other.presences.untrack(session, stream, |_| ());
    }

    fn send(&self, shard: usize, slot: Slot, stream: StreamId) {
        let home = &self.net.shards[shard];
        if stream.mode.to_wire() != Some(90) || home.presences.membership(slot, &stream).is_none() {
            return;
        }
        let session = home.clients.with(slot, |client| client.session);
        let audience = match self.rng.below(3) {
            0 => Audience::All,
            1 => Audience::Except(session),
            _ => {
                let clients = &self.net.shards[self.pick(self.net.shards.len())].clients;
                let slots = clients.open_slots();
                Audience::Only(
                    slots.iter().map(|slot| clients.with(*slot, |c| c.session)).collect(),
                )
            }
        };
        let data = StreamData { stream: Some(wire::stream(&stream)), ..StreamData::default() };
        let message = Some(Message::StreamData(data));
        home.presences.send_then(
            stream,
            audience,
            Envelope { cid: String::new(), message },
            |_| (),
        );
    }

    fn set_status(&self, shard: usize, slot: Slot) {
        let home = &self.net.shards[shard];
        let stream = StreamId::status(home.clients.with(slot, |client| client.user));
        if self.rng.chance(0.3) {
            return home.presences.leave(slot, &stream, || ());
        }
        let status = Some(Arc::from(format!("mood {}", self.rng.below(1000))));
        let options = JoinOptions { entry: Entry::Update, status, ..JoinOptions::default() };
        home.presences.join(slot, &stream, options, |_| ());
    }

    fn follow(&self, shard: usize, slot: Slot) {
        let home = &self.net.shards[shard];
        let (session, me) = home.clients.with(slot, |client| (client.session, client.user));
        let wanted: BTreeSet<_> =
            (0..self.rng.below(4)).map(|_| user(self.rng.below(USERS))).collect();
        let wanted: Vec<_> = wanted.into_iter().filter(|user| *user != me).collect();
        if home.clients.with(slot, |client| std::mem::replace(&mut client.following, true)) {
            return;
        }
        let clients = Rc::clone(&home.clients);
        home.presences.follow(slot, &wanted.clone(), move |online| {
            clients.with_session(slot, session, |client| {
                client.following = false;
                if let Ok(online) = online {
                    client.followed(&wanted, &online);
                }
            });
        });
    }

    fn unfollow(&self, shard: usize, slot: Slot) {
        let home = &self.net.shards[shard];
        let user = user(self.rng.below(USERS));
        if home.clients.with(slot, |client| client.following) {
            return;
        }
        home.presences.unfollow(slot, &[user]);
        home.clients.with(slot, |client| client.unfollowed(user));
    }

    /// Who is on the stream, as the sessions' homes know it.
    fn members(&self, stream: &StreamId) -> BTreeSet<String> {
        let mut there = BTreeSet::new();
        for home in &self.net.shards {
            for slot in home.clients.open_slots() {
                if home.presences.membership(slot, stream).is_some() {
                    there.insert(home.clients.with(slot, |c| c.session).to_string());
                }
            }
        }
        there
    }

    /// What the owner knows of the stream, which it shares with no other shard.
    fn owned(&self, stream: &StreamId) -> Vec<Arc<Presence>> {
        let shards = self.net.shards.iter();
        let lists =
            shards.map(|shard| shard.presences.read_owner(|owner| owner.list(stream, true, true)));
        let mut lists: Vec<_> = lists.filter(|list| !list.is_empty()).collect();
        assert!(lists.len() <= 1, "{stream:?} has one owner");
        let owned = lists.pop().unwrap_or_default();
        let sessions = owned.iter().map(|presence| presence.session.to_string()).collect();
        assert_eq!(
            self.members(stream),
            sessions,
            "who is on {stream:?}, and who the owner thinks is"
        );
        owned
    }

    /// Nobody was ever shown a session that never was on the stream.
    fn check_history(&self) {
        let ever = self.ever.borrow();
        let check = |name: &str, presences: &[UserPresence]| {
            for presence in presences {
                let known = ever.contains(&(name.to_owned(), presence.session_id.clone()));
                assert!(known, "{} was never on {name}", presence.session_id);
            }
        };
        for home in &self.net.shards {
            for slot in home.clients.open_slots() {
                home.clients.with(slot, |client| {
                    for envelope in &client.received {
                        if let Some((name, joins, leaves)) = presence_event(envelope) {
                            check(&name, joins);
                            check(&name, leaves);
                        }
                    }
                });
            }
        }
    }

    fn check(&self) {
        self.check_history();
        for number in 0..5 {
            self.check_stream(&stream(number));
        }
        for number in 0..USERS {
            self.check_status(user(number));
        }
    }

    fn check_stream(&self, stream: &StreamId) {
        let owned = self.owned(stream);
        let truth: BTreeSet<_> =
            owned.iter().filter(|p| !p.hidden).map(|p| p.session.to_string()).collect();
        for home in &self.net.shards {
            for slot in home.clients.open_slots() {
                if home.presences.membership(slot, stream).is_none() {
                    continue;
                }
                home.clients.with(slot, |client| {
                    let view: BTreeSet<_> = client.views[&name(stream)].keys().cloned().collect();
                    assert_eq!(truth, view, "what {} sees on {stream:?}", client.session);
                });
            }
        }
    }

    fn check_status(&self, user: UserId) {
        let stream = StreamId::status(user);
        let owned = self.owned(&stream);
        let online = owned.iter().map(|presence| {
            let status = presence.status.as_deref().unwrap_or_default().to_owned();
            (format!("{user}/{}", presence.session), status)
        });
        let online: View = online.collect();
        for home in &self.net.shards {
            for slot in home.clients.open_slots() {
                let follows = home.presences.membership(slot, &StreamId::followers(user));
                home.clients.with(slot, |client| {
                    assert_eq!(follows.is_some(), client.follows.contains(&user));
                    let view =
                        client.statuses.iter().filter(|(k, _)| k.starts_with(&user.to_string()));
                    let view: View = view.map(|(k, v)| (k.clone(), v.clone())).collect();
                    if follows.is_some() {
                        assert_eq!(
                            online, view,
                            "the status of {user} as {} sees it",
                            client.session
                        );
                    } else if client.user == user {
                        // One's own sessions come without a snapshot, so some may be missing.
                        assert!(view.iter().all(|(k, v)| online.get(k) == Some(v)));
                    } else {
                        assert!(view.is_empty());
                    }
                });
            }
        }
    }

    /// Everybody goes, and nothing stays behind.
    fn end(&self) {
        for (shard, home) in self.net.shards.iter().enumerate() {
            for slot in home.clients.open_slots() {
                self.close(shard, slot);
            }
        }
        self.net.settle();
        for shard in &self.net.shards {
            shard.presences.read_owner(|owner| {
                assert_eq!((owner.streams_len(), owner.presences_len()), (0, 0));
            });
            shard.presences.read_home(|home| {
                assert_eq!((home.sessions_len(), home.memberships_len()), (0, 0));
                assert!(home.local().is_empty());
            });
            assert!(!shard.presences.owes());
        }
    }
}

/// Drives a world by a seed, checks every view, and yields what went wrong on the way: requests refused,
/// calls unanswered.
fn run(seed: u64, faults: Faults) -> (u64, u64) {
    let shape = Rng::from_seed(seed ^ 0x5eed);
    let shards = 1 + shape.below(4) as u16 + u16::from(faults.mortal);
    let mut world = World::new(shards, seed, faults);
    // From everything at once to one thing after the other.
    let pace = if faults.lost { 60_000 } else { 200 } >> shape.below(8);
    let actions = 1 + shape.below(400);
    let crash_at = shape.below(actions);
    for number in 0..actions {
        world.act();
        if faults.mortal && number == crash_at {
            world.net.crash_last();
        }
        world.net.run_for(Duration::from_micros(world.rng.below(pace + 1)));
    }
    world.net.settle();
    world.check();
    world.end();
    (world.net.counted("mesh_requests_refused"), world.net.counted("mesh_calls_expired"))
}

#[test]
fn every_view_converges_to_the_live_members() {
    check(100, |seed| assert_eq!(run(seed, Faults::default()), (0, 0)));
}

#[test]
fn views_converge_where_lanes_refuse_and_answers_get_lost() {
    let gone_wrong = Cell::new((0, 0));
    check(100, |seed| {
        let (refused, lost) = run(seed, Faults { refused: true, lost: true, mortal: false });
        let (all_refused, all_lost) = gone_wrong.get();
        gone_wrong.set((all_refused + refused, all_lost + lost));
    });
    let (refused, lost) = gone_wrong.get();
    assert!(refused > 500 && lost > 500, "{refused} refused, {lost} lost");
}

#[test]
fn the_sessions_of_a_lost_shard_are_seen_to_go() {
    check(100, |seed| {
        run(seed, Faults { refused: seed % 3 == 0, lost: false, mortal: true });
    });
}
