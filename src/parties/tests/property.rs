//! However joins, leaves, disconnects, promotions and delays mix: every member sees the same party, it has
//! one leader, who is a member, and nothing stays behind.

use std::{cell::Cell, collections::BTreeSet, rc::Rc, time::Duration};

use kakera_proto::realtime::PartyCreate;
use kakera_shards::{
    MailboxLimits, MeshLimits,
    sim::{Faults, check},
};

use super::{
    client::View,
    world::{Guest, World},
};
use crate::{
    ids::PartyId,
    parties::{Ask, PLACE_LIFE_MS, PartyRef, Player},
    presence::Owner,
};

const SHARDS: u16 = 4;

struct Play {
    world: World,
    guests: Vec<Guest>,
    parties: Vec<String>,
    users: u128,
    /// Answers that came.
    answers: Rc<Cell<u32>>,
}

impl Play {
    fn pick(&self, bound: usize) -> usize {
        self.world.sim.rng().below(bound as u64) as usize
    }

    fn act(&mut self) {
        if self.guests.len() < 3 || (self.guests.len() < 14 && self.pick(8) == 0) {
            self.users += 1;
            let guest = self.world.open(self.pick(SHARDS.into()), self.users);
            return self.guests.push(guest);
        }
        let guest = self.guests[self.pick(self.guests.len())];
        if self.parties.len() < 2 || self.pick(25) == 0 {
            return self.create(guest);
        }
        let party = self.parties[self.pick(self.parties.len())].clone();
        let other = self.guests[self.pick(self.guests.len())];
        match self.pick(100) {
            0..7 => {
                self.world.close(guest);
                self.guests.retain(|known| *known != guest);
            }
            7..40 => drop(self.world.join(guest, &party)),
            40..55 => self.world.leave(guest, &party),
            55..66 => drop(self.world.ask(guest, &party, Ask::Promote(other.named()))),
            66..80 => drop(self.world.ask(guest, &party, Ask::Accept(other.named()))),
            80..88 => drop(self.world.ask(guest, &party, Ask::Remove(other.named()))),
            88..93 => {
                let open = self.pick(2) == 0;
                let update = Ask::Update { label: "{}".into(), open, hidden: false };
                drop(self.world.ask(guest, &party, update));
            }
            93..95 => drop(self.world.ask(guest, &party, Ask::Close)),
            _ => {
                let data = Ask::Data { op_code: 1, data: bytes::Bytes::from_static(b"x") };
                drop(self.world.ask(guest, &party, data));
            }
        }
    }

    fn create(&mut self, guest: Guest) {
        let (open, max_size) = (self.pick(2) == 0, 2 + self.pick(5) as i32);
        let create = PartyCreate { open, max_size, ..PartyCreate::default() };
        let created = self.world.create(guest, create);
        // Its id is known when it is there, or never.
        for _ in 0..40 {
            self.world.sim.run_for(Duration::from_micros(20));
            if let Some(created) = created.borrow_mut().take() {
                self.answers.set(self.answers.get() + 1);
                self.parties.extend(created.map(|party| party.party_id));
                break;
            }
        }
        if self.parties.len() > 4 {
            self.parties.remove(0);
        }
    }

    /// What every shard and every client knows agrees.
    fn check(&self) {
        let mut alive = BTreeSet::new();
        for shard in &self.world.shards {
            let ids: Vec<PartyId> = shard.parties.read(|state| state.ids().collect());
            for id in ids {
                alive.insert(id.0);
                self.check_party(id);
            }
            let streams = shard.presences.read_owner(Owner::streams_len);
            let parties = shard.parties.read(crate::parties::State::len);
            assert_eq!(streams, parties, "streams without a party, or the other way round");
        }
        for guest in &self.guests {
            let home = &self.world.shards[guest.shard];
            home.clients.with((guest.slot, guest.session), |client| {
                for party in client.views.keys() {
                    let id = PartyRef::read(party).unwrap().id;
                    assert!(alive.contains(&id.0), "a client sees a party that is over");
                    assert!(self.world.is_member(*guest, party), "a client sees a party it left");
                }
            });
        }
    }

    fn check_party(&self, id: PartyId) {
        let shard = self.world.shards.iter().find(|shard| shard.address == id.home()).unwrap();
        let stream = PartyRef { id, node: super::world::NODE.into() }.stream();
        let wire_id = crate::parties::id::wire_id(&stream);
        let name = |player: &Player| player.session.to_string();
        let (members, leader, held) = shard.parties.read(|state| {
            let party = state.get(id).unwrap();
            let members: BTreeSet<_> = party.members().iter().map(name).collect();
            assert_eq!(members.len(), party.members().len(), "a member is there once");
            let size_max = party.listed().max_size as usize;
            assert!(members.len() <= size_max, "{} in a party of {size_max}", members.len());
            (members, party.leader().map(name), party.places_len())
        });
        assert!(!members.is_empty(), "a party without members");
        assert!(
            leader.as_ref().is_some_and(|leader| members.contains(leader)),
            "a leader who is a member"
        );
        assert_eq!(held, 0, "a place for nobody");
        let owned = shard.presences.read_owner(|owner| owner.list(&stream, true, true));
        let owned: BTreeSet<_> = owned.iter().map(|p| p.session.to_string()).collect();
        assert_eq!(owned, members, "the members, and who is on the stream");
        let mut there = BTreeSet::new();
        for guest in &self.guests {
            if !self.world.is_member(*guest, &wire_id) {
                continue;
            }
            there.insert(guest.session.to_string());
            let clients = &self.world.shards[guest.shard].clients;
            clients.with((guest.slot, guest.session), |client| {
                let seen = View { leader: leader.clone(), members: members.clone() };
                assert_eq!(client.views.get(&wire_id), Some(&seen), "what a member sees");
            });
        }
        assert_eq!(there, members, "the members, and who has joined");
    }

    fn settle(&mut self) {
        self.world.settle();
        // Places whose answer nobody heard.
        self.world.sim.run_for(Duration::from_millis(PLACE_LIFE_MS + 1));
        for shard in 0..self.world.shards.len() {
            self.world.on(shard, |home| home.parties.sweep());
        }
        self.world.settle();
    }

    fn end(&mut self) {
        for guest in std::mem::take(&mut self.guests) {
            self.world.close(guest);
        }
        self.settle();
        for shard in &self.world.shards {
            assert!(shard.parties.read(crate::parties::State::is_empty));
            shard.presences.read_owner(|owner| {
                assert_eq!((owner.streams_len(), owner.presences_len()), (0, 0));
            });
            shard.presences.read_home(|home| {
                assert_eq!((home.sessions_len(), home.memberships_len()), (0, 0));
            });
            assert!(!shard.presences.owes());
        }
    }
}

fn run(seed: u64, faults: Faults, limits: MeshLimits) {
    let world = World::limited(seed, SHARDS, (faults, limits), false);
    let answers = Rc::default();
    let mut play = Play { world, guests: Vec::new(), parties: Vec::new(), users: 0, answers };
    for _ in 0..3 {
        for _ in 0..80 {
            play.act();
            let pause = play.world.sim.rng().below(60);
            play.world.sim.run_for(Duration::from_micros(pause));
        }
        play.settle();
        play.check();
    }
    assert!(play.answers.get() > 0, "parties were made");
    play.end();
}

#[test]
fn every_member_sees_the_same_party_with_one_leader() {
    check(60, |seed| run(seed, Faults::default(), MeshLimits::default()));
}

#[test]
fn slow_lanes_change_nothing_about_that() {
    let faults = Faults { delay_micros: (0, 3_000), ..Faults::default() };
    check(40, |seed| run(seed, faults, MeshLimits::default()));
}

#[test]
fn nor_do_lanes_that_refuse_what_is_too_much() {
    let faults = Faults { delay_micros: (0, 3_000), ..Faults::default() };
    let mailbox = MailboxLimits { requests_len_max: 3, ..MailboxLimits::default() };
    let limits = MeshLimits { mailbox, ..MeshLimits::default() };
    check(40, |seed| run(seed, faults, limits));
}
