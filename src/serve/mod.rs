//! Puts the parts together: starts a node, and ends it in order.
//!
//! ```text
//! start: ports probed -> database open -> shards set up -> each builds its owners, then listens -> ready
//! drain: no more accepted -> sessions closed, while requests in flight finish -> connections gone
//!        -> sockets shut -> store flushed
//! ```

mod addresses;
mod shard;
mod supervisor;
mod sweep;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use kakera_shards::{
    MailboxLimits, MeshLimits, NodeId, StableHash,
    boot::{self, BootConfig, BootError},
    runtime::{self, OffloadConfig, Signal, SignalWatch},
};

use crate::{
    config::Config,
    metrics::{self, Metrics, MetricsServer, Sample},
    net::tls::{Certificates, TlsError},
    shard::Messages,
    store::{Database, StoreConfig, StoreError},
};

use addresses::Addresses;
use sd_notify::NotifyState;
use shard::Blueprint;
use supervisor::Watchdog;

/// What a drain gets even where the configuration grants no grace: enough for close frames to leave.
const FAREWELL: Duration = Duration::from_millis(250);

/// How much longer than the drain itself the node waits for its shards.
const DRAIN_MARGIN: Duration = Duration::from_millis(500);

/// How long a scraper may take to ask, and to take the answer.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a node runs on.
#[derive(Clone, Debug)]
pub struct Plan {
    pub config: Config,
    pub store: StoreConfig,
    pub shards: usize,
    /// A core for each shard, or none to let them float.
    pub cores: Vec<usize>,
}

/// Why a node did not start or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{0}")]
    Address(#[from] addresses::AddressError),
    #[error("the database cannot be opened: {0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Tls(#[from] TlsError),
    #[error("signals cannot be watched: {0}")]
    Signals(std::io::Error),
    #[error("the host's cores cannot be learnt: {0}")]
    Host(std::io::Error),
    #[error("the service manager's watchdog cannot be fed: {0}")]
    Watchdog(std::io::Error),
    #[error("metrics cannot be served: {0}")]
    Metrics(std::io::Error),
    #[error("{0} shards are more than a node can have")]
    Shards(usize),
    #[error("{0}")]
    Boot(#[from] BootError),
}

fn offload_config(config: &Config) -> OffloadConfig {
    match usize::from(config.blocking_threads) {
        0 => OffloadConfig::default(),
        threads => OffloadConfig { threads, ..OffloadConfig::default() },
    }
}

fn mesh_limits(config: &Config) -> MeshLimits {
    let mailbox = MailboxLimits {
        requests_len_max: config.mailbox_requests_max,
        events_len_max: config.mailbox_events_max,
    };
    MeshLimits { mailbox, ..MeshLimits::default() }
}

/// Runs a node until it is told to stop.
pub fn run(plan: Plan) -> Result<(), ServeError> {
    let began = Instant::now();
    let Plan { config, store, shards, cores } = plan;
    let addresses = Addresses::of(&config)?;
    let certificates = certificates(&config)?;
    let database = Database::open(&store)?;
    let grace = Duration::from_secs(config.shutdown_grace_sec.into()).max(FAREWELL);
    let spin_before_park = match cores.as_slice() {
        [] => Duration::ZERO, // Threads that are not pinned would spin on each other's cores.
        _ => Duration::from_micros(config.spin_before_park_us.into()),
    };
    let boot = BootConfig {
        shards: u16::try_from(shards).map_err(|_| ServeError::Shards(shards))?,
        pin: !cores.is_empty(),
        cpus: cores,
        shutdown_grace: grace + DRAIN_MARGIN,
        spin_before_park,
        limits: mesh_limits(&config),
        offload: offload_config(&config),
        ..BootConfig::new(node_id(&config.name)).map_err(ServeError::Host)?
    };
    let name = config.name.clone();
    let blueprint = Arc::new(Blueprint {
        config,
        database: database.clone(),
        certificates: certificates.clone(),
        addresses: addresses.clone(),
        drain_within: grace,
        metrics: OnceLock::new(),
    });
    let built = Arc::clone(&blueprint);
    let node = boot::start::<Messages, _, _>(&boot, move |context| {
        let blueprint = Arc::clone(&blueprint);
        async move { shard::run(context, &blueprint).await }
    })?;
    let handle = node.handle().clone();
    let watch = watch_signals(handle.clone(), certificates).map_err(ServeError::Signals);
    let scraped = watch.and_then(|watch| {
        if !node.wait_ready() {
            return Ok((watch, None));
        }
        if let Some(metrics) = built.metrics.get() {
            count_writer(metrics, database.clone());
            count_threads(metrics, handle.clone());
        }
        let metrics = addresses.metrics.zip(built.metrics.get().cloned());
        let scraped = metrics
            .map(|(address, metrics)| MetricsServer::start(address, SCRAPE_TIMEOUT, metrics));
        Ok((watch, scraped.transpose().map_err(ServeError::Metrics)?))
    });
    match &scraped {
        Ok(_) if handle.phase() == boot::Phase::Running => tracing::info!(
            %name,
            shards,
            http = %addresses.http,
            grpc = %addresses.grpc,
            console = %addresses.console,
            metrics = addresses.metrics.map(tracing::field::display),
            start_ms = began.elapsed().as_millis() as u64,
            "Startup done"
        ),
        Ok(_) => {}
        Err(_) => handle.drain(),
    }
    let watchdog = match (&scraped, handle.phase()) {
        (Ok(_), boot::Phase::Running) => {
            supervisor::tell(NotifyState::Ready);
            Watchdog::start(handle).map_err(ServeError::Watchdog)?
        }
        _ => None,
    };
    let ended = node.join();
    drop(watchdog);
    // Whatever was acknowledged is durable; what is still queued is answered, then the file is closed.
    database.close();
    drop(scraped?);
    ended?;
    tracing::info!("Shutdown complete");
    Ok(())
}

/// Adds what threads count that are no shard's.
fn count_threads(metrics: &Metrics, node: boot::Handle) {
    use metrics::Kind::{Counter, Gauge};
    metrics.add_source(move |samples| {
        let mut add = |name, help, kind, value: u64| {
            samples.push(Sample { name, help, kind, value: value as f64 });
        };
        let waiting = node.offload_waiting() as u64;
        add("offload_waiting", "Blocking jobs that wait for a thread.", Gauge, waiting);
        add("offload_done", "Blocking jobs that were done.", Counter, node.offload_done());
        let panics = runtime::panics_elsewhere();
        add("thread_panics", "Panics caught on threads that are no shard's.", Counter, panics);
    });
}

/// Adds what the embedded store's writer thread counts, if there is one.
fn count_writer(metrics: &Metrics, database: Database) {
    metrics.add_source(move |samples| {
        let Some((counters, waiting)) = database.writer_counters() else { return };
        let mut add = |name, help, kind, value: u64| {
            samples.push(Sample { name, help, kind, value: value as f64 });
        };
        let numbers = [
            ("store_writer_units", "Units that the writer ran.", counters.units.get()),
            ("store_writer_rolled_back", "Units rolled back.", counters.rolled_back.get()),
            ("store_writer_abandoned", "Units that nobody waited for.", counters.abandoned.get()),
            ("store_writer_commits", "Commits of the writer.", counters.commits.get()),
            ("store_writer_commit_failures", "Failed commits.", counters.commit_failures.get()),
            (
                "store_writer_commit_micros",
                "Microseconds in commits.",
                counters.commit_micros.get(),
            ),
        ];
        for (name, help, value) in numbers {
            add(name, help, metrics::Kind::Counter, value);
        }
        let waiting = waiting as u64;
        add(
            "store_writer_waiting",
            "Units that wait for the writer.",
            metrics::Kind::Gauge,
            waiting,
        );
    });
}

/// A node's id follows from its name, so that it survives a restart.
fn node_id(name: &str) -> NodeId {
    NodeId((StableHash::new("node").bytes(name.as_bytes()).finish() >> 32) as u32)
}

fn certificates(config: &Config) -> Result<Option<Certificates>, TlsError> {
    let (chain, key) = (&config.socket.ssl_certificate, &config.socket.ssl_private_key);
    if chain.is_empty() && key.is_empty() {
        return Ok(None);
    }
    Certificates::load(chain, key).map(Some)
}

/// The first SIGTERM or SIGINT drains the node, the second ends it; SIGHUP reads certificates again.
fn watch_signals(
    node: boot::Handle,
    certificates: Option<Certificates>,
) -> std::io::Result<SignalWatch> {
    let mut asked = false;
    SignalWatch::start(move |signal| match signal {
        Signal::Terminate | Signal::Interrupt if asked => {
            tracing::info!("Skipping graceful shutdown");
            node.stop();
        }
        Signal::Terminate | Signal::Interrupt => {
            asked = true;
            tracing::info!("Shutdown started");
            supervisor::tell(NotifyState::Stopping);
            node.drain();
        }
        Signal::Reload => match certificates.as_ref().map(Certificates::reload) {
            None => tracing::info!("Nothing to reload: TLS is off."),
            Some(Ok(())) => tracing::info!("The TLS certificate was read again."),
            Some(Err(error)) => tracing::error!(%error, "The TLS certificate in use stays in use."),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_the_same_id_after_a_restart_and_another_one_under_another_name() {
        assert_eq!(node_id("kakera"), node_id("kakera"));
        assert_ne!(node_id("kakera-1"), node_id("kakera-2"));
    }
}
