//! What a run counts.

mod series;
mod timeline;

use std::{collections::BTreeMap, mem, time::Duration};

pub use series::Series;
pub use timeline::{Slice, Timeline};

/// Kinds of errors that are told apart; more count under [`OTHER`].
const ERROR_KINDS_MAX: usize = 64;
const OTHER: &str = "other errors";

/// One thread's counts; merged when the threads have ended.
#[derive(Clone, Debug, Default)]
pub struct Measure {
    /// By what was done, in the order of first use.
    pub series: Vec<Series>,
    /// Failures by kind.
    pub errors: BTreeMap<String, u64>,
    /// What is worth telling and is no failure: refusals that a race explains, readers cut off.
    pub notes: BTreeMap<&'static str, u64>,
    /// What each of the senders that compete got done.
    pub shares: Vec<u64>,
    /// How late this program's own sends left; nothing without a clock that they go by.
    pub late: Option<Series>,
    slice: Slice,
}

impl Measure {
    /// One more thing of this kind, `latency` after it was due.
    pub fn done(&mut self, kind: &'static str, latency: Duration) {
        self.series(kind).record(latency);
        self.slice.record(latency);
    }

    /// Things that take no time, such as a socket that stayed open.
    pub fn count(&mut self, kind: &'static str) {
        self.series(kind).done += 1;
        self.slice.done += 1;
    }

    pub fn error(&mut self, kind: impl Into<String>) {
        self.errors_of(kind.into(), 1);
        self.slice.errors += 1;
    }

    /// Several of the same kind; none is no error.
    pub fn errors(&mut self, kind: &'static str, count: u64) {
        if count > 0 {
            self.errors_of(kind.to_owned(), count);
            self.slice.errors += count;
        }
    }

    /// One of this program's own sends by the clock left so long after it was due.
    pub fn sent_late(&mut self, late: Duration) {
        self.late.get_or_insert_with(|| Series::new("sent late")).record(late);
    }

    pub fn note(&mut self, what: &'static str) {
        *self.notes.entry(what).or_default() += 1;
    }

    pub fn done_total(&self) -> u64 {
        self.series.iter().map(|series| series.done).sum()
    }

    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }

    /// All kinds together.
    pub fn overall(&self) -> Series {
        let mut overall = Series::new("all");
        self.series.iter().for_each(|series| overall.merge(series));
        overall
    }

    /// The slowest sender's share as a part of the median's; nothing without senders that compete.
    pub fn fairness(&self) -> Option<f64> {
        let mut shares = self.shares.clone();
        shares.sort_unstable();
        let median = *shares.get(shares.len() / 2)?;
        Some(*shares.first()? as f64 / median.max(1) as f64)
    }

    pub fn merge(&mut self, other: &Self) {
        for series in &other.series {
            self.series(series.kind).merge(series);
        }
        for (kind, count) in &other.errors {
            self.errors_of(kind.clone(), *count);
        }
        for (&what, count) in &other.notes {
            *self.notes.entry(what).or_default() += count;
        }
        self.shares.extend_from_slice(&other.shares);
        if let Some(late) = &other.late {
            self.late.get_or_insert_with(|| Series::new(late.kind)).merge(late);
        }
    }

    /// What was counted since the last call, for the plot over time.
    pub fn take_slice(&mut self) -> Slice {
        mem::take(&mut self.slice)
    }

    fn series(&mut self, kind: &'static str) -> &mut Series {
        let at = self.series.iter().position(|series| series.kind == kind);
        let at = at.unwrap_or_else(|| {
            self.series.push(Series::new(kind));
            self.series.len() - 1
        });
        &mut self.series[at]
    }

    fn errors_of(&mut self, kind: String, count: u64) {
        let is_new = !self.errors.contains_key(&kind);
        let kind = if is_new && self.errors.len() >= ERROR_KINDS_MAX { OTHER.into() } else { kind };
        *self.errors.entry(kind).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_threads_give_the_percentiles_of_all_samples() {
        let (mut one, mut two) = (Measure::default(), Measure::default());
        for ms in 1..=90 {
            one.done("read", Duration::from_millis(ms));
        }
        for ms in 91..=100 {
            two.done("read", Duration::from_millis(ms));
        }
        two.done("write", Duration::from_secs(3));
        two.error("status 500");
        one.error("status 500");
        one.merge(&two);
        assert_eq!(one.done_total(), 101);
        assert_eq!(one.errors["status 500"], 2);
        let read = &one.series[0];
        assert!((read.ms(50.0) - 50.0).abs() < 0.1, "{}", read.ms(50.0));
        assert!((read.ms(99.0) - 99.0).abs() < 0.1, "{}", read.ms(99.0));
        assert!((one.overall().ms(100.0) - 3000.0).abs() < 3.0);
        assert!(one.late.is_none());
        two.sent_late(Duration::from_millis(4));
        one.merge(&two);
        assert!((one.late.unwrap().ms(99.0) - 4.0).abs() < 0.1);
    }

    #[test]
    fn what_takes_no_time_counts_in_its_second_too() {
        let mut measure = Measure::default();
        measure.count("heard");
        measure.done("said", Duration::from_millis(1));
        assert_eq!((measure.done_total(), measure.take_slice().done), (2, 2));
        assert_eq!(measure.take_slice().done, 0);
    }

    #[test]
    fn fairness_is_the_slowest_against_the_median() {
        let measure = Measure { shares: vec![100, 40, 90, 200, 80], ..Measure::default() };
        assert_eq!(measure.fairness(), Some(40.0 / 90.0));
        assert_eq!(Measure::default().fairness(), None);
    }

    #[test]
    fn kinds_of_errors_are_bounded_and_none_is_lost() {
        let mut measure = Measure::default();
        for number in 0..1000 {
            measure.error(format!("error {number}"));
        }
        assert_eq!(measure.errors.len(), ERROR_KINDS_MAX + 1);
        assert_eq!(measure.errors_total(), 1000);
    }
}
