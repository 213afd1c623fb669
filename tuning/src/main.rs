//! The tuning tool: it will probe a host, measure shard counts on it and write profiles.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!("kakera-tuning: UNIMPLEMENTED: probing and tuning a host is not built yet.");
    ExitCode::FAILURE
}
