//! Several shards in one thread, with lanes between them that deliver when a seed says so.
//!
//! As in the mesh, requests of one shard to another keep their order, and so do events and answers; one
//! lane may lag behind any other by any time. Requests may be refused, and calls may go unanswered.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::{Rc, Weak},
};

use kakera_shards::{Address, NodeId, Rng, ShardId};

use super::client::Clients;
use crate::{
    ids::{StreamId, StreamMode, UserId},
    presence::{Limits, Post, PostError, Presences, Reply, Request, Then},
};

/// What may go wrong in a net.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// How often a lane refuses a request.
    pub(crate) refused: f64,
    /// How often a caller gives up before the answer comes.
    pub(crate) lost: f64,
}

pub(crate) struct Net {
    pub(crate) shards: Vec<Shard>,
    wires: Rc<Wires>,
}

pub(crate) struct Shard {
    pub(crate) address: Address,
    pub(crate) presences: Presences,
    pub(crate) clients: Rc<Clients>,
}

/// The lanes, by receiver, sender and kind.
struct Wires {
    lanes: RefCell<BTreeMap<(u16, u16, Kind), VecDeque<Packet>>>,
    calls: RefCell<BTreeMap<u64, Then>>,
    last_call: Cell<u64>,
    rng: Rng,
    faults: Cell<Faults>,
    len: u16,
    /// Requests handed to the owner of a stream that it does not own.
    misrouted: Cell<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Requests,
    Events,
}

enum Packet {
    Request { request: Request, call: Option<u64> },
    Answer { call: u64, answer: Result<Reply, PostError> },
}

fn address(shard: u16) -> Address {
    Address { node: NodeId(7), shard: ShardId(shard) }
}

struct TestPost {
    me: Address,
    wires: Rc<Wires>,
}

impl Post for TestPost {
    fn me(&self) -> Address {
        self.me
    }

    fn owner_of(&self, stream: &StreamId) -> Address {
        match stream.mode {
            StreamMode::NOTIFICATIONS | StreamMode::STATUS | StreamMode::FOLLOWERS => {
                self.owner_of_user(UserId(stream.subject))
            }
            _ => {
                let label: u64 = stream.label().bytes().map(u64::from).sum();
                let sum = stream.subject.as_u128() as u64 ^ stream.subcontext.as_u128() as u64;
                address(((sum ^ label) % u64::from(self.wires.len)) as u16)
            }
        }
    }

    fn owner_of_user(&self, user: UserId) -> Address {
        address((user.0.as_u128() % u128::from(self.wires.len)) as u16)
    }

    fn shards(&self) -> Vec<Address> {
        (0..self.wires.len).map(address).collect()
    }

    fn cast(&self, to: Address, request: Request) -> Result<(), Request> {
        if self.wires.rng.chance(self.wires.faults.get().refused) {
            return Err(request);
        }
        self.wires.push(self.me, to, Kind::Requests, Packet::Request { request, call: None });
        Ok(())
    }

    fn call(&self, to: Address, request: Request, then: Then) {
        let wires = &self.wires;
        let call = wires.last_call.get() + 1;
        wires.last_call.set(call);
        wires.calls.borrow_mut().insert(call, then);
        if wires.rng.chance(wires.faults.get().refused) {
            let answer = Err(PostError::Refused);
            wires.push(self.me, self.me, Kind::Events, Packet::Answer { call, answer });
            return;
        }
        wires.push(self.me, to, Kind::Requests, Packet::Request { request, call: Some(call) });
        if wires.rng.chance(wires.faults.get().lost) {
            // The caller gives up sooner or later; an answer that comes first wins.
            let answer = Err(PostError::Lost);
            wires.push(self.me, self.me, Kind::Events, Packet::Answer { call, answer });
        }
    }

    fn deliver(&self, to: Address, request: Request, _: bool) -> bool {
        self.wires.push(self.me, to, Kind::Events, Packet::Request { request, call: None });
        true
    }
}

impl Wires {
    fn push(&self, from: Address, to: Address, kind: Kind, packet: Packet) {
        let lane = (to.shard.0, from.shard.0, kind);
        self.lanes.borrow_mut().entry(lane).or_default().push_back(packet);
    }
}

impl Net {
    pub(crate) fn new(shards: u16, seed: u64, faults: Faults) -> Self {
        let wires = Rc::new(Wires {
            lanes: RefCell::default(),
            calls: RefCell::default(),
            last_call: Cell::new(0),
            rng: Rng::from_seed(seed),
            faults: Cell::new(faults),
            len: shards,
            misrouted: Cell::new(0),
        });
        let shards = (0..shards)
            .map(|shard| {
                let clients = Rc::new(Clients::default());
                let post = TestPost { me: address(shard), wires: Rc::clone(&wires) };
                let sessions = Rc::clone(&clients);
                let presences = Presences::new(Rc::new(post), sessions, Limits::default());
                clients.attach(&presences);
                Shard { address: address(shard), presences, clients }
            })
            .collect();
        Self { shards, wires }
    }

    /// Lets one lane, of those that hold something, pass a few messages on; then the turn of the receiving
    /// shard may end. False where all lanes are empty.
    pub(crate) fn step(&self) -> bool {
        let lanes = self.wires.lanes.borrow();
        let full: Vec<_> = lanes.iter().filter(|(_, l)| !l.is_empty()).map(|(k, _)| *k).collect();
        drop(lanes);
        if full.is_empty() {
            return false;
        }
        let lane = full[self.wires.rng.below(full.len() as u64) as usize];
        for _ in 0..=self.wires.rng.below(4) {
            let packet = self.wires.lanes.borrow_mut().get_mut(&lane).and_then(VecDeque::pop_front);
            let Some(packet) = packet else { break };
            self.handle(lane.1, lane.0, packet);
        }
        if self.wires.rng.chance(0.5) {
            self.shards[usize::from(lane.0)].presences.end_turn();
        }
        true
    }

    /// Runs until nothing is under way and nothing is owed. From here on nothing goes wrong.
    pub(crate) fn settle(&self) {
        self.wires.faults.set(Faults::default());
        for _ in 0..1_000_000 {
            if self.step() {
                continue;
            }
            for shard in &self.shards {
                shard.presences.end_turn();
            }
            if self.wires.lanes.borrow().values().all(VecDeque::is_empty) {
                assert_eq!(self.wires.misrouted.get(), 0, "requests went to who does not own them");
                return;
            }
        }
        panic!("the net does not come to rest");
    }

    fn handle(&self, from: u16, to: u16, packet: Packet) {
        match packet {
            Packet::Request { request, call } => {
                let wires: Weak<Wires> = Rc::downgrade(&self.wires);
                self.shards[usize::from(to)].presences.handle(request, move |reply| {
                    let Some(wires) = wires.upgrade() else { return };
                    if matches!(reply, Reply::NotOwner) {
                        wires.misrouted.set(wires.misrouted.get() + 1);
                    }
                    if let Some(call) = call {
                        let packet = Packet::Answer { call, answer: Ok(reply) };
                        wires.push(address(to), address(from), Kind::Events, packet);
                    }
                });
            }
            Packet::Answer { call, answer } => {
                let then = self.wires.calls.borrow_mut().remove(&call);
                if let Some(then) = then {
                    then(answer);
                }
            }
        }
    }
}
