//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};

use crate::gate::Gate;

/// Loads a server that speaks the Nakama protocol, and prints throughput, latency and what it cost.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// The server's request port.
    #[arg(long, default_value = "127.0.0.1:7350", global = true)]
    pub target: SocketAddr,
    /// The server key (`socket.server_key`).
    #[arg(long, default_value = "defaultkey", global = true)]
    pub key: String,
    /// The server's process id: adds its CPU seconds and resident memory to the result.
    #[arg(long, global = true)]
    pub pid: Option<u32>,
    /// How long to measure, in seconds, after everything is connected.
    #[arg(long, default_value = "10", value_parser = seconds, global = true)]
    pub duration: Duration,
    /// Generator threads; connections are spread over them.
    #[arg(long, default_value_t = 1, global = true)]
    pub threads: usize,
    /// What sockets speak.
    #[arg(long, value_enum, default_value_t = Format::Json, global = true)]
    pub format: Format,
    /// Writes the result as JSON to this file.
    #[arg(long, global = true)]
    pub json: Option<PathBuf>,
    /// Fails unless all hold, for example `p99<20ms,errors=0,rss<2GiB`.
    #[arg(long, global = true)]
    pub pass: Option<Gate>,
    #[command(subcommand)]
    pub scenario: Scenario,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Json,
    Protobuf,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Protobuf => "protobuf",
        }
    }
}

#[derive(Clone, Debug, Subcommand)]
pub enum Scenario {
    /// Opens sockets and leaves them alone: what a session costs in memory.
    Idle {
        #[arg(long, default_value_t = 10_000)]
        sockets: usize,
    },
    /// Sends ping envelopes over sockets and waits for each pong.
    Echo {
        #[arg(long, default_value_t = 200)]
        sockets: usize,
        /// Pings in flight on a socket.
        #[arg(long, default_value_t = 1)]
        depth: usize,
        /// Pings a second in total; absent: as fast as the answers come.
        #[arg(long)]
        rate: Option<f64>,
    },
    /// Signs in devices that exist already, over keep-alive connections.
    SignIn {
        #[arg(long, default_value_t = 64)]
        connections: usize,
        /// Devices, made before the measurement.
        #[arg(long, default_value_t = 1_000)]
        devices: usize,
        /// Sign-ins a second in total; absent: as fast as the answers come.
        #[arg(long)]
        rate: Option<f64>,
    },
    /// Signs up new devices, over keep-alive connections.
    SignUp {
        #[arg(long, default_value_t = 64)]
        connections: usize,
        /// Sign-ups a second in total; absent: as fast as the answers come.
        #[arg(long)]
        rate: Option<f64>,
    },
    /// Reads accounts, over keep-alive connections.
    Account {
        #[arg(long, default_value_t = 64)]
        connections: usize,
        /// Reads a second in total; absent: as fast as the answers come.
        #[arg(long)]
        rate: Option<f64>,
    },
    /// Chat rooms: members send to their room and every member hears it.
    Rooms {
        #[arg(long, default_value_t = 50)]
        rooms: usize,
        #[arg(long, default_value_t = 20)]
        members: usize,
        /// Bytes of each message's content.
        #[arg(long, default_value_t = 64)]
        size: usize,
        /// Deliveries a second in total; absent: one sender a room sends as fast as it hears itself.
        #[arg(long)]
        rate: Option<f64>,
    },
}

impl Scenario {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Idle { .. } => "idle",
            Self::Echo { .. } => "echo",
            Self::SignIn { .. } => "sign-in",
            Self::SignUp { .. } => "sign-up",
            Self::Account { .. } => "account",
            Self::Rooms { .. } => "rooms",
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text} is not a number of seconds"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
