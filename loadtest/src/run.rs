//! One run: threads, their start together, and what came of it.

use std::{
    sync::{Barrier, mpsc::sync_channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

use crate::{
    measure::Measure,
    options::Options,
    scenarios::{self, Share},
    server::Usage,
};

/// What a run measured.
#[derive(Debug)]
pub struct Outcome {
    pub measure: Measure,
    pub elapsed: Duration,
    /// What the server used while it was measured: CPU seconds of the run, resident bytes at its end.
    pub server: Option<Usage>,
    /// Resident bytes of the server before the first connection.
    pub resident_before: Option<u64>,
}

impl Outcome {
    pub fn per_second(&self) -> f64 {
        self.measure.done as f64 / self.elapsed.as_secs_f64()
    }

    /// Things done for each CPU second of the server.
    pub fn per_cpu_second(&self) -> Option<f64> {
        self.server
            .filter(|usage| usage.cpu_seconds > 0.0)
            .map(|usage| self.measure.done as f64 / usage.cpu_seconds)
    }
}

/// Runs the scenario: every thread sets its share up, then all start together.
pub fn run(options: &Options) -> Result<Outcome> {
    let usage = || options.pid.map(Usage::of).transpose();
    let before = usage()?;
    let threads = options.threads.max(1);
    let barrier = Barrier::new(threads + 1);
    let (report, reports) = sync_channel(threads);
    thread::scope(|scope| {
        for index in 0..threads {
            let (barrier, report) = (&barrier, report.clone());
            scope.spawn(move || {
                let result = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .context("cannot start an executor")
                    .and_then(|runtime| {
                        let share = Share { index, threads, start: barrier };
                        runtime.block_on(
                            tokio::task::LocalSet::new().run_until(scenarios::run(options, &share)),
                        )
                    });
                let _ = report.send(result);
            });
        }
        // A thread that fails before the start still comes to the barrier (see `Share`).
        barrier.wait();
        let (started, at_start) = (Instant::now(), usage()?);
        barrier.wait();
        let (elapsed, at_end) = (started.elapsed(), usage()?);
        let mut measure = Measure::new();
        for _ in 0..threads {
            measure.merge(&reports.recv().map_err(|_| anyhow!("a generator thread died"))??);
        }
        let server = at_start.zip(at_end).map(|(start, end)| Usage {
            cpu_seconds: end.cpu_seconds - start.cpu_seconds,
            resident_bytes: end.resident_bytes,
        });
        Ok(Outcome {
            measure,
            elapsed,
            server,
            resident_before: before.map(|usage| usage.resident_bytes),
        })
    })
}
