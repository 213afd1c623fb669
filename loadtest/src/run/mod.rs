//! One run: threads, their start together, and what came of it.

pub mod compare;
pub mod reach;
mod watch;

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

use crate::{
    measure::{Measure, Slice, Timeline},
    options::{Options, Target},
    scenarios::{self, Share},
    server::usage::Usage,
};

/// What threads tell while they run, at most this many untold: each tells one a second.
const EVENTS_MAX: usize = 4096;

/// What a run measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub target: Target,
    pub measure: Measure,
    pub timeline: Timeline,
    pub elapsed: Duration,
    /// What the server used while it was measured: CPU seconds of the run, resident bytes at its end.
    pub server: Option<Usage>,
    /// Resident bytes of the server before the first connection.
    pub resident_before: Option<u64>,
    /// CPU seconds of this program while it measured. Near `threads` times the elapsed time, the
    /// generator was the limit and not the server.
    pub generator_cpu_seconds: f64,
    /// What a scenario found out beside its counts, by name.
    pub findings: Vec<(String, String)>,
}

impl Outcome {
    pub fn per_second(&self) -> f64 {
        self.measure.done_total() as f64 / self.elapsed.as_secs_f64()
    }

    /// Things done for each CPU second of the server.
    pub fn per_cpu_second(&self) -> Option<f64> {
        self.server
            .filter(|usage| usage.cpu_seconds > 0.0)
            .map(|usage| self.measure.done_total() as f64 / usage.cpu_seconds)
    }

    /// Resident bytes that the server grew by since before the first connection.
    pub fn grown_bytes(&self) -> Option<u64> {
        Some(self.server?.resident_bytes.saturating_sub(self.resident_before?))
    }
}

/// What a thread tells the main thread while it runs.
pub enum Event {
    /// A second is over.
    Second(usize, Slice),
    /// The story is told; what follows is no longer measured.
    Told,
    /// The thread's result.
    Over(Box<Result<Measure>>),
}

/// What the threads of a run share.
struct Together {
    start: Barrier,
    /// A thread's set-up failed: nobody plays.
    is_off: AtomicBool,
}

/// Runs the scenario against the target of the options: every thread sets its share up, then all start
/// together.
pub fn run(options: &Arc<Options>) -> Result<Outcome> {
    let pid = options.target.pid.or(options.pid);
    let target = reach::reach(&options.target, pid)?;
    let options = &Arc::new(Options { target, ..Options::clone(options) });
    eprintln!("{} against {}: setting up ...", options.scenario.name(), options.target.name);
    let usage = || pid.map(Usage::of).transpose();
    let before = usage()?;
    let threads = options.threads.max(1);
    let together =
        Arc::new(Together { start: Barrier::new(threads + 1), is_off: AtomicBool::new(false) });
    let (tell, events) = sync_channel(EVENTS_MAX);
    for index in 0..threads {
        let (options, together, tell) = (Arc::clone(options), Arc::clone(&together), tell.clone());
        thread::Builder::new().name(format!("load-{index}")).spawn(move || {
            let result = perform(index, threads, &options, &together, &tell);
            let _ = tell.send(Event::Over(Box::new(result)));
        })?;
    }
    drop(tell);

    // A thread that fails before the start still comes to the barrier.
    together.start.wait();
    let (started, at_start) = (Instant::now(), usage()?);
    let own_at_start = Usage::of(std::process::id())?;
    let mut watch = watch::Watch::new(options, threads, pid);
    let mut ended = None;
    let (mut measure, mut failure) = (Measure::default(), None);
    let mut told = 0;
    for event in events {
        match event {
            Event::Second(second, slice) => watch.second(second, &slice),
            Event::Told => {
                told += 1;
                if told == threads {
                    let own = Usage::of(std::process::id())?;
                    // A server that ended meanwhile is a result, not a reason to tell none.
                    ended = Some((started.elapsed(), usage().ok().flatten(), own));
                }
            }
            Event::Over(result) => match *result {
                Ok(part) => measure.merge(&part),
                Err(error) => failure = Some(failure.unwrap_or(error)),
            },
        }
    }
    let timeline = watch.end();
    if let Some(failure) = failure {
        return Err(failure);
    }
    let (elapsed, at_end, own_at_end) = ended.ok_or_else(|| anyhow!("a generator thread died"))?;
    if at_start.is_some() && at_end.is_none() {
        measure.error("the server's process ended");
    }
    let server = at_start.zip(at_end).map(|(start, end)| Usage {
        cpu_seconds: end.cpu_seconds - start.cpu_seconds,
        resident_bytes: end.resident_bytes,
    });
    Ok(Outcome {
        target: options.target.clone(),
        measure,
        timeline,
        elapsed,
        server,
        resident_before: before.map(|usage| usage.resident_bytes),
        generator_cpu_seconds: own_at_end.cpu_seconds - own_at_start.cpu_seconds,
        findings: Vec::new(),
    })
}

/// A thread's part, on an executor of its own.
fn perform(
    index: usize,
    threads: usize,
    options: &Arc<Options>,
    together: &Together,
    tell: &SyncSender<Event>,
) -> Result<Measure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start an executor");
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            together.is_off.store(true, Ordering::Release);
            together.start.wait();
            return Err(error);
        }
    };
    // Whether all are ready is known when the last one has come to the barrier.
    let start = |is_ready: bool| {
        if !is_ready {
            together.is_off.store(true, Ordering::Release);
        }
        together.start.wait();
        !together.is_off.load(Ordering::Acquire)
    };
    let share = Share { index, threads, start: &start, tell };
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(scenarios::run(options, &share)))
}
