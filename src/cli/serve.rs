//! `kakera serve`: starts logging, says what it runs on, and runs the server.

use kakera::{
    config::{Config, DatabaseDriver, Loaded},
    log,
    serve::{self, Plan},
};
use kakera_shards::runtime::available_cpus;

use kakera_tuning::{
    cgroup::Allowance,
    host::Host,
    open_files,
    topology::{Choice, Topology},
};

use super::{Failure, VERSION, host, store::store_config};

pub(super) fn run(loaded: &Loaded) -> Result<(), Failure> {
    let guard = log::start(&loaded.config.logger).map_err(|error| error.to_string())?;
    // Each client is an open file, and the soft limit is often 1024 for the sake of programs that need none.
    if let Some((from, to)) = open_files::raise() {
        tracing::info!(from, to, "limit of open files raised");
    }
    let result = topology().and_then(|topology| {
        let allowance = Allowance::read(&Host::default());
        let placement = Placement::choose(&loaded.config, &topology, &allowance)?;
        announce(loaded, &placement);
        host::tell(&topology);
        for concern in host::Limits::inspect().concerns(&loaded.config, placement.shards) {
            tracing::warn!(
                limit = concern.limit,
                value = concern.value,
                "this host's limit hurts: {}",
                concern.advice
            );
        }
        start(&loaded.config, &placement)
    });
    if let Err(failure) = &result {
        tracing::error!(error = %failure, "the server stops");
    }
    drop(guard);
    result
}

/// Which cores the shards run on: one for each shard, none of them pinned where there are more shards
/// than cores, or where a quota of processor time stands for the cores.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) shards: usize,
    pub(crate) cores: Vec<usize>,
}

impl Placement {
    fn choose(
        config: &Config,
        topology: &Topology,
        allowance: &Allowance,
    ) -> Result<Self, Failure> {
        let available: Vec<usize> = topology.cpus.iter().map(|cpu| cpu.id).collect();
        let wanted: Vec<usize> = config.cores.iter().map(|core| usize::from(*core)).collect();
        if let Some(core) = wanted.iter().find(|core| !available.contains(core)) {
            return Err(format!("cores: this process may not use core {core}, only {available:?}"));
        }
        let choice = Choice {
            without_smt: config.cores_without_smt,
            per_node_max: usize::from(config.shards_per_numa_node),
        };
        let is_named = !wanted.is_empty();
        let candidates = if is_named { wanted } else { topology.choose(choice) };
        let afforded = allowance.shards_max(candidates.len());
        let shards = match usize::from(config.shards) {
            0 if is_named => candidates.len(),
            0 => afforded,
            shards => shards,
        };
        // Groups that share a host's cores by quota may use all of them, and each would pin to the same first ones.
        if !is_named && afforded < candidates.len() {
            return Ok(Self { shards, cores: Vec::new() });
        }
        // Two shards pinned to one core would wait for each other's spinning.
        let cores = candidates.get(..shards).map(<[usize]>::to_vec).unwrap_or_default();
        Ok(Self { shards, cores })
    }
}

fn topology() -> Result<Topology, Failure> {
    let available = available_cpus()
        .map_err(|error| format!("cannot learn which cores may be used: {error}"))?;
    Ok(Topology::read(&Host::default(), &available))
}

/// Runs the server until it is told to stop. The one place where all parts are put together.
fn start(config: &Config, placement: &Placement) -> Result<(), Failure> {
    let plan = Plan {
        config: config.clone(),
        store: store_config(config),
        shards: placement.shards,
        cores: placement.cores.clone(),
    };
    serve::run(plan).map_err(|error| error.to_string())
}

fn announce(loaded: &Loaded, placement: &Placement) {
    let config = &loaded.config;
    tracing::info!(
        version = VERSION,
        name = config.name,
        shards = placement.shards,
        cores = ?placement.cores,
        "kakera starts"
    );
    match config.database.driver {
        DatabaseDriver::Sqlite => {
            tracing::info!(driver = "sqlite", path = config.database.path, "store");
        }
        DatabaseDriver::Postgres => {
            tracing::info!(driver = "postgres", addresses = ?config.database.address, "store");
        }
    }
    tracing::info!(
        http = config.socket.port,
        grpc = config.socket.port - 1,
        metrics = config.metrics.prometheus_port,
        address = config.socket.address,
        tls = !config.socket.ssl_certificate.is_empty(),
        "ports"
    );
    for warning in &loaded.warnings {
        tracing::warn!(key = warning.key, "{}", warning.what);
    }
}

#[cfg(test)]
mod tests {
    use kakera_tuning::topology::Cpu;

    use super::*;

    fn placed(shards: u16, cores: &[u16], available: &[usize]) -> Result<Placement, Failure> {
        within(None, (shards, cores), available)
    }

    fn within(
        cpus: Option<f64>,
        (shards, cores): (u16, &[u16]),
        available: &[usize],
    ) -> Result<Placement, Failure> {
        let config = Config { shards, cores: cores.to_vec(), ..Config::default() };
        let cpu = |id: &usize| Cpu { id: *id, core: *id, node: 0 };
        let topology = Topology { cpus: available.iter().map(cpu).collect() };
        Placement::choose(&config, &topology, &Allowance { cpus, ..Allowance::default() })
    }

    #[test]
    fn by_default_each_core_that_may_be_used_has_a_shard() {
        assert_eq!(placed(0, &[], &[2, 5]), Ok(Placement { shards: 2, cores: vec![2, 5] }));
        assert_eq!(placed(1, &[], &[2, 5]), Ok(Placement { shards: 1, cores: vec![2] }));
        assert_eq!(placed(0, &[5], &[2, 5]), Ok(Placement { shards: 1, cores: vec![5] }));
    }

    #[test]
    fn a_quota_bounds_the_shards_and_leaves_them_where_there_is_time() {
        let quota =
            |cpus, shards, cores: &[u16]| within(Some(cpus), (shards, cores), &[0, 1, 2, 3]);
        let floating = |shards| Ok(Placement { shards, cores: Vec::new() });
        assert_eq!(quota(1.5, 0, &[]), floating(2));
        assert_eq!(quota(0.5, 0, &[]), floating(1));
        assert_eq!(quota(1.5, 3, &[]), floating(3), "the operator's word counts");
        let pinned = |cores: &[usize]| Ok(Placement { shards: cores.len(), cores: cores.to_vec() });
        assert_eq!(quota(4.0, 0, &[]), pinned(&[0, 1, 2, 3]));
        assert_eq!(quota(1.0, 0, &[2, 3]), pinned(&[2, 3]));
    }

    #[test]
    fn more_shards_than_cores_are_not_pinned() {
        assert_eq!(placed(4, &[], &[0, 1]), Ok(Placement { shards: 4, cores: Vec::new() }));
    }

    #[test]
    fn a_core_that_may_not_be_used_is_refused() {
        assert!(placed(0, &[7], &[0, 1]).unwrap_err().contains("core 7"));
    }
}
