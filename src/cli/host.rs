//! What the machine allows, and what of that will hurt under load.

use kakera::config::Config;
use kakera_tuning::host::{Host, Limit};

/// Memory that a shard's two rings pin, in bytes, with room to spare.
const LOCKED_MEMORY_PER_SHARD: u64 = 512 * 1024;
/// Files that a shard keeps open beside its clients' sockets.
const FILES_PER_SHARD: u64 = 64;
/// Waiting connections below which a burst of new clients is refused by the kernel.
const ACCEPT_QUEUE_MIN: u64 = 1024;

/// Limits as they are; None where the machine does not say.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    open_files: Option<Limit>,
    locked_memory: Option<Limit>,
    accept_queue: Option<u64>,
    io_uring_disabled: Option<u64>,
}

/// A limit that will hurt: its name, what it is, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Concern {
    pub(super) limit: &'static str,
    pub(super) value: u64,
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
        }
    }

    /// What will hurt a server with that configuration and so many shards.
    pub(super) fn concerns(&self, config: &Config, shards: usize) -> Vec<Concern> {
        let shards = shards as u64;
        let files = u64::from(config.socket.max_connections) + shards * FILES_PER_SHARD;
        let memory = shards * LOCKED_MEMORY_PER_SHARD;
        let checks = [
            (
                "open files (ulimit -n)",
                self.open_files.and_then(|have| have.below(files)),
                format!(
                    "socket.max_connections needs {files}; connections beyond the limit are refused"
                ),
            ),
            (
                "locked memory (ulimit -l)",
                self.locked_memory.and_then(|have| have.below(memory)),
                format!(
                    "{memory} bytes are needed on kernels before 5.12, or the rings cannot be made"
                ),
            ),
            (
                "net.core.somaxconn",
                self.accept_queue.filter(|have| *have < ACCEPT_QUEUE_MIN),
                format!(
                    "raise it to {ACCEPT_QUEUE_MIN} or more, or bursts of new clients are refused"
                ),
            ),
            (
                "kernel.io_uring_disabled",
                self.io_uring_disabled.filter(|level| *level > 0),
                "0 allows io_uring to everyone; 1 needs privileges; with 2 the server cannot start"
                    .to_owned(),
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
        };
        assert_eq!(good.concerns(&config, 8), []);
        let bad = Limits {
            open_files: Some(Limit::At(1024)),
            locked_memory: Some(Limit::At(65_536)),
            accept_queue: Some(128),
            io_uring_disabled: Some(2),
        };
        let named: Vec<_> = bad.concerns(&config, 8).iter().map(|concern| concern.limit).collect();
        assert_eq!(
            named,
            [
                "open files (ulimit -n)",
                "locked memory (ulimit -l)",
                "net.core.somaxconn",
                "kernel.io_uring_disabled"
            ]
        );
        assert_eq!(Limits::default().concerns(&config, 8), []);
    }
}
