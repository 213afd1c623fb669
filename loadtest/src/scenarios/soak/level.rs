//! The soak as a whole: warm up, take the level, soak, and compare.
//!
//! The level is the server's resident memory with nobody connected, when all gauges are zero: the lowest
//! reading of a rest, once after the warm-up and once after the measurement.

use std::{
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::Soak;
use crate::{
    options::Options,
    run::{Outcome, reach::reach, run},
    server::{gauges, usage::Usage},
};

/// What must be zero when everybody has left.
const GAUGES: [&str; 6] =
    ["sessions", "presences", "streams", "matches", "parties", "matchmaker_tickets"];
/// How often gauges and memory are read.
const READING_PERIOD: Duration = Duration::from_millis(500);
/// Growth that is never called a leak: one more arena of an allocator.
const GROWTH_FREE_BYTES: u64 = 4 << 20;

/// Runs warm-up and measurement. What is left behind counts as errors of the outcome.
pub fn conduct(options: &Arc<Options>, soak: &Soak) -> Result<Outcome> {
    reach(&options.target, options.target.pid.or(options.pid))?;
    // What is missing at the end had better be missed at the beginning.
    let metrics = options.metrics.context("a soak reads the server's gauges: give --metrics")?;
    gauges::read(metrics, &GAUGES)?;
    let warm_up = Arc::new(Options { duration: soak.warm_up, ..(**options).clone() });
    let mut before = run(&warm_up)?;
    let level = settle(options, metrics, soak, &mut before)?;
    let mut outcome = run(options)?;
    let end = settle(options, metrics, soak, &mut outcome)?;
    // What the warm-up left behind is a finding too.
    outcome.measure.errors.extend(
        before.measure.errors.into_iter().map(|(kind, count)| (format!("warm-up: {kind}"), count)),
    );
    if let Some((level, end)) = level.zip(end) {
        let row = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1_048_576.0);
        outcome.findings.push(("memory, all gone, at first".into(), row(level)));
        outcome.findings.push(("memory, all gone, at the end".into(), row(end)));
        if end > limit(level, soak.growth) {
            outcome.measure.error(format!("memory grew from {} to {}", row(level), row(end)));
        }
    }
    Ok(outcome)
}

/// Waits until the gauges are zero, then rests. Gives the lowest memory of the rest.
fn settle(
    options: &Options,
    metrics: SocketAddr,
    soak: &Soak,
    outcome: &mut Outcome,
) -> Result<Option<u64>> {
    let start = Instant::now();
    loop {
        let gauges = gauges::read(metrics, &GAUGES)?;
        let left: Vec<_> = gauges.iter().filter(|(_, value)| **value != 0.0).collect();
        if left.is_empty() {
            let took = format!("{:.1} s", start.elapsed().as_secs_f64());
            outcome.findings.push(("all gauges at zero after".into(), took));
            break;
        }
        if start.elapsed() > soak.settle {
            for (name, value) in left {
                outcome.findings.push((format!("left behind: {name}"), value.to_string()));
                outcome.measure.error(format!("the server still counts {name}"));
            }
            break;
        }
        thread::sleep(READING_PERIOD);
    }
    let Some(pid) = options.target.pid.or(options.pid) else { return Ok(None) };
    let (start, mut lowest) = (Instant::now(), u64::MAX);
    while lowest == u64::MAX || start.elapsed() < soak.rest {
        lowest = lowest.min(Usage::of(pid)?.resident_bytes);
        thread::sleep(READING_PERIOD);
    }
    Ok(Some(lowest))
}

fn limit(level: u64, percent: u32) -> u64 {
    level + level / 100 * u64::from(percent) + GROWTH_FREE_BYTES
}

#[cfg(test)]
mod tests {
    use super::limit;

    #[test]
    fn the_limit_is_the_level_with_its_growth_and_an_arena() {
        assert_eq!(limit(100 << 20, 10), (104 << 20) + (100 << 20) / 100 * 10);
    }
}
