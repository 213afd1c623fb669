//! Numbers for operators, as text for Prometheus.
//!
//! A shard counts in words of its own, without locks; a scrape reads the words of all shards and sums
//! them. Names, labels and the rules for prefixes are those of the reference server where a number means
//! the same (`nakama_sessions`, `nakama_overall_request_count`, ...), so that its dashboards work; numbers
//! about shards, rings, mailboxes and queues are ours, and carry the label `shard`.

mod calls;
mod family;
mod latency;
mod process;
mod server;
mod shard;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use kakera_shards::{ShardId, counters::Board};
use prometheus::TextEncoder;

use crate::config::Config;

use calls::Calls;
use family::{Families, Labels};
use latency::Merged;

pub use calls::{Bytes, Transport};
pub use latency::Timer;
pub use server::MetricsServer;
pub use shard::ShardMetrics;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// What a number means over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
}

/// A number from outside the shards: the log's, the store's writer, a pool's.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub value: f64,
}

type Source = Box<dyn Fn(&mut Vec<Sample>) + Send + Sync>;

/// All numbers of a node. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Shared>);

struct Shared {
    prefix: String,
    labels: Labels,
    board: Board,
    calls: Mutex<Vec<Arc<Calls>>>,
    timers: Mutex<Vec<(&'static str, &'static str, Timer)>>,
    sources: Mutex<Vec<Source>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

impl Metrics {
    /// `board` holds what the shards count.
    pub fn new(config: &Config, board: Board) -> Self {
        let mut labels: Labels = vec![("node_name", config.name.clone())];
        if !config.metrics.namespace.is_empty() {
            labels.push(("namespace", config.metrics.namespace.clone()));
        }
        let prefix = match config.metrics.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}_"),
        };
        Self(Arc::new(Shared {
            prefix,
            labels,
            board,
            calls: Mutex::default(),
            timers: Mutex::default(),
            sources: Mutex::default(),
        }))
    }

    /// A shard's own way to count; call it on the shard, once.
    pub fn shard(&self, counters: &kakera_shards::Counters, shard: ShardId) -> ShardMetrics {
        let calls = Arc::new(Calls::new(shard));
        lock(&self.0.calls).push(Arc::clone(&calls));
        ShardMetrics::new(counters, calls)
    }

    /// A shard's own measure of how long something takes; the shards' are summed at a scrape.
    pub fn timer(&self, name: &'static str, help: &'static str) -> Timer {
        let timer = Timer::default();
        lock(&self.0.timers).push((name, help, timer.clone()));
        timer
    }

    /// Adds numbers that a scrape asks for. The function must not block.
    pub fn add_source(&self, source: impl Fn(&mut Vec<Sample>) + Send + Sync + 'static) {
        lock(&self.0.sources).push(Box::new(source));
    }

    /// Everything, as text for Prometheus. Costs time by the number of series, and none of it on a shard
    /// unless it is called there.
    pub fn render(&self) -> String {
        let mut families = Families::new(&self.0.prefix, &self.0.labels);
        families.readings(&self.0.board.read());
        Calls::render(&lock(&self.0.calls), &self.0.board, &mut families);
        let mut times: BTreeMap<&str, (&'static str, Merged)> = BTreeMap::new();
        for (name, help, timer) in lock(&self.0.timers).iter() {
            times.entry(name).or_insert((help, Merged::default())).1.add(&timer.0);
        }
        for (name, (help, merged)) in &times {
            families.histogram(name, help, &[], merged);
        }
        let mut samples = Vec::new();
        for source in lock(&self.0.sources).iter() {
            source(&mut samples);
        }
        families.samples(&samples);
        // Process metrics have the names that every Prometheus client gives them, so no prefix.
        families.append_plain(&process::samples());
        TextEncoder::new().encode_to_string(&families.finish()).unwrap_or_else(|error| {
            tracing::error!(%error, "cannot encode metrics");
            String::new()
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
