//! Calls by transport, rpc and status code: how many, how big, how long.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use hashbrown::{Equivalent, HashMap};
use kakera_shards::{ShardId, counters::Board};

use super::{
    Kind,
    family::Families,
    latency::{Histogram, Merged, Word},
    lock, shard,
};
use crate::{error::ErrorKind, limits::METRICS_CALLS_MAX};

/// Sizes of a call's body and its answer's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bytes {
    pub received: u64,
    pub sent: u64,
}

/// How a call came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// A method of the API, by HTTP or gRPC.
    Api,
    /// A script's function, by HTTP or gRPC.
    ApiRpc,
    /// A script's function, by socket.
    WsRpc,
}

impl Transport {
    fn label(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::ApiRpc => "api_rpc",
            Self::WsRpc => "ws_rpc",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    transport: Transport,
    rpc: Box<str>,
    code: &'static str,
}

/// A key that borrows its rpc, so that looking up allocates nothing. Hashes as `Key` does.
#[derive(Hash)]
struct Lookup<'a> {
    transport: Transport,
    rpc: &'a str,
    code: &'static str,
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.transport == key.transport && *self.rpc == *key.rpc && self.code == key.code
    }
}

#[derive(Debug, Default)]
struct Cell {
    received_bytes: Word,
    sent_bytes: Word,
    latency: Histogram,
}

impl Cell {
    fn count(&self, elapsed: Duration, bytes: Bytes) {
        self.received_bytes.add(bytes.received);
        self.sent_bytes.add(bytes.sent);
        self.latency.record(elapsed);
    }
}

/// A shard's calls. The shard keeps a map of its own; this list is what a scrape reads.
#[derive(Debug)]
pub(super) struct Calls {
    shard: ShardId,
    cells: Mutex<Vec<(Key, Arc<Cell>)>>,
}

impl Calls {
    pub(super) fn new(shard: ShardId) -> Self {
        Self { shard, cells: Mutex::default() }
    }

    pub(super) fn shard(&self) -> ShardId {
        self.shard
    }

    fn register(&self, key: Key) -> Arc<Cell> {
        let cell = Arc::new(Cell::default());
        lock(&self.cells).push((key, Arc::clone(&cell)));
        cell
    }
}

/// A shard's own map from call to cell; only that shard has it.
#[derive(Debug)]
pub(super) struct CallMap {
    calls: Arc<Calls>,
    cells: HashMap<Key, Arc<Cell>>,
}

impl CallMap {
    pub(super) fn new(calls: Arc<Calls>) -> Self {
        Self { calls, cells: HashMap::new() }
    }

    pub(super) fn count(
        &mut self,
        transport: Transport,
        rpc: &str,
        error: Option<ErrorKind>,
        elapsed: Duration,
        bytes: Bytes,
    ) {
        let code = code_name(error);
        if let Some(cell) = self.cells.get(&Lookup { transport, rpc, code }) {
            return cell.count(elapsed, bytes);
        }
        // Names that scripts choose must not grow the memory without bound.
        let rpc = if self.cells.len() < METRICS_CALLS_MAX { rpc } else { "other" };
        let key = Key { transport, rpc: rpc.into(), code };
        let register = || self.calls.register(key.clone());
        self.cells.entry(key.clone()).or_insert_with(register).count(elapsed, bytes);
    }
}

/// The name that gRPC's Go library gives a code.
fn code_name(error: Option<ErrorKind>) -> &'static str {
    let Some(kind) = error else { return "OK" };
    match kind {
        ErrorKind::Cancelled => "Canceled",
        ErrorKind::Unknown => "Unknown",
        ErrorKind::InvalidArgument => "InvalidArgument",
        ErrorKind::DeadlineExceeded => "DeadlineExceeded",
        ErrorKind::NotFound => "NotFound",
        ErrorKind::AlreadyExists => "AlreadyExists",
        ErrorKind::PermissionDenied => "PermissionDenied",
        ErrorKind::ResourceExhausted => "ResourceExhausted",
        ErrorKind::FailedPrecondition => "FailedPrecondition",
        ErrorKind::Aborted => "Aborted",
        ErrorKind::OutOfRange => "OutOfRange",
        ErrorKind::Unimplemented => "Unimplemented",
        ErrorKind::Internal => "Internal",
        ErrorKind::Unavailable => "Unavailable",
        ErrorKind::DataLoss => "DataLoss",
        ErrorKind::Unauthenticated => "Unauthenticated",
    }
}

/// Cells of all shards, summed.
#[derive(Clone, Debug, Default)]
struct Sum {
    received_bytes: u64,
    sent_bytes: u64,
    errors: u64,
    latency: Merged,
}

impl Sum {
    fn add_cell(&mut self, cell: &Cell) {
        self.received_bytes += cell.received_bytes.get();
        self.sent_bytes += cell.sent_bytes.get();
        self.latency.add(&cell.latency);
    }

    fn add(&mut self, other: &Self, is_error: bool) {
        self.received_bytes += other.received_bytes;
        self.sent_bytes += other.sent_bytes;
        self.errors += if is_error { other.latency.count() } else { 0 };
        self.latency.add_merged(&other.latency);
    }

    /// As `NAME_count`, `NAME_recv_bytes`, and so on.
    fn render(&self, name: &str, families: &mut Families<'_>, labels: &[(&'static str, String)]) {
        let mut counter = |suffix: &str, help: &'static str, value: u64| {
            families.number(&format!("{name}_{suffix}"), help, Kind::Counter, labels, value as f64);
        };
        counter("count", "Calls.", self.latency.count());
        counter("recv_bytes", "Bytes of requests.", self.received_bytes);
        counter("sent_bytes", "Bytes of responses.", self.sent_bytes);
        counter("errors", "Calls that ended with an error.", self.errors);
    }
}

impl Calls {
    /// Writes three views of the same cells, as the reference does: by labels, by rpc, and overall.
    pub(super) fn render(all: &[Arc<Self>], board: &Board, families: &mut Families<'_>) {
        let mut by_key: BTreeMap<Key, Sum> = BTreeMap::new();
        for calls in all {
            for (key, cell) in lock(&calls.cells).iter() {
                by_key.entry(key.clone()).or_default().add_cell(cell);
            }
        }

        let mut overall = Sum::default();
        let mut by_rpc: BTreeMap<(Option<Box<str>>, Box<str>), Sum> = BTreeMap::new();
        for (key, sum) in &by_key {
            let is_error = key.code != "OK";
            overall.add(sum, is_error);
            // Scripts' functions share the name `Rpc` and are told apart by a label.
            let name = match key.transport {
                Transport::Api => (None, key.rpc.clone()),
                Transport::ApiRpc | Transport::WsRpc => (Some(key.rpc.clone()), "Rpc".into()),
            };
            by_rpc.entry(name).or_default().add(sum, is_error);

            let labels = [
                ("transport", key.transport.label().to_owned()),
                ("rpc_id", key.rpc.to_string()),
                ("rpc_code", key.code.to_owned()),
            ];
            let count = sum.latency.count();
            families.number("count", "Calls.", Kind::Counter, &labels, count as f64);
            families.number(
                "recv_bytes",
                "Bytes of requests.",
                Kind::Counter,
                &labels,
                sum.received_bytes as f64,
            );
            families.number(
                "sent_bytes",
                "Bytes of responses.",
                Kind::Counter,
                &labels,
                sum.sent_bytes as f64,
            );
            families.histogram("latency", "Seconds that calls took.", &labels, &sum.latency);
        }
        for ((script, name), sum) in &by_rpc {
            let labels: Vec<_> = script.iter().map(|rpc| ("rpc_id", rpc.to_string())).collect();
            sum.render(name, families, &labels);
            families.total(
                &format!("{name}_latency_ms"),
                "Seconds that calls took.",
                &labels,
                &sum.latency,
            );
        }

        overall.render("overall_request", families, &[]);
        families.histogram("overall_latency_ms", "Seconds that calls took.", &[], &overall.latency);
        let bytes = Bytes { received: overall.received_bytes, sent: overall.sent_bytes };
        shard::render_overall(board, overall.latency.count(), overall.errors, bytes, families);
    }
}
