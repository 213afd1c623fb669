//! `kakera-loadtest`: drives any server that speaks the Nakama protocol and says what it took.
//!
//! Every thread runs its own share of a scenario on its own single-threaded executor, so the generator
//! has no shared state while it runs. Latency is measured from the moment a request was due, not from
//! the moment it could be sent: a server that stalls is charged for all that queued behind the stall.

#![forbid(unsafe_code)]

mod codec;
mod gate;
mod http;
mod measure;
mod options;
mod pace;
mod report;
mod run;
mod scenarios;
mod server;
mod socket;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let options = options::Options::parse();
    match run::run(&options) {
        Ok(outcome) => {
            report::print(&options, &outcome);
            if let Some(path) = &options.json
                && let Err(error) = report::write_json(path, &options, &outcome)
            {
                eprintln!("cannot write {}: {error}", path.display());
                return ExitCode::FAILURE;
            }
            let failed =
                options.pass.as_ref().map_or_else(Vec::new, |gate| gate.failures(&outcome));
            for failure in &failed {
                eprintln!("gate: {failure}");
            }
            if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
