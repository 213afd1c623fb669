//! What lies between the shards of a simulation: messages take time, overtake each other between pairs,
//! and between nodes may be lost.

use std::{cmp::Ordering, collections::BinaryHeap, sync::Arc};

use super::Faults;
use crate::{
    Address, Rng,
    envelope::Protocol,
    mailbox::{Bell, Inlet, Mail, MailboxLimits, Outlet, pair},
};

/// The way from one shard to another: its lanes as the sender sees them, and as the receiver does.
struct Way<P: Protocol> {
    from: Address,
    to: Address,
    sent: Inlet<P>,
    arriving: Outlet<P>,
    /// Of each lane: what was taken from the sender, what is under way, and when the last one arrives.
    lanes: [LaneState; 2],
    /// Grows when one of its ends is lost: what was under way then is lost as well.
    life: u32,
    cut: bool,
}

#[derive(Clone, Copy, Default)]
struct LaneState {
    taken: u64,
    under_way: u64,
    last_due: u64,
}

const REQUESTS: usize = 0;
const EVENTS: usize = 1;

struct Flight<P: Protocol> {
    due: u64,
    serial: u64,
    way: usize,
    life: u32,
    mail: Mail<P>,
}

impl<P: Protocol> PartialEq for Flight<P> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<P: Protocol> Eq for Flight<P> {}
impl<P: Protocol> PartialOrd for Flight<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<P: Protocol> Ord for Flight<P> {
    /// The greatest is the first to arrive.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.serial).cmp(&(self.due, self.serial))
    }
}

pub(super) struct Wire<P: Protocol> {
    limits: MailboxLimits,
    faults: Faults,
    rng: Rng,
    bell: Arc<Bell>,
    ways: Vec<Way<P>>,
    flights: BinaryHeap<Flight<P>>,
    serial: u64,
    lost: u64,
}

/// The ends of a shard's lanes, by the global index of the other shard.
pub(super) struct Ends<P: Protocol> {
    pub(super) outlets: Vec<Outlet<P>>,
    pub(super) inlets: Vec<Inlet<P>>,
    pub(super) bell: Arc<Bell>,
}

impl<P: Protocol> Wire<P> {
    /// A wire between all shards, and each shard's ends of it.
    pub(super) fn new(
        shards: &[Address],
        limits: MailboxLimits,
        faults: Faults,
        rng: Rng,
    ) -> (Self, Vec<Ends<P>>) {
        let bell = Bell::new(shards.len() * shards.len());
        let bells: Vec<_> = shards.iter().map(|_| Bell::new(shards.len())).collect();
        let mut ends: Vec<Ends<P>> = bells
            .iter()
            .map(|bell| Ends { outlets: Vec::new(), inlets: Vec::new(), bell: Arc::clone(bell) })
            .collect();
        let mut ways = Vec::new();
        for (from_index, &from) in shards.iter().enumerate() {
            for (to_index, &to) in shards.iter().enumerate() {
                let (outlet, sent) = pair(limits, &bell, ways.len());
                let (arriving, inlet) = pair(limits, &bells[to_index], from_index);
                ends[from_index].outlets.push(outlet);
                ends[to_index].inlets.push(inlet);
                let lanes = [LaneState::default(); 2];
                ways.push(Way { from, to, sent, arriving, lanes, life: 0, cut: false });
            }
        }
        let flights = BinaryHeap::new();
        (Self { limits, faults, rng, bell, ways, flights, serial: 0, lost: 0 }, ends)
    }

    /// Takes up what the shards have sent.
    pub(super) fn collect(&mut self, now: u64) {
        for word in 0..self.bell.words() {
            let mut rung = self.bell.take(word);
            while rung != 0 {
                let index = word * 64 + rung.trailing_zeros() as usize;
                rung &= rung - 1;
                self.collect_way(index, now);
            }
        }
    }

    fn collect_way(&mut self, index: usize, now: u64) {
        let Some(way) = self.ways.get_mut(index) else { return };
        while let Some(mail) = way.sent.pop() {
            let lane = match mail {
                Mail::Ask(_) => REQUESTS,
                Mail::Tell(_) => EVENTS,
            };
            let between_nodes = way.from.node != way.to.node;
            let state = &mut way.lanes[lane];
            state.taken += 1;
            if way.cut || (between_nodes && self.rng.chance(self.faults.loss_between_nodes)) {
                self.lost += 1;
                continue;
            }
            let (least, most) = if way.from == way.to {
                (0, 0)
            } else if between_nodes {
                self.faults.delay_between_nodes_micros
            } else {
                self.faults.delay_micros
            };
            let delay = least + self.rng.below(most.saturating_sub(least) + 1);
            state.last_due = state.last_due.max(now + delay);
            state.under_way += 1;
            let (due, life, serial) = (state.last_due, way.life, self.serial);
            self.serial += 1;
            self.flights.push(Flight { due, serial, way: index, life, mail });
        }
    }

    /// When the next message arrives.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.flights.peek().map(|flight| flight.due)
    }

    /// Puts in what has arrived by now.
    pub(super) fn deliver(&mut self, now: u64) {
        while self.next_due().is_some_and(|due| due <= now) {
            let Some(Flight { way, life, mail, .. }) = self.flights.pop() else { return };
            let Some(way) = self.ways.get_mut(way).filter(|way| way.life == life) else {
                self.lost += 1;
                continue;
            };
            match mail {
                Mail::Ask(ask) => {
                    way.lanes[REQUESTS].under_way -= 1;
                    let full = way.arriving.ask(ask).is_err();
                    assert!(!full, "the sender's bound counts what is under way");
                }
                Mail::Tell(tell) => {
                    way.lanes[EVENTS].under_way -= 1;
                    way.arriving.tell(tell);
                }
            }
        }
    }

    /// Tells the senders what was handled, as a shared lane would.
    pub(super) fn publish(&self) {
        for way in &self.ways {
            let [requests, events] = way.lanes;
            // What waits may be from an earlier life of the sender.
            let handled =
                |lane: LaneState, waiting| (lane.taken - lane.under_way).saturating_sub(waiting);
            way.sent.publish_totals(
                handled(requests, way.arriving.requests_len()),
                handled(events, way.arriving.events_len()),
            );
        }
    }

    /// Loses what is under way from and to a shard, and what waits in its mailbox; gives it new ends.
    pub(super) fn renew(&mut self, shards: &[Address], which: usize) -> Ends<P> {
        let new_bell = Bell::new(shards.len());
        let mut ends =
            Ends { outlets: Vec::new(), inlets: Vec::new(), bell: Arc::clone(&new_bell) };
        for other in 0..shards.len() {
            let index = which * shards.len() + other;
            let (outlet, sent) = pair(self.limits, &self.bell, index);
            let (arriving, inlet) = pair(self.limits, &new_bell, other);
            ends.outlets.push(outlet);
            ends.inlets.push(inlet);
            if let Some(way) = self.ways.get_mut(index) {
                way.life += 1;
                way.sent = sent;
                way.lanes = [LaneState::default(); 2];
            }
            if let Some(way) = self.ways.get_mut(other * shards.len() + which) {
                way.life += 1;
                way.arriving = arriving;
                way.lanes.iter_mut().for_each(|lane| lane.under_way = 0);
            }
        }
        ends
    }

    /// Loses, or no longer loses, all that is sent between two nodes.
    pub(super) fn set_cut(&mut self, cuts: impl Fn(Address, Address) -> Option<bool>) {
        for way in &mut self.ways {
            if let Some(cut) = cuts(way.from, way.to) {
                way.cut = cut;
            }
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}
