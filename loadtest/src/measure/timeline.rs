//! The run second by second.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::series::{histogram, record};
use crate::server::usage::Usage;

/// Seconds that are kept; a longer run keeps the later ones in its last row.
const SECONDS_MAX: usize = 24 * 3600;

/// What one second brought.
#[derive(Clone, Debug)]
pub struct Slice {
    pub done: u64,
    pub errors: u64,
    latency: Histogram<u64>,
    /// The server at the end of the second.
    pub server: Option<Usage>,
}

impl Default for Slice {
    fn default() -> Self {
        Self { done: 0, errors: 0, latency: histogram(2), server: None }
    }
}

impl Slice {
    pub fn record(&mut self, latency: Duration) {
        self.done += 1;
        record(&mut self.latency, latency);
    }

    pub fn ms(&self, percentile: f64) -> f64 {
        self.latency.value_at_percentile(percentile) as f64 / 1e6
    }

    fn merge(&mut self, other: &Self) {
        self.done += other.done;
        self.errors += other.errors;
        self.latency += &other.latency;
    }
}

/// One row a second, all threads together.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Default)]
struct Row {
    slice: Slice,
    threads: usize,
}

impl Timeline {
    /// Adds one thread's slice. Gives the second's row once `threads` have told theirs.
    pub fn add(&mut self, second: usize, slice: &Slice, threads: usize) -> Option<&mut Slice> {
        let second = second.min(SECONDS_MAX);
        while self.rows.len() <= second {
            self.rows.push(Row::default());
        }
        let row = &mut self.rows[second];
        row.slice.merge(slice);
        row.threads += 1;
        (row.threads == threads).then_some(&mut row.slice)
    }

    pub fn slices(&self) -> impl Iterator<Item = &Slice> {
        self.rows.iter().map(|row| &row.slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_whole_when_every_thread_told_of_it() {
        let mut timeline = Timeline::default();
        let mut slice = Slice::default();
        slice.record(Duration::from_millis(7));
        assert!(timeline.add(1, &slice, 2).is_none());
        assert!(timeline.add(0, &slice, 2).is_none());
        let whole = timeline.add(1, &slice, 2).unwrap();
        assert_eq!(whole.done, 2);
        assert!((whole.ms(50.0) - 7.0).abs() < 0.1);
        assert_eq!(timeline.slices().count(), 2);
    }
}
