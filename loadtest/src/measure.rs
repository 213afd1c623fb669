//! What a run counts.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

/// One thread's counts; merged when the threads have ended.
#[derive(Clone, Debug)]
pub struct Measure {
    /// Latency in nanoseconds, from when a thing was due until it was done.
    pub latency: Histogram<u64>,
    /// Things done: answers, deliveries.
    pub done: u64,
    /// Failures by kind.
    pub errors: BTreeMap<String, u64>,
}

impl Measure {
    pub fn new() -> Self {
        // From 1 µs to 10 minutes at three digits: about 200 KiB.
        let latency = Histogram::new_with_bounds(1_000, 600_000_000_000, 3)
            .expect("the bounds are constants that the histogram allows");
        Self { latency, done: 0, errors: BTreeMap::new() }
    }

    pub fn done(&mut self, latency: Duration) {
        self.done += 1;
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latency.saturating_record(nanos.max(1_000));
    }

    pub fn error(&mut self, kind: impl Into<String>) {
        *self.errors.entry(kind.into()).or_default() += 1;
    }

    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }

    pub fn merge(&mut self, other: &Self) {
        self.latency += &other.latency;
        self.done += other.done;
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
    }
}
