//! The addresses that a shard hears from.

use std::{
    cell::RefCell,
    collections::{HashMap, hash_map::RandomState},
    net::IpAddr,
    rc::Rc,
    time::Duration,
};

use kakera_shards::{Clock, Counter, Counters, socket::network};

use super::{Limit, Meter, Rate, Verdict};
use crate::config::Config;

/// What an address is held to; at least one of both.
#[derive(Clone, Copy, Debug)]
pub struct AddressLimits {
    pub requests: Option<Limit>,
    pub connections: Option<Limit>,
    /// Addresses that are remembered.
    pub addresses_max: usize,
}

/// A request that is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When another one may be.
    pub retry_after: Duration,
    /// The address does not slow down: its connection is to be closed.
    pub close: bool,
}

/// The meters of addresses (of IPv6: of /64 networks), on one shard.
pub struct AddressTable {
    limits: AddressLimits,
    clock: Clock,
    table: RefCell<Generations>,
    counters: FloodCounters,
}

struct FloodCounters {
    requests_refused: Counter,
    connections_refused: Counter,
    forgotten: Counter,
    known: Counter,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    requests: Meter,
    connections: Meter,
}

/// Two generations: who is heard from moves to the young one; when that is full, the old one is
/// forgotten, and the young one is the old one.
#[derive(Default)]
struct Generations {
    young: HashMap<IpAddr, Entry, RandomState>,
    old: HashMap<IpAddr, Entry, RandomState>,
}

impl Generations {
    /// The address's entry, and how many were forgotten to make room for it.
    fn entry(&mut self, address: IpAddr, generation_max: usize) -> (&mut Entry, usize) {
        let mut forgotten = 0;
        let known = self.old.remove(&address);
        if !self.young.contains_key(&address) && self.young.len() >= generation_max {
            forgotten = self.old.len();
            self.old.clear();
            std::mem::swap(&mut self.old, &mut self.young);
        }
        (self.young.entry(address).or_insert_with(|| known.unwrap_or_default()), forgotten)
    }

    fn get(&self, address: IpAddr) -> Option<&Entry> {
        self.young.get(&address).or_else(|| self.old.get(&address))
    }

    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

impl AddressTable {
    /// The table that the configuration asks for, if it limits addresses at all.
    pub fn of(config: &Config, clock: Clock, counters: &Counters) -> Option<Rc<Self>> {
        let flood = &config.flood;
        let limit = |per_sec, burst| {
            Rate::new(per_sec, burst).map(|rate| Limit { rate, refusals_max: flood.refusals_max })
        };
        let limits = AddressLimits {
            requests: limit(flood.address_requests_per_sec, flood.address_requests_burst),
            connections: limit(flood.address_connections_per_sec, flood.address_connections_burst),
            addresses_max: flood.addresses_max as usize,
        };
        let any = limits.requests.is_some() || limits.connections.is_some();
        any.then(|| Rc::new(Self::new(limits, clock, counters)))
    }

    pub fn new(limits: AddressLimits, clock: Clock, counters: &Counters) -> Self {
        let counter = |name, help| counters.counter(name, help);
        Self {
            limits,
            clock,
            table: RefCell::default(),
            counters: FloodCounters {
                requests_refused: counter(
                    "flood_requests_refused",
                    "Requests refused because their address sent too many.",
                ),
                connections_refused: counter(
                    "flood_connections_refused",
                    "Connections closed because their address opened too many.",
                ),
                forgotten: counter(
                    "flood_addresses_forgotten",
                    "Addresses forgotten because the table was full.",
                ),
                known: counters.gauge("flood_addresses", "Addresses with a flood limit's meter."),
            },
        }
    }

    /// Whether a connection from this address may stay.
    pub fn connection(&self, address: IpAddr) -> bool {
        let (address, now) = (network(address), self.clock.monotonic_micros());
        let shunned = self.limits.requests.is_some_and(|limit| {
            let table = self.table.borrow();
            table.get(address).is_some_and(|entry| entry.requests.is_shunned(&limit, now))
        });
        let served = !shunned
            && self.limits.connections.is_none_or(|limit| {
                self.with(address, |entry| entry.connections.take(&limit, now)) == Verdict::Serve
            });
        if !served {
            self.counters.connections_refused.increment();
        }
        served
    }

    /// Whether a request from this address is served.
    pub fn request(&self, address: IpAddr) -> Result<(), Refusal> {
        let Some(limit) = self.limits.requests else { return Ok(()) };
        let (address, now) = (network(address), self.clock.monotonic_micros());
        let refusal = match self.with(address, |entry| entry.requests.take(&limit, now)) {
            Verdict::Serve => return Ok(()),
            Verdict::Refuse { wait } => Refusal { retry_after: wait, close: false },
            Verdict::Abuse { wait } => Refusal { retry_after: wait, close: true },
        };
        self.counters.requests_refused.increment();
        Err(refusal)
    }

    fn with<T>(&self, address: IpAddr, take: impl FnOnce(&mut Entry) -> T) -> T {
        let mut table = self.table.borrow_mut();
        let (entry, forgotten) = table.entry(address, self.limits.addresses_max.div_ceil(2));
        let taken = take(entry);
        self.counters.forgotten.add(forgotten as u64);
        self.counters.known.set(table.len() as u64);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    fn take(table: &mut Generations, n: u32, max: usize) -> (Verdict, usize) {
        let limit = Limit { rate: Rate::new(1, 1).unwrap(), refusals_max: 10 };
        let (entry, forgotten) = table.entry(address(n), max);
        (entry.requests.take(&limit, 1), forgotten)
    }

    #[test]
    fn a_full_table_forgets_who_was_quiet_and_keeps_who_floods() {
        let mut table = Generations::default();
        let mut forgotten = 0;
        assert_eq!(take(&mut table, 0, 8).0, Verdict::Serve);
        for n in 1..1000 {
            forgotten += take(&mut table, n, 8).1;
            assert!(table.len() <= 16, "two generations of 8: {}", table.len());
            let (flooder, more) = take(&mut table, 0, 8);
            assert_ne!(flooder, Verdict::Serve, "it is never forgotten, after {n} others");
            forgotten += more;
        }
        assert_eq!(forgotten + table.len(), 1000, "each is known or was counted as forgotten");
    }
}
