//! One candidate's node: shard 0 begins and ends each phase on all shards and adds up what they did.

use std::{
    io,
    rc::Rc,
    sync::{Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use bytes::Bytes;
use kakera_shards::{
    Address, NodeId, Protocol, ReplyTo, ShardContext, ShardId,
    boot::{self, BootConfig, ShardError},
    runtime,
};

use super::{Candidate, MeasureError, Numbers, PHASES, Phase, worker::Worker};
use crate::host::Host;

const NODE: NodeId = NodeId(1);
const FIRST: ShardId = ShardId(0);
/// How long a shard may take to begin or end a phase.
const ANSWER: Duration = Duration::from_secs(10);
/// The kernel's unit of processor time, in microseconds.
const TICK_US: f64 = 10_000.0;

pub(super) struct Messages;

impl Protocol for Messages {
    type Request = Ask;
    type Reply = u64;
}

pub(super) enum Ask {
    /// Answered at once.
    Ping,
    Begin(Phase),
    /// Answered with what was done since the beginning.
    End,
    /// To be written to every socket of the shard.
    Deliver(Bytes),
}

/// Runs the candidate, each phase for `each`.
pub(super) fn measure(candidate: &Candidate, each: Duration) -> Result<Numbers, MeasureError> {
    let shards = u16::try_from(candidate.shards)
        .map_err(|_| MeasureError::TooManyShards(candidate.shards))?;
    let config = BootConfig {
        shards,
        pin: !candidate.cpus.is_empty(),
        cpus: candidate.cpus.clone(),
        spin_before_park: Duration::from_micros(candidate.spin_us.into()),
        ..BootConfig::new(NODE)?
    };
    let (results, result) = mpsc::sync_channel(1);
    let results = Mutex::new(results);
    boot::run(&config, move |context: ShardContext<Messages>| {
        let results = results.lock().unwrap_or_else(PoisonError::into_inner).clone();
        async move {
            let worker = Worker::connect(context.mesh.clone()).await?;
            let serving = Rc::clone(&worker);
            context.serve(Rc::new(move |_: Address, ask: Ask, reply: ReplyTo<Messages>| {
                serving.handle(ask, reply);
            }));
            if context.me().shard == FIRST {
                let numbers = lead(&context, each).await;
                context.drain_node();
                // Nobody waits for the result where the node failed elsewhere.
                let _ = results.send(numbers?);
            }
            context.draining().await;
            worker.shut_down().await;
            Ok(())
        }
    })?;
    result.try_recv().map_err(|_| MeasureError::NoResult)
}

/// Leads all shards through the phases.
async fn lead(context: &ShardContext<Messages>, each: Duration) -> Result<Numbers, ShardError> {
    let shards: Vec<Address> = context.mesh.shards().collect();
    let mut numbers = Numbers::default();
    for phase in PHASES {
        let needs_peers = matches!(phase, Phase::RoundTrip | Phase::Calls);
        if needs_peers && shards.len() < 2 {
            continue;
        }
        for shard in &shards {
            // One pair that has the host to itself tells the round trip.
            if phase != Phase::RoundTrip || shard.shard == FIRST {
                context.mesh.call(*shard, Ask::Begin(phase), ANSWER).await.map_err(failed)?;
            }
        }
        let (began, cpu) = (Instant::now(), processor_us()?);
        runtime::sleep(each).await;
        let mut done = 0;
        for shard in &shards {
            done += context.mesh.call(*shard, Ask::End, ANSWER).await.map_err(failed)?;
        }
        let (seconds, cpu) = (began.elapsed().as_secs_f64(), processor_us()? - cpu);
        let rate = done as f64 / seconds;
        let of_one = |time_us: f64| time_us / done.max(1) as f64;
        match phase {
            Phase::RoundTrip => numbers.round_trip_us = of_one(seconds * 1e6),
            Phase::Calls => numbers.calls_per_sec = rate,
            Phase::Echo => numbers.echoes_per_sec = rate,
            Phase::FanOut => {
                numbers.deliveries_per_sec = rate;
                numbers.delivery_cpu_us = of_one(cpu);
            }
        }
    }
    Ok(numbers)
}

fn failed(error: kakera_shards::CallError) -> ShardError {
    format!("a shard did not answer: {error:?}").into()
}

/// Processor time of this process so far, in microseconds.
fn processor_us() -> io::Result<f64> {
    let stat = Host::default().text("/proc/self/stat").ok_or(io::ErrorKind::NotFound)?;
    // The name in brackets may hold spaces; user and system time are fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(ticks as f64 * TICK_US)
}
