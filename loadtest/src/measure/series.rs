//! The latencies of one kind of thing.

use std::time::Duration;

use hdrhistogram::Histogram;

/// 1 µs, the shortest latency that is told apart.
const SHORTEST_NS: u64 = 1_000;
/// 10 minutes; longer ones count as this.
const LONGEST_NS: u64 = 600_000_000_000;

#[derive(Clone, Debug)]
pub struct Series {
    pub kind: &'static str,
    pub done: u64,
    latency: Histogram<u64>,
}

impl Series {
    pub fn new(kind: &'static str) -> Self {
        Self { kind, done: 0, latency: histogram(3) }
    }

    pub fn record(&mut self, latency: Duration) {
        self.done += 1;
        record(&mut self.latency, latency);
    }

    /// `other` of the same kind, or of any for an overall view.
    pub fn merge(&mut self, other: &Self) {
        self.done += other.done;
        self.latency += &other.latency;
    }

    /// Whether something was timed.
    pub fn is_timed(&self) -> bool {
        !self.latency.is_empty()
    }

    /// Milliseconds at a percentile (0 to 100).
    pub fn ms(&self, percentile: f64) -> f64 {
        self.latency.value_at_percentile(percentile) as f64 / 1e6
    }
}

/// `digits` significant digits: three take about 200 KiB, two about 30 KiB.
pub(super) fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(SHORTEST_NS, LONGEST_NS, digits)
        .expect("the bounds are constants that the histogram allows")
}

pub(super) fn record(histogram: &mut Histogram<u64>, latency: Duration) {
    let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
    histogram.saturating_record(nanos.max(SHORTEST_NS));
}
