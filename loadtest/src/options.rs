//! The command line.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use clap::Parser;

use crate::{client::codec::Format, gate::Gate, scenarios::Scenario};

/// Loads a server that speaks the Nakama protocol, and prints throughput, latency and what it cost.
#[derive(Clone, Debug, Parser)]
// A script's defaults stand before what its caller adds: the last one counts.
#[command(version, args_override_self = true)]
pub struct Options {
    /// The server's request port, and after an @ its process id, which adds its CPU seconds and memory.
    #[arg(long, default_value = "127.0.0.1:7350", value_name = "HOST:PORT[@PID]", global = true)]
    pub target: Target,
    /// The process id, when it is not in the target.
    #[arg(long, global = true)]
    pub pid: Option<u32>,
    /// Runs against two targets in turns, A B A B, and prints ratios.
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "pid", global = true)]
    pub compare: Option<Vec<Target>>,
    /// How many times each of two compared targets has its turn.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..), global = true)]
    pub rounds: u32,
    /// The server key (`socket.server_key`).
    #[arg(long, default_value = "defaultkey", global = true)]
    pub key: String,
    /// Where the server publishes Prometheus text (`metrics.prometheus_port`).
    #[arg(long, value_name = "HOST:PORT", value_parser = address, global = true)]
    pub metrics: Option<SocketAddr>,
    /// How long to measure, in seconds, after everything is connected.
    #[arg(long, default_value = "10", value_parser = some_seconds, global = true)]
    pub duration: Duration,
    /// Generator threads; connections are spread over them.
    #[arg(long, default_value_t = 1, global = true)]
    pub threads: usize,
    /// What sockets speak.
    #[arg(long, value_enum, default_value_t = Format::Json, global = true)]
    pub format: Format,
    /// What chance starts from; the same seed makes the same choices.
    #[arg(long, default_value_t = 1, global = true)]
    pub seed: u64,
    /// Writes the result as JSON to this file.
    #[arg(long, value_name = "FILE", global = true)]
    pub json: Option<PathBuf>,
    /// Writes a report with plots to this file; it opens without a network.
    #[arg(long, value_name = "FILE", global = true)]
    pub html: Option<PathBuf>,
    /// Fails unless all hold, for example `p99<20ms,errors=0,rss<2GiB`.
    #[arg(long, global = true)]
    pub pass: Option<Gate>,
    #[command(subcommand)]
    pub scenario: Scenario,
}

/// A server to load.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// As it was given.
    pub name: String,
    /// What the name stands for; a run goes to the first that accepts.
    pub addresses: Vec<SocketAddr>,
    pub pid: Option<u32>,
}

impl Target {
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, pid) = match text.split_once('@') {
            Some((host, pid)) => {
                (host, Some(pid.parse().map_err(|_| format!("\"{pid}\" is no process id"))?))
            }
            None => (text, None),
        };
        Ok(Self { name: host.to_owned(), addresses: addresses(host)?, pid })
    }
}

/// At least one.
fn addresses(text: &str) -> Result<Vec<SocketAddr>, String> {
    let found = text.to_socket_addrs().map_err(|error| format!("{error}, as in 127.0.0.1:7350"))?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() { Err(format!("{text} has no address")) } else { Ok(found) }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    Ok(addresses(text)?[0])
}

/// More things a second than any generator makes.
const RATE_MAX: f64 = 1e9;
/// As long as messages can tell when they were due.
const SECONDS_MAX: f64 = 86_400.0;

/// How many a second: more than none.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate = number(text, RATE_MAX)?;
    if rate > 0.0 { Ok(rate) } else { Err("must be more than 0".to_owned()) }
}

/// A time, which may be none.
pub fn seconds(text: &str) -> Result<Duration, String> {
    Ok(Duration::from_secs_f64(number(text, SECONDS_MAX)?))
}

/// A time in which something happens.
pub fn some_seconds(text: &str) -> Result<Duration, String> {
    let time = seconds(text)?;
    if time.is_zero() { Err("must be more than 0 s".to_owned()) } else { Ok(time) }
}

fn number(text: &str, max: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text} is not a number"))?;
    if (0.0..=max).contains(&number) {
        Ok(number)
    } else {
        Err(format!("must be a number from 0 to {max}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_option_given_twice_the_last_counts() {
        let arguments = ["loadtest", "--duration", "1", "--duration", "3", "echo"];
        assert_eq!(Options::parse_from(arguments).duration, Duration::from_secs(3));
    }

    #[test]
    fn rates_and_times_are_numbers_that_can_be_kept() {
        for wrong in ["nan", "inf", "-1", "0", "1e12", "", "ten"] {
            assert!(rate(wrong).is_err(), "{wrong}");
            assert!(some_seconds(wrong).is_err(), "{wrong}");
        }
        assert!(seconds("1e300").is_err());
        assert_eq!(rate("0.5"), Ok(0.5));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        assert_eq!(some_seconds("1.5"), Ok(Duration::from_millis(1500)));
    }

    #[test]
    fn a_target_may_carry_its_process() {
        let target: Target = "127.0.0.1:7350@42".parse().unwrap();
        assert_eq!((target.name.as_str(), target.pid), ("127.0.0.1:7350", Some(42)));
        assert_eq!("localhost:1".parse::<Target>().unwrap().address().port(), 1);
        for wrong in ["", "127.0.0.1", "127.0.0.1:1@me"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
