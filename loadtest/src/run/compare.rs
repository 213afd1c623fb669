//! Two targets in turns, A B A B, so that what changes on the machine meanwhile meets both.

use std::sync::Arc;

use anyhow::Result;

use super::{Outcome, run};
use crate::options::{Options, Target};

/// The runs of two targets, in the order they were made.
#[derive(Debug)]
pub struct Comparison {
    pub a: Vec<Outcome>,
    pub b: Vec<Outcome>,
}

/// One figure of both: medians over the rounds, and B as a multiple of A.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub name: &'static str,
    pub a: f64,
    pub b: f64,
    /// The median over the rounds of B's figure by A's of the same round.
    pub b_by_a: f64,
    /// The lowest and highest of the rounds.
    pub spread: (f64, f64),
}

pub fn compare(options: &Options, a: &Target, b: &Target) -> Result<Comparison> {
    let mut comparison = Comparison { a: Vec::new(), b: Vec::new() };
    for _ in 0..options.rounds {
        for (target, outcomes) in [(a, &mut comparison.a), (b, &mut comparison.b)] {
            let options = Arc::new(Options { target: target.clone(), ..options.clone() });
            outcomes.push(run(&options)?);
        }
    }
    Ok(comparison)
}

impl Comparison {
    pub fn ratios(&self) -> Vec<Ratio> {
        type Figure = (&'static str, fn(&Outcome) -> Option<f64>);
        let figures: [Figure; 6] = [
            ("done a second", |outcome| Some(outcome.per_second())),
            ("done a server-CPU-second", Outcome::per_cpu_second),
            ("latency p50, ms", |outcome| Some(outcome.measure.overall().ms(50.0))),
            ("latency p99, ms", |outcome| Some(outcome.measure.overall().ms(99.0))),
            ("server memory, MiB", |outcome| {
                outcome.server.map(|usage| usage.resident_bytes as f64 / 1_048_576.0)
            }),
            ("errors", |outcome| Some(outcome.measure.errors_total() as f64)),
        ];
        let all = |outcomes: &[Outcome], figure: fn(&Outcome) -> Option<f64>| {
            outcomes.iter().map(figure).collect::<Option<Vec<f64>>>()
        };
        figures
            .into_iter()
            .filter_map(|(name, figure)| {
                ratio(name, &all(&self.a, figure)?, &all(&self.b, figure)?)
            })
            .collect()
    }
}

/// Nothing when there are no rounds, or nothing to divide by.
fn ratio(name: &'static str, a: &[f64], b: &[f64]) -> Option<Ratio> {
    let rounds: Vec<f64> = a.iter().zip(b).map(|(a, b)| b / a).collect();
    if rounds.iter().any(|ratio| !ratio.is_finite()) {
        return None;
    }
    let lowest = rounds.iter().copied().reduce(f64::min)?;
    let highest = rounds.iter().copied().reduce(f64::max)?;
    Some(Ratio {
        name,
        a: median(a)?,
        b: median(b)?,
        b_by_a: median(&rounds)?,
        spread: (lowest, highest),
    })
}

/// The middle one, or the mean of the two in the middle.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[middle - 1], upper)
    } else {
        upper
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_pairs_the_rounds_and_tells_their_spread() {
        // The machine slowed down for both in the last round: the ratio stays.
        let found = ratio("rate", &[100.0, 120.0, 50.0], &[300.0, 240.0, 150.0]).unwrap();
        assert_eq!((found.a, found.b), (100.0, 240.0));
        assert_eq!((found.b_by_a, found.spread), (3.0, (2.0, 3.0)));
    }

    #[test]
    fn medians_of_even_counts_lie_between() {
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn what_cannot_be_divided_has_no_ratio() {
        assert_eq!(ratio("errors", &[0.0], &[0.0]), None);
        assert_eq!(ratio("errors", &[], &[]), None);
    }
}
