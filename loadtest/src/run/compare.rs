//! Two targets in turns, A B A B, so that what changes on the machine meanwhile meets both.

use std::sync::Arc;

use anyhow::Result;

use super::{Outcome, run};
use crate::{
    client::trouble::words,
    options::{Options, Target},
};

/// The runs of two targets, in the order they were made.
#[derive(Debug)]
pub struct Comparison {
    pub a: Vec<Outcome>,
    pub b: Vec<Outcome>,
    /// Why there are fewer rounds than were asked for.
    pub broken_off: Option<String>,
}

/// One figure of both: medians over the rounds, and B as a multiple of A.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub name: &'static str,
    pub a: f64,
    pub b: f64,
    /// Nothing where there is nothing to divide by.
    pub b_by_a: Option<Times>,
}

/// B's figure by A's of the same round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
}

pub fn compare(options: &Options, a: &Target, b: &Target) -> Result<Comparison> {
    turns(options.rounds, (a, b), |target| {
        run(&Arc::new(Options { target: target.clone(), ..options.clone() }))
    })
}

/// A turn that fails ends the comparison, and the rounds before it stay. Without a round there is none.
fn turns(
    rounds: u32,
    (a, b): (&Target, &Target),
    play: impl Fn(&Target) -> Result<Outcome>,
) -> Result<Comparison> {
    let mut comparison = Comparison { a: Vec::new(), b: Vec::new(), broken_off: None };
    for round in 1..=rounds {
        for (turn, target) in [("A", a), ("B", b)] {
            match play(target) {
                Ok(outcome) if turn == "A" => comparison.a.push(outcome),
                Ok(outcome) => comparison.b.push(outcome),
                Err(error) if comparison.b.is_empty() => return Err(error),
                Err(error) => {
                    let failure = format!("{turn}{round} could not run: {}", words(&error));
                    return Ok(Comparison { broken_off: Some(failure), ..comparison });
                }
            }
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
            ("latency p50, ms", |outcome| latency(outcome, 50.0)),
            ("latency p99, ms", |outcome| latency(outcome, 99.0)),
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

fn latency(outcome: &Outcome, percentile: f64) -> Option<f64> {
    let overall = outcome.measure.overall();
    overall.is_timed().then(|| overall.ms(percentile))
}

/// Nothing when there are no rounds.
fn ratio(name: &'static str, a: &[f64], b: &[f64]) -> Option<Ratio> {
    let rounds: Vec<f64> = a.iter().zip(b).map(|(a, b)| b / a).collect();
    let times = Times {
        median: median(&rounds)?,
        lowest: rounds.iter().copied().reduce(f64::min)?,
        highest: rounds.iter().copied().reduce(f64::max)?,
    };
    let is_finite = rounds.iter().all(|ratio| ratio.is_finite());
    let b_by_a = is_finite.then_some(times);
    Some(Ratio { name, a: median(a)?, b: median(b)?, b_by_a })
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
        let times = Times { median: 3.0, lowest: 2.0, highest: 3.0 };
        assert_eq!(found.b_by_a, Some(times));
    }

    #[test]
    fn medians_of_even_counts_lie_between() {
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn what_cannot_be_divided_is_told_without_a_ratio() {
        let none = ratio("errors", &[0.0], &[0.0]);
        assert_eq!(none, Some(Ratio { name: "errors", a: 0.0, b: 0.0, b_by_a: None }));
        let some = ratio("errors", &[0.0, 1.0], &[3.0, 2.0]).unwrap();
        assert_eq!((some.b, some.b_by_a), (2.5, None));
        assert_eq!(ratio("errors", &[], &[]), None);
    }

    fn outcome(target: &Target) -> Outcome {
        Outcome {
            target: target.clone(),
            measure: crate::measure::Measure::default(),
            timeline: crate::measure::Timeline::default(),
            elapsed: std::time::Duration::from_secs(1),
            server: None,
            resident_before: None,
            generator_cpu_seconds: 0.0,
            findings: Vec::new(),
        }
    }

    #[test]
    fn rounds_before_one_that_fails_are_kept() {
        let (a, b): (Target, Target) =
            ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let played = std::cell::Cell::new(0);
        let play = |good: u32| {
            played.set(0);
            let play = |target: &Target| {
                played.set(played.get() + 1);
                if played.get() > good {
                    anyhow::bail!("gone")
                }
                Ok(outcome(target))
            };
            turns(5, (&a, &b), play)
        };
        let kept = play(5).unwrap();
        assert_eq!((kept.a.len(), kept.b.len()), (3, 2));
        assert_eq!(kept.broken_off.as_deref(), Some("B3 could not run: gone"));
        assert!(play(1).is_err(), "not one round");
        assert!(play(10).unwrap().broken_off.is_none());
    }
}
