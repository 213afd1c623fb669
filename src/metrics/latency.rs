//! A histogram that one thread writes and any thread reads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Upper bounds of the buckets, in microseconds; one more bucket takes the rest.
pub(super) const BOUNDS_MICROS: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// A word with one writer: no locked instruction.
#[derive(Debug, Default)]
pub(super) struct Word(AtomicU64);

impl Word {
    pub(super) fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [Word; BOUNDS_MICROS.len() + 1],
    sum_micros: Word,
}

impl Histogram {
    pub(super) fn record(&self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.add(1);
        }
        self.sum_micros.add(micros);
    }
}

/// How long something takes, as one shard measures it. Clones are the same; only one thread may record.
#[derive(Clone, Debug, Default)]
pub struct Timer(pub(super) Arc<Histogram>);

impl Timer {
    pub fn record(&self, elapsed: Duration) {
        self.0.record(elapsed);
    }
}

/// What histograms of several threads hold together.
#[derive(Clone, Debug, Default)]
pub(super) struct Merged {
    pub(super) buckets: [u64; BOUNDS_MICROS.len() + 1],
    pub(super) sum_micros: u64,
}

impl Merged {
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum = sum.wrapping_add(bucket.get());
        }
        self.sum_micros = self.sum_micros.wrapping_add(histogram.sum_micros.get());
    }

    pub(super) fn add_merged(&mut self, other: &Self) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum = sum.wrapping_add(*bucket);
        }
        self.sum_micros = self.sum_micros.wrapping_add(other.sum_micros);
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for micros in [0, 50, 51, 10_000_000, 10_000_001] {
            histogram.record(Duration::from_micros(micros));
        }
        let mut merged = Merged::default();
        merged.add(&histogram);
        merged.add(&histogram);
        assert_eq!(merged.buckets[..3], [4, 2, 0]);
        assert_eq!(merged.buckets[BOUNDS_MICROS.len() - 1..], [2, 2]);
        assert_eq!((merged.count(), merged.sum_micros), (10, 2 * 20_000_102));
    }
}
