//! Numbers that a shard keeps about itself: written by that shard alone, read by anybody.
//!
//! A counter is one machine word in a block of the shard's own, so that counting is a plain addition
//! and no two shards share a cache line. A scrape reads the words without stopping anybody.

use std::{
    marker::PhantomData,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::ShardId;

/// Words in a block; a new block is taken when one is full.
const BLOCK_LEN: usize = 64;

#[repr(align(128))]
struct Block([AtomicU64; BLOCK_LEN]);

impl Block {
    fn new() -> Arc<Self> {
        Arc::new(Self([const { AtomicU64::new(0) }; BLOCK_LEN]))
    }
}

/// What a number means over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A reading of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub shard: ShardId,
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub value: u64,
}

struct Entry {
    shard: ShardId,
    name: &'static str,
    help: &'static str,
    kind: Kind,
    block: Arc<Block>,
    index: usize,
}

/// All numbers of a node. Clones share one board; the lock is taken when a number is registered and at
/// a scrape, never when one is counted.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<Vec<Entry>>>);

impl Board {
    /// The current value of every number, in the order of registration.
    pub fn read(&self) -> Vec<Reading> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .iter()
            .map(|entry| Reading {
                shard: entry.shard,
                name: entry.name,
                help: entry.help,
                kind: entry.kind,
                value: entry.block.0.get(entry.index).map_or(0, |word| word.load(Relaxed)),
            })
            .collect()
    }

    /// The sum of a number over all shards.
    pub fn sum(&self, name: &str) -> u64 {
        self.read().iter().filter(|r| r.name == name).map(|r| r.value).sum()
    }

    pub(crate) fn of_shard(&self, shard: ShardId) -> Counters {
        Counters { board: self.clone(), shard, _local: PhantomData }
    }
}

/// A shard's way to its own numbers. It stays on its shard's thread.
#[derive(Clone)]
pub struct Counters {
    board: Board,
    shard: ShardId,
    _local: PhantomData<*const ()>,
}

impl Counters {
    /// A number that only grows. The same name twice yields the same number.
    pub fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        self.register(name, help, Kind::Counter)
    }

    /// A number that goes up and down.
    pub fn gauge(&self, name: &'static str, help: &'static str) -> Counter {
        self.register(name, help, Kind::Gauge)
    }

    pub fn board(&self) -> &Board {
        &self.board
    }

    fn register(&self, name: &'static str, help: &'static str, kind: Kind) -> Counter {
        let mut entries = self.board.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last: Option<(Arc<Block>, usize)> = None;
        for entry in entries.iter().filter(|e| e.shard == self.shard) {
            if entry.name == name {
                return Counter::new(Arc::clone(&entry.block), entry.index);
            }
            last = Some((Arc::clone(&entry.block), entry.index));
        }
        let (block, index) = match last {
            Some((block, index)) if index + 1 < BLOCK_LEN => (block, index + 1),
            Some(_) | None => (Block::new(), 0),
        };
        let counter = Counter::new(Arc::clone(&block), index);
        entries.push(Entry { shard: self.shard, name, help, kind, block, index });
        counter
    }
}

/// One number, written by one thread.
#[derive(Clone)]
pub struct Counter {
    block: Arc<Block>,
    index: usize,
    _local: PhantomData<*const ()>,
}

impl Counter {
    fn new(block: Arc<Block>, index: usize) -> Self {
        Self { block, index: index % BLOCK_LEN, _local: PhantomData }
    }

    /// A number that nobody reads, for what lives outside a shard.
    pub fn detached() -> Self {
        Self::new(Block::new(), 0)
    }

    fn word(&self) -> &AtomicU64 {
        &self.block.0[self.index]
    }

    // A load and a store instead of a locked addition: this thread is the only writer.
    pub fn add(&self, n: u64) {
        self.word().store(self.get().wrapping_add(n), Relaxed);
    }

    pub fn increment(&self) {
        self.add(1);
    }

    /// Lowers a gauge.
    pub fn sub(&self, n: u64) {
        self.word().store(self.get().saturating_sub(n), Relaxed);
    }

    pub fn set(&self, value: u64) {
        self.word().store(value, Relaxed);
    }

    /// Raises the number to the value, for high-water marks.
    pub fn raise_to(&self, value: u64) {
        if value > self.get() {
            self.set(value);
        }
    }

    pub fn get(&self) -> u64 {
        self.word().load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_sums_what_each_shard_counted() {
        let board = Board::default();
        let threads: Vec<_> = (0..4)
            .map(|shard| {
                let board = board.clone();
                std::thread::spawn(move || {
                    let counters = board.of_shard(ShardId(shard));
                    let counter = counters.counter("messages", "Messages.");
                    (0..10_000).for_each(|_| counter.increment());
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(board.sum("messages"), 40_000);
        assert_eq!(board.read().len(), 4);
    }

    #[test]
    fn the_same_name_is_the_same_number() {
        let counters = Board::default().of_shard(ShardId(0));
        counters.counter("a", "A.").add(2);
        counters.counter("a", "A.").add(3);
        assert_eq!(counters.board().sum("a"), 5);
    }

    #[test]
    fn more_numbers_than_a_block_holds_stay_apart() {
        const NAMES: [&str; 3] = ["x", "y", "z"];
        let board = Board::default();
        let counters = board.of_shard(ShardId(0));
        // Leaked names stand in for what would be literals.
        let names: Vec<&'static str> = (0..200)
            .map(|i| &*Box::leak(format!("{}{i}", NAMES[i % 3]).into_boxed_str()))
            .collect();
        for (value, name) in names.iter().enumerate() {
            counters.gauge(name, "").set(value as u64);
        }
        for (value, reading) in board.read().iter().enumerate() {
            assert_eq!((reading.name, reading.value), (names[value], value as u64));
        }
    }
}
