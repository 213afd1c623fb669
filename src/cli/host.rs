//! What the machine allows, and what of that will hurt under load.

use kakera::config::Config;
use kakera_tuning::{
    cgroup::Allowance,
    host::{Host, Limit},
    topology::Topology,
};

/// Memory that a shard's two rings pin, in bytes, with room to spare.
const LOCKED_MEMORY_PER_SHARD: u64 = 512 * 1024;
/// Files that a shard keeps open beside its clients' sockets.
const FILES_PER_SHARD: u64 = 64;
/// Memory of an idle session, in the server and in the kernel, in bytes.
const MEMORY_PER_SESSION: u64 = 10_000;
/// Threads of a shard: its executor, and workers of its rings.
const THREADS_PER_SHARD: u64 = 8;
/// Threads beside those of shards: blocking work, the log, the store.
const THREADS_BESIDE: u64 = 64;
/// Waiting connections below which a burst of new clients is refused by the kernel.
const ACCEPT_QUEUE_MIN: u64 = 1024;

/// Limits as they are; None where the machine does not say.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    open_files: Option<Limit>,
    locked_memory: Option<Limit>,
    accept_queue: Option<u64>,
    io_uring_disabled: Option<u64>,
    /// What the control groups allow.
    group: Allowance,
}

/// A limit that will hurt: its name, what it is, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Concern {
    pub(super) limit: &'static str,
    pub(super) value: String,
    pub(super) advice: String,
}

impl Limits {
    pub(super) fn inspect() -> Self {
        let host = Host::default();
        Self {
            open_files: host.soft_limit("Max open files"),
            locked_memory: host.soft_limit("Max locked memory"),
            accept_queue: host.number("/proc/sys/net/core/somaxconn"),
            io_uring_disabled: host.number("/proc/sys/kernel/io_uring_disabled"),
            group: Allowance::read(&host),
        }
    }

    /// What will hurt a server with that configuration and so many shards.
    pub(super) fn concerns(&self, config: &Config, shards: usize) -> Vec<Concern> {
        let shards = shards as u64;
        let files = u64::from(config.socket.max_connections) + shards * FILES_PER_SHARD;
        let memory = shards * LOCKED_MEMORY_PER_SHARD;
        let sessions = u64::from(config.socket.max_connections) * MEMORY_PER_SESSION;
        let threads =
            shards * THREADS_PER_SHARD + THREADS_BESIDE + u64::from(config.blocking_threads);
        let shown = |value: Option<u64>| value.map(|value| value.to_string());
        let checks = [
            (
                "open files (ulimit -n)",
                shown(self.open_files.and_then(|have| have.below(files))),
                format!(
                    "socket.max_connections needs {files}; connections beyond the limit are refused"
                ),
            ),
            (
                "locked memory (ulimit -l)",
                shown(self.locked_memory.and_then(|have| have.below(memory))),
                format!(
                    "{memory} bytes are needed on kernels before 5.12, or the rings cannot be made"
                ),
            ),
            (
                "net.core.somaxconn",
                shown(self.accept_queue.filter(|have| *have < ACCEPT_QUEUE_MIN)),
                format!(
                    "raise it to {ACCEPT_QUEUE_MIN} or more, or bursts of new clients are refused"
                ),
            ),
            (
                "kernel.io_uring_disabled",
                shown(self.io_uring_disabled.filter(|level| *level > 0)),
                "0 allows io_uring to everyone; 1 needs privileges; with 2 the server cannot start"
                    .to_owned(),
            ),
            (
                "cgroup CPU quota",
                self.group
                    .cpus
                    .filter(|cpus| *cpus < shards as f64)
                    .map(|cpus| format!("{cpus:.2}")),
                format!(
                    "{shards} shards need as many CPUs; a quota stops them in the middle of a turn"
                ),
            ),
            (
                "cgroup memory",
                shown(self.group.memory_bytes.filter(|have| *have < sessions)),
                format!(
                    "socket.max_connections idle sessions take {sessions} bytes; beyond the limit \
                     the kernel kills the server"
                ),
            ),
            (
                "cgroup threads",
                shown(self.group.threads.filter(|have| *have < threads)),
                format!("{threads} may be needed, or shards and io_uring's workers cannot start"),
            ),
        ];
        checks
            .into_iter()
            .filter_map(|(limit, value, advice)| {
                value.map(|value| Concern { limit, value, advice })
            })
            .collect()
    }
}

/// Says what the server runs on.
pub(super) fn tell(topology: &Topology) {
    let (host, limits) = (Host::default(), Limits::inspect());
    let limit = |limit: Option<Limit>| limit.map(|limit| limit.to_string());
    let memory = host.text("/proc/meminfo").and_then(|text| {
        text.lines().find_map(|line| Some(line.strip_prefix("MemTotal:")?.trim().to_owned()))
    });
    tracing::info!(
        kernel = host.text("/proc/sys/kernel/osrelease"),
        cpus = topology.cpus.len(),
        cpu_cores = topology.cores_len(),
        numa_nodes = topology.nodes_len(),
        memory,
        open_files = limit(limits.open_files),
        locked_memory = limit(limits.locked_memory),
        accept_queue = limits.accept_queue,
        group_cpus = limits.group.cpus,
        group_memory = limits.group.memory_bytes,
        group_threads = limits.group.threads,
        "host"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limits_that_hurt_are_concerns_and_each_has_a_name() {
        let config = Config::default();
        let good = Limits {
            open_files: Some(Limit::At(1_048_576)),
            locked_memory: Some(Limit::Unlimited),
            accept_queue: Some(4096),
            io_uring_disabled: Some(0),
            group: Allowance { cpus: Some(8.0), memory_bytes: Some(8 << 30), threads: Some(4096) },
        };
        assert_eq!(good.concerns(&config, 8), []);
        let bad = Limits {
            open_files: Some(Limit::At(1024)),
            locked_memory: Some(Limit::At(65_536)),
            accept_queue: Some(128),
            io_uring_disabled: Some(2),
            group: Allowance { cpus: Some(1.5), memory_bytes: Some(1 << 28), threads: Some(64) },
        };
        let named: Vec<_> = bad.concerns(&config, 8).iter().map(|concern| concern.limit).collect();
        assert_eq!(
            named,
            [
                "open files (ulimit -n)",
                "locked memory (ulimit -l)",
                "net.core.somaxconn",
                "kernel.io_uring_disabled",
                "cgroup CPU quota",
                "cgroup memory",
                "cgroup threads"
            ]
        );
        assert_eq!(Limits::default().concerns(&config, 8), []);
    }
}
