//! What a scenario plays on: its thread's share of the work, the clock, and where it counts.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, mpsc::SyncSender},
    time::{Duration, Instant},
};

use crate::{
    client::player::Player,
    measure::{Measure, Slice},
    options::Options,
    run::Event,
};

/// A thread's part of a run.
pub struct Share<'a> {
    pub index: usize,
    pub threads: usize,
    /// Waits for all threads; tells whether all are ready.
    pub start: &'a dyn Fn(bool) -> bool,
    pub tell: &'a SyncSender<Event>,
}

/// When the measurement started and when it ends.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub start: Instant,
    pub end: Instant,
}

impl Clock {
    pub fn starting_now(duration: Duration) -> Self {
        let start = Instant::now();
        Self { start, end: start + duration }
    }

    pub fn is_over(self) -> bool {
        Instant::now() >= self.end
    }

    /// Waits until then, or until the end if that is sooner.
    pub async fn wait_until(self, then: Instant) {
        tokio::time::sleep_until(then.min(self.end).into()).await;
    }
}

/// Cheap to clone: every player of a thread has one.
#[derive(Clone)]
pub struct Stage {
    pub options: Arc<Options>,
    /// Which thread this is.
    pub index: usize,
    threads: usize,
    measure: Rc<RefCell<Measure>>,
    kept: Rc<RefCell<Vec<Player>>>,
}

impl Stage {
    pub fn new(options: &Arc<Options>, share: &Share<'_>) -> Self {
        let (index, threads) = (share.index, share.threads);
        let (measure, kept) = Default::default();
        Self { options: Arc::clone(options), index, threads, measure, kept }
    }

    /// This thread's part of `total`.
    pub fn share(&self, total: usize) -> usize {
        total / self.threads + usize::from(self.index < total % self.threads)
    }

    /// This thread's part of a rate.
    pub fn rate(&self, rate: Option<f64>) -> Option<f64> {
        rate.map(|rate| rate / self.threads as f64)
    }

    /// A source of chance of one player's own, the same in every run with the same seed.
    pub fn chance(&self, player: usize) -> fastrand::Rng {
        let mut seeds = fastrand::Rng::with_seed(self.options.seed);
        let offset = (self.index as u64) << 32 | player as u64;
        fastrand::Rng::with_seed(seeds.u64(..) ^ offset.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// One more thing done, `latency` after it was due.
    pub fn done(&self, kind: &'static str, latency: Duration) {
        self.measure.borrow_mut().done(kind, latency);
    }

    /// One more thing that takes no time.
    pub fn count(&self, kind: &'static str) {
        self.measure.borrow_mut().count(kind);
    }

    pub fn error(&self, kind: impl Into<String>) {
        self.measure.borrow_mut().error(kind);
    }

    pub fn errors(&self, kind: &'static str, count: u64) {
        self.measure.borrow_mut().errors(kind, count);
    }

    /// What was due then leaves now.
    pub fn sends_due(&self, due: Instant) {
        self.measure.borrow_mut().sent_late(due.elapsed());
    }

    pub fn note(&self, what: &'static str) {
        self.measure.borrow_mut().note(what);
    }

    /// What one of the senders that compete got done.
    pub fn sender_did(&self, count: u64) {
        self.measure.borrow_mut().shares.push(count);
    }

    /// Keeps a player's socket open until the measurement is over.
    pub fn keep(&self, player: Player) {
        self.kept.borrow_mut().push(player);
    }

    pub(super) fn take_slice(&self) -> Slice {
        self.measure.borrow_mut().take_slice()
    }

    pub(super) fn into_measure(self) -> Measure {
        self.measure.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn stage(index: usize, threads: usize, seed: &str) -> Stage {
        let options = Arc::new(Options::parse_from(["loadtest", "--seed", seed, "echo"]));
        let (tell, _events) = std::sync::mpsc::sync_channel(1);
        let share = Share { index, threads, start: &|is_ready| is_ready, tell: &tell };
        Stage::new(&options, &share)
    }

    #[test]
    fn shares_add_up_to_the_whole() {
        for (total, threads) in [(10, 3), (2, 4), (64, 1)] {
            let shares = (0..threads).map(|index| stage(index, threads, "1").share(total));
            assert_eq!(shares.sum::<usize>(), total, "{total} over {threads}");
        }
        assert_eq!(stage(0, 4, "1").rate(Some(100.0)), Some(25.0));
    }

    #[test]
    fn players_choose_for_themselves_and_alike_with_the_same_seed() {
        let first = |index, player, seed| stage(index, 2, seed).chance(player).u64(..);
        assert_eq!(first(0, 7, "1"), first(0, 7, "1"));
        let others = [first(0, 8, "1"), first(1, 7, "1"), first(0, 7, "2")];
        assert!(others.iter().all(|other| *other != first(0, 7, "1")), "{others:?}");
    }
}
