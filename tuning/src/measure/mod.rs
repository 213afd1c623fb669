//! Finds out how many shards suit a host, and where: each candidate runs a node of shards that talk to
//! each other and over loopback to themselves.
//!
//! Both ends of every connection are on the same shard, so no generator takes a core away, and a
//! delivery's price is that of the server's send and the client's receive together. The numbers compare
//! candidates; they are not what a server reaches, which also reads envelopes and asks its store.

mod node;
mod worker;

use std::time::Duration;

use serde::Serialize;

use crate::topology::{Choice, Topology};

/// A way to place shards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    pub shards: usize,
    /// CPUs to stay on, one for each shard, as the server does; empty to float.
    pub cpus: Vec<usize>,
    /// How long a shard without work looks for messages before it sleeps, in microseconds.
    pub spin_us: u32,
}

/// What a candidate reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Numbers {
    /// Calls answered between shards, a second. Zero with one shard.
    pub calls_per_sec: f64,
    /// Microseconds from a call to its answer while both shards are otherwise idle. Zero with one shard.
    pub round_trip_us: f64,
    /// Messages echoed over loopback, a second.
    pub echoes_per_sec: f64,
    /// Messages delivered to sockets of all shards, a second.
    pub deliveries_per_sec: f64,
    /// Microseconds of processor time of the process for one such delivery.
    pub delivery_cpu_us: f64,
}

/// A candidate and its numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    pub candidate: Candidate,
    pub numbers: Numbers,
}

/// What is measured with each candidate, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    RoundTrip,
    Calls,
    Echo,
    FanOut,
}

const PHASES: [Phase; 4] = [Phase::RoundTrip, Phase::Calls, Phase::Echo, Phase::FanOut];

/// Starting and stopping a node, roughly.
const OVERHEAD: Duration = Duration::from_millis(500);
/// A phase shorter than this measures noise.
const PHASE_MIN: Duration = Duration::from_millis(200);
/// A longer phase measures no better.
const PHASE_MAX: Duration = Duration::from_secs(3);
/// How much faster a round trip must be for spinning to be worth its processor time.
const SPIN_PAYS: f64 = 0.7;
/// How much more more shards must deliver to be taken.
const SHARDS_PAY: f64 = 1.05;

/// Why a candidate could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    #[error("the node could not run: {0}")]
    Node(#[from] kakera_shards::boot::BootError),
    #[error("the host's cores cannot be learnt: {0}")]
    Host(#[from] std::io::Error),
    #[error("the node ended without a result")]
    NoResult,
    #[error("{0} shards are more than a node can have")]
    TooManyShards(usize),
    #[error("the process may use no CPU")]
    NoCpu,
}

/// Measures a few candidates of at most `shards_max` shards within about `time` and gives them back, the best one
/// first.
/// `progress` hears of each as it is done.
pub fn run(
    topology: &Topology,
    (shards_max, time): (usize, Duration),
    mut progress: impl FnMut(&Measured),
) -> Result<Vec<Measured>, MeasureError> {
    let counts = counts(topology, shards_max);
    let candidates = counts.len() as u32 + spins(true).len() as u32;
    let phase = phase_time(time, candidates);
    let mut all = Vec::new();
    let mut measure = |candidate: Candidate| -> Result<Measured, MeasureError> {
        let numbers = node::measure(&candidate, phase)?;
        let measured = Measured { candidate, numbers };
        progress(&measured);
        all.push(measured.clone());
        Ok(measured)
    };
    let mut best: Option<Measured> = None;
    for cpus in counts {
        let candidate = Candidate { shards: cpus.len(), cpus, spin_us: 0 };
        let measured = measure(candidate)?;
        if best.as_ref().is_none_or(|best| pays(best, &measured, SHARDS_PAY)) {
            best = Some(measured);
        }
    }
    let mut best = best.ok_or(MeasureError::NoCpu)?;
    for &spin_us in spins(best.candidate.shards > 1) {
        let measured = measure(Candidate { spin_us, ..best.candidate.clone() })?;
        let faster = measured.numbers.round_trip_us < best.numbers.round_trip_us * SPIN_PAYS;
        if faster && pays(&best, &measured, 1.0 / SHARDS_PAY) {
            best = measured;
        }
    }
    all.retain(|measured| *measured != best);
    all.insert(0, best);
    Ok(all)
}

fn pays(old: &Measured, new: &Measured, factor: f64) -> bool {
    new.numbers.deliveries_per_sec > old.numbers.deliveries_per_sec * factor
}

fn phase_time(time: Duration, candidates: u32) -> Duration {
    let share = (time / candidates.max(1)).saturating_sub(OVERHEAD) / PHASES.len() as u32;
    share.clamp(PHASE_MIN, PHASE_MAX)
}

fn spins(pays: bool) -> &'static [u32] {
    if pays { &[20, 100] } else { &[] }
}

/// CPUs to try, ascending in number: one, half of the cores, all cores, all hardware threads, as far as there may be
/// so many.
fn counts(topology: &Topology, shards_max: usize) -> Vec<Vec<usize>> {
    let all = topology.choose(Choice::default());
    let cores = topology.cores_len();
    let mut counts =
        [1, cores / 2, cores, all.len()].map(|count| count.min(shards_max.max(1))).to_vec();
    counts.retain(|count| *count > 0);
    counts.sort_unstable();
    counts.dedup();
    counts.iter().filter_map(|count| all.get(..*count).map(<[usize]>::to_vec)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Cpu;

    #[test]
    fn one_half_all_cores_and_all_threads_are_tried_once_each() {
        let cpus = (0..16).map(|id| Cpu { id, core: id % 8, node: 0 }).collect();
        let lens: Vec<usize> = counts(&Topology { cpus }, 16).iter().map(Vec::len).collect();
        assert_eq!(lens, [1, 4, 8, 16]);
        let cpus = vec![Cpu { id: 3, core: 3, node: 0 }];
        assert_eq!(counts(&Topology { cpus: cpus.clone() }, 1), [[3]]);
        assert_eq!(counts(&Topology { cpus }, 0), [[3]], "there is always one");
        assert!(counts(&Topology::default(), 1).is_empty());
    }

    #[test]
    fn the_time_is_shared_by_the_candidates_within_bounds() {
        assert_eq!(phase_time(Duration::from_secs(100), 5), PHASE_MAX);
        assert_eq!(phase_time(Duration::from_secs(1), 5), PHASE_MIN);
        let each = phase_time(Duration::from_secs(30), 6);
        assert!(each * 6 * 4 + OVERHEAD * 6 <= Duration::from_secs(30));
    }

    #[test]
    fn two_shards_are_measured_and_every_number_is_there() {
        let candidate = Candidate { shards: 2, cpus: Vec::new(), spin_us: 0 };
        let numbers = node::measure(&candidate, Duration::from_millis(100)).expect("it runs");
        for number in [
            numbers.calls_per_sec,
            numbers.round_trip_us,
            numbers.echoes_per_sec,
            numbers.deliveries_per_sec,
            numbers.delivery_cpu_us,
        ] {
            assert!(number > 0.0 && number.is_finite(), "{numbers:?}");
        }
    }

    #[test]
    fn one_shard_has_nobody_to_call_and_still_delivers() {
        let candidate = Candidate { shards: 1, cpus: Vec::new(), spin_us: 0 };
        let numbers = node::measure(&candidate, Duration::from_millis(50)).expect("it runs");
        assert_eq!((numbers.calls_per_sec, numbers.round_trip_us), (0.0, 0.0));
        assert!(numbers.deliveries_per_sec > 0.0);
    }
}
