//! However players create, join, leave, send and are cut off: all who are in a match see the same players, the
//! index knows its size, what one sends reaches exactly the others, and nothing stays behind.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use kakera_proto::realtime::{Match, MatchDataSend, UserPresence, envelope::Message};
use kakera_shards::{Rng, sim::check};
use uuid::Uuid;

use crate::{
    fanout::{Format, Slot},
    ids::{SessionId, UserId},
    matches::{Filter, Index, MatchError, MatchRef, Matches},
    presence::{
        Owner, Reason,
        tests::net::{Faults, Net},
    },
};

/// Known matches at most: few enough that players meet.
const MATCHES_MAX: usize = 5;

#[derive(Clone, Copy)]
struct Player {
    shard: usize,
    slot: Slot,
    session: SessionId,
    user: UserId,
}

struct Play {
    net: Net,
    rng: Rng,
    matches: Vec<Matches>,
    players: Vec<Player>,
    sessions: u128,
    /// The ids that players know of, over or not.
    known: Rc<RefCell<Vec<String>>>,
    indexes: Vec<Index>,
}

impl Play {
    fn new(seed: u64, shards: u16, faults: Faults, single_match: bool) -> Self {
        let net = Net::new(shards, seed, faults);
        let made = net.shards.iter().enumerate().map(|(number, shard)| {
            let rng = Rng::from_seed(seed ^ number as u64);
            Matches::new(shard.presences.clone(), shard.address, rng, single_match)
        });
        let matches = made.collect();
        let indexes = net.shards.iter().map(|_| Index::default()).collect();
        let (rng, known) = (Rng::from_seed(!seed), Rc::default());
        Self { net, rng, matches, players: Vec::new(), sessions: 0, known, indexes }
    }

    fn pick(&self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    fn act(&mut self) {
        if self.players.is_empty() || (self.players.len() < 10 && self.rng.chance(0.1)) {
            return self.open();
        }
        let player = self.players[self.pick(self.players.len())];
        let known = self.known.borrow().clone();
        if known.is_empty() || self.rng.chance(0.06) {
            return self.create(player);
        }
        let id = &known[self.pick(known.len())];
        match self.rng.below(100) {
            0..8 => self.close(player),
            8..45 => self.join(player, id, false),
            45..52 => self.join(player, id, true),
            52..72 => self.leave(player, id),
            _ => drop(self.send(player, id, self.chosen())),
        }
    }

    fn open(&mut self) {
        self.sessions += 1;
        let shard = self.pick(self.net.shards.len());
        let home = &self.net.shards[shard];
        let session = SessionId::at(home.address, self.sessions << 64);
        let user = UserId(Uuid::from_u128(1 + u128::from(self.rng.below(6))));
        let format = if self.rng.chance(0.5) { Format::Json } else { Format::Protobuf };
        let slot = home.clients.open(session, user, format);
        self.players.push(Player { shard, slot, session, user });
    }

    fn close(&mut self, player: Player) {
        let home = &self.net.shards[player.shard];
        home.presences.close(player.slot, Reason::Disconnect);
        home.clients.close(player.slot);
        self.players.retain(|known| known.session != player.session);
    }

    /// What a client does with the answer to a creation or a join.
    fn answer(&self, player: Player) -> impl FnOnce(Result<Match, MatchError>) + 'static {
        let clients = Rc::clone(&self.net.shards[player.shard].clients);
        let known = Rc::clone(&self.known);
        move |answer| {
            let Ok(joined) = answer else { return };
            let view = joined.presences.iter().map(|p| (p.session_id.clone(), String::new()));
            let (id, view) = (joined.match_id.clone(), view.collect());
            clients.with_session(player.slot, player.session, |client| {
                client.views.insert(id, view);
            });
            let mut known = known.borrow_mut();
            if !known.contains(&joined.match_id) {
                known.push(joined.match_id);
            }
            if known.len() > MATCHES_MAX {
                known.remove(0);
            }
        }
    }

    fn create(&self, player: Player) {
        let name = ["", "arena"][self.pick(2)];
        self.matches[player.shard].create(player.slot, name, self.answer(player));
    }

    fn join(&self, player: Player, id: &str, allow_empty: bool) {
        let answer = self.answer(player);
        self.matches[player.shard].join(player.slot, id.to_owned(), allow_empty, answer);
    }

    fn leave(&self, player: Player, id: &str) {
        self.matches[player.shard].leave(player.slot, id, || ()).expect("an id");
        let clients = &self.net.shards[player.shard].clients;
        clients.with(player.slot, |client| client.views.remove(id));
    }

    /// Nobody in particular, or some players, in the match or not.
    fn chosen(&self) -> Vec<UserPresence> {
        let count = self.pick(4);
        let some = (0..count).map(|_| self.players[self.pick(self.players.len())]);
        some.map(|player| UserPresence {
            user_id: player.user.to_string(),
            session_id: player.session.to_string(),
            ..UserPresence::default()
        })
        .collect()
    }

    /// Whether the data went on its way.
    fn send(&self, player: Player, id: &str, presences: Vec<UserPresence>) -> bool {
        let data = Bytes::from_static(b"move");
        let sent = MatchDataSend { match_id: id.to_owned(), data, presences, ..Default::default() };
        let matches = &self.matches[player.shard];
        let relay = matches.data(player.slot, sent).expect("an id");
        let wanted = relay.is_some();
        matches.relay(relay).is_ok() && wanted
    }

    fn is_in(&self, player: Player, id: &str) -> bool {
        let stream = MatchRef::read(id).expect("an id").stream;
        self.net.shards[player.shard].presences.membership(player.slot, &stream).is_some()
    }

    /// Who is in which match, as the players' homes know it.
    fn truth(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut truth: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for player in &self.players {
            let clients = &self.net.shards[player.shard].clients;
            let seen: Vec<_> =
                clients.with(player.slot, |client| client.views.keys().cloned().collect());
            for id in seen {
                if self.is_in(*player, &id) {
                    truth.entry(id).or_default().insert(player.session.to_string());
                }
            }
        }
        truth
    }

    fn check(&mut self) {
        let truth = self.truth();
        for (id, members) in &truth {
            self.check_views(id, members);
            self.check_data(id, members);
        }
        let streams: usize = self
            .net
            .shards
            .iter()
            .map(|shard| shard.presences.read_owner(Owner::streams_len))
            .sum();
        assert_eq!(streams, truth.len(), "matches, and those with players");
        self.check_index(&truth);
    }

    fn check_views(&self, id: &str, members: &BTreeSet<String>) {
        let stream = MatchRef::read(id).expect("an id").stream;
        for shard in &self.net.shards {
            let owned = shard.presences.read_owner(|owner| owner.list(&stream, true, true));
            let owned: BTreeSet<_> = owned.iter().map(|p| p.session.to_string()).collect();
            assert!(owned.is_empty() || owned == *members, "{owned:?} are in {id}: {members:?}");
        }
        for player in self.players.iter().filter(|player| self.is_in(**player, id)) {
            let clients = &self.net.shards[player.shard].clients;
            clients.with(player.slot, |client| {
                let view: BTreeSet<_> = client.views[id].keys().cloned().collect();
                assert_eq!(view, *members, "what {} sees in {id}", player.session);
            });
        }
    }

    /// With nothing else under way, data reaches all others once, or those who are chosen and there.
    fn check_data(&self, id: &str, members: &BTreeSet<String>) {
        self.data_of_all(id);
        let there: Vec<_> =
            self.players.iter().copied().filter(|player| self.is_in(*player, id)).collect();
        let sender = there[self.pick(there.len())];
        let chosen = self.chosen();
        let mut expected = members.clone();
        if chosen.is_empty() {
            expected.remove(&sender.session.to_string());
        } else {
            expected.retain(|member| chosen.iter().any(|one| one.session_id == *member));
        }
        let strangers = self.players.iter().filter(|player| !self.is_in(**player, id));
        for stranger in strangers {
            assert!(!self.send(*stranger, id, Vec::new()), "a stranger's data");
        }
        assert!(self.send(sender, id, chosen), "sent");
        self.net.settle();
        let reached = self.data_of_all(id);
        assert!(reached.values().all(|count| *count == 1), "once each: {reached:?}");
        assert_eq!(reached.into_keys().collect::<BTreeSet<_>>(), expected, "the data of {id}");
    }

    /// How much data of a match each session has got since it was last asked.
    fn data_of_all(&self, id: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for player in &self.players {
            let clients = &self.net.shards[player.shard].clients;
            let received = clients.with(player.slot, |client| std::mem::take(&mut client.received));
            let of_match = |message: &Option<Message>| matches!(message, Some(Message::MatchData(data)) if data.match_id == id);
            let count = received.iter().filter(|envelope| of_match(&envelope.message)).count();
            if count > 0 {
                counts.insert(player.session.to_string(), count);
            }
        }
        counts
    }

    fn check_index(&mut self, truth: &BTreeMap<String, BTreeSet<String>>) {
        let mut listed = BTreeMap::new();
        for (shard, index) in self.net.shards.iter().zip(&mut self.indexes) {
            for (stream, _, count) in shard.clients.moved.take() {
                index.set(stream.subject, count as u32);
            }
            let all = Filter { min: 1, max: u32::MAX, limit: usize::MAX };
            listed.extend(index.list(all).into_iter().map(|(id, size)| (format!("{id}."), size)));
        }
        let sizes = truth.iter().map(|(id, members)| (id.clone(), members.len() as u32));
        assert_eq!(listed, sizes.collect(), "the sizes that a listing tells");
    }

    fn end(&mut self) {
        for player in self.players.clone() {
            self.close(player);
        }
        self.net.settle();
        self.check();
        for shard in &self.net.shards {
            shard.presences.read_home(|home| {
                assert_eq!((home.sessions_len(), home.memberships_len()), (0, 0));
            });
            assert!(!shard.presences.owes());
        }
    }
}

fn run(seed: u64, faults: Faults, single_match: bool) -> usize {
    let shape = Rng::from_seed(seed ^ 0x6a3e);
    let mut play = Play::new(seed, 1 + shape.below(4) as u16, faults, single_match);
    let pace = if faults.lost { 60_000 } else { 200 } >> shape.below(8);
    let mut met = 0;
    for _ in 0..3 {
        for _ in 0..=shape.below(150) {
            play.act();
            play.net.run_for(Duration::from_micros(play.rng.below(pace + 1)));
        }
        play.net.settle();
        play.check();
        let largest = play.truth().values().map(BTreeSet::len).max();
        met = met.max(largest.unwrap_or(0));
    }
    play.end();
    met
}

#[test]
fn players_of_a_match_see_each_other_and_get_what_each_sends() {
    let met = RefCell::new(0);
    check(80, |seed| {
        let largest = run(seed, Faults::default(), seed % 4 == 0);
        *met.borrow_mut() += usize::from(largest >= 3);
    });
    assert!(met.into_inner() > 40, "players met");
}

#[test]
fn so_they_do_where_lanes_refuse_and_answers_get_lost() {
    check(80, |seed| {
        run(seed, Faults { refused: seed % 2 == 0, lost: true, mortal: false }, seed % 4 == 0);
    });
}
