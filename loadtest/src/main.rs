//! `kakera-loadtest`: drives any server that speaks the Nakama protocol and says what it took.
//!
//! Every thread runs its own share of a scenario on its own single-threaded executor, so the generator
//! has no shared state while it runs. Latency is measured from the moment a request was due, not from
//! the moment it could be sent: a server that stalls is charged for all that queued behind the stall.

#![forbid(unsafe_code)]

mod alarm;
mod client;
mod gate;
mod measure;
mod open_files;
mod options;
mod pace;
mod report;
mod run;
mod scenarios;
mod server;

use std::{process::ExitCode, sync::Arc};

use anyhow::{Result, bail};
use clap::Parser;

use client::trouble;
use options::Options;
use report::Report;
use run::compare::compare;
use scenarios::{Scenario, soak};

/// The exit status of a program that panicked, as the language sets it.
const EXIT_PANIC: i32 = 101;

fn main() -> ExitCode {
    // The other threads would wait at the start for one that is gone.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::exit(EXIT_PANIC);
    }));
    open_files::raise();
    match perform(&Arc::new(Options::parse())) {
        Ok(failures) if failures.is_empty() => ExitCode::SUCCESS,
        Ok(failures) => {
            for failure in failures {
                eprintln!("failed: {failure}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{}", trouble::words(&error));
            if let Some(advice) = trouble::advice(&error) {
                eprintln!("{advice}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Runs, reports, and gives what fails the run: what the gate does not let pass, and nothing done at all.
fn perform(options: &Arc<Options>) -> Result<Vec<String>> {
    let report = match (&options.compare, &options.scenario) {
        (Some(_), Scenario::Soak(_)) => {
            bail!("the soak judges one server: give its target, without --compare")
        }
        (Some(targets), _) if let [a, b] = targets.as_slice() => {
            Report::of_two(options, compare(options, a, b)?)
        }
        (_, Scenario::Soak(soak)) => Report::of_one(options, soak::conduct(options, soak)?),
        _ => Report::of_one(options, run::run(options)?),
    };
    report.print();
    report.write_files()?;
    let measures = || report.outcomes.iter().map(|outcome| &outcome.measure);
    if measures().all(|measure| measure.done_total() == 0 && measure.errors_total() > 0) {
        return Ok(vec!["nothing was done, every attempt failed".to_owned()]);
    }
    let gate = options.pass.iter().flat_map(|gate| {
        report.outcomes.iter().enumerate().flat_map(|(index, outcome)| {
            let turn = report.turn(index);
            gate.failures(outcome).into_iter().map(move |failure| format!("{turn}{failure}"))
        })
    });
    Ok(report.broken_off.iter().cloned().chain(gate).collect())
}
