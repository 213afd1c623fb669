//! The commands: `serve` (the default), `migrate`, `check`, `tune`, `version`, `healthcheck`, `help`.
//!
//! Every command that reads the configuration takes the same flags, variables and files. What is printed
//! for a person or a script goes to standard output, what went wrong to standard error.

mod check;
mod command;
mod healthcheck;
mod host;
mod migrate;
mod serve;
mod store;
mod tune;

use std::{ffi::OsString, process::ExitCode};

use kakera::config::{self, Loaded, Sources};

use command::Command;

/// The version of this server.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why a command ended without success; printed as it stands.
type Failure = String;

/// Runs the command that the arguments (without the program's name) ask for.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let result = args
        .map(|arg| {
            arg.into_string().map_err(|arg| format!("the argument {} is not UTF-8", arg.display()))
        })
        .collect::<Result<Vec<_>, _>>()
        .and_then(command::parse)
        .and_then(execute);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("kakera: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(&load(args)?),
        Command::Migrate { direction, limit, args } => migrate::run(direction, limit, &load(args)?),
        Command::Check(args) => {
            check::run(&load(args)?);
            Ok(())
        }
        Command::Healthcheck { port } => healthcheck::run(port),
        Command::Tune(tune) => tune::run(&tune),
        Command::Version => {
            println!("kakera {VERSION}");
            Ok(())
        }
        Command::Help => {
            print!("{}", command::HELP);
            print!("{}", config::help());
            Ok(())
        }
    }
}

fn load(args: Vec<String>) -> Result<Loaded, Failure> {
    config::load(Sources::of_process(args)).map_err(|error| error.to_string())
}
