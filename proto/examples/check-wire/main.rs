//! Compares what this crate was compiled from with the public protocol, as machine-readable facts:
//! `cargo run -p kakera-proto --example check-wire -- FOLDER`, where the folder holds `messages.json`,
//! `console_messages.json`, `routes.json` and `console_routes.json`.
//!
//! Differences go to standard output, one a line, in both directions: what is missing here and what is
//! here alone. The exit code is 0 without differences, 1 with some, and 2 if the folder cannot be read.

mod messages;
mod routes;

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use kakera_proto::{
    DESCRIPTORS,
    routes::{ConsoleRpc, Rpc},
};
use prost_reflect::DescriptorPool;
use serde_json::Value;

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: check-wire FOLDER");
        return ExitCode::from(2);
    };
    match check(&folder) {
        Ok(report) => {
            for difference in &report.differences {
                println!("{difference}");
            }
            eprintln!("{} facts compared, {} differ", report.compared, report.differences.len());
            ExitCode::from(u8::from(!report.differences.is_empty()))
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn check(folder: &Path) -> Result<Report, String> {
    let pool = DescriptorPool::decode(DESCRIPTORS).map_err(|error| error.to_string())?;
    let mut report = Report::default();
    let api = read(folder, "messages.json")?;
    messages::check(&mut report, &pool, &api, &["nakama.api", "nakama.realtime"])?;
    let console = read(folder, "console_messages.json")?;
    messages::check(&mut report, &pool, &console, &["nakama.console"])?;
    routes::check::<Rpc>(&mut report, &read(folder, "routes.json")?)?;
    routes::check::<ConsoleRpc>(&mut report, &read(folder, "console_routes.json")?)?;
    Ok(report)
}

fn read(folder: &Path, name: &str) -> Result<Value, String> {
    let path = folder.join(name);
    let text = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

#[derive(Default)]
struct Report {
    compared: usize,
    differences: Vec<String>,
}

impl Report {
    fn compare<T>(&mut self, what: impl fmt::Display, wanted: &T, found: &T)
    where
        T: PartialEq + fmt::Debug + ?Sized,
    {
        self.compared += 1;
        if wanted != found {
            self.differences.push(format!("{what}: {wanted:?} in the protocol, {found:?} here"));
        }
    }

    /// Whether both sides have it.
    fn both(&mut self, what: impl fmt::Display, wanted: bool, found: bool) -> bool {
        self.compared += 1;
        match (wanted, found) {
            (true, false) => self.differences.push(format!("{what}: missing here")),
            (false, true) => self.differences.push(format!("{what}: not in the protocol")),
            _ => {}
        }
        wanted && found
    }
}

/// The list under a key; absent is empty.
fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text under a key, which the facts must have.
fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value.get(key).and_then(Value::as_str).ok_or_else(|| format!("no `{key}` in {value}"))
}
