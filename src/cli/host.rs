//! What the machine allows, and what of that will hurt under load.

use std::{fs, str::FromStr};

use kakera::config::Config;

/// Memory that a shard's two rings pin, in bytes, with room to spare.
const LOCKED_MEMORY_PER_SHARD: u64 = 512 * 1024;
/// Files that a shard keeps open beside its clients' sockets.
const FILES_PER_SHARD: u64 = 64;
/// Waiting connections below which a burst of new clients is refused by the kernel.
const ACCEPT_QUEUE_MIN: u64 = 1024;

/// Limits as they are; None where the machine does not say.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    open_files: Option<u64>,
    locked_memory: Option<u64>,
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

impl Host {
    pub(super) fn inspect() -> Self {
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self {
            open_files: soft_limit(&limits, "Max open files"),
            locked_memory: soft_limit(&limits, "Max locked memory"),
            accept_queue: number("/proc/sys/net/core/somaxconn"),
            io_uring_disabled: number("/proc/sys/kernel/io_uring_disabled"),
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
                self.open_files.filter(|have| *have < files),
                format!(
                    "socket.max_connections needs {files}; connections beyond the limit are refused"
                ),
            ),
            (
                "locked memory (ulimit -l)",
                self.locked_memory.filter(|have| *have < memory),
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

/// A soft limit out of `/proc/self/limits`; None where it is unlimited or missing.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find(|line| line.starts_with(name))?;
    line.get(name.len()..)?.split_whitespace().next()?.parse().ok()
}

fn number<T: FromStr>(path: &str) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 1048576              files     \n\
                    Max locked memory         unlimited            unlimited            bytes     \n";
        assert_eq!(soft_limit(text, "Max open files"), Some(1024));
        assert_eq!(soft_limit(text, "Max locked memory"), None);
        assert_eq!(soft_limit(text, "Max processes"), None);
        assert!(Host::inspect().open_files.is_some_and(|files| files > 0));
    }

    #[test]
    fn only_limits_that_hurt_are_concerns_and_each_has_a_name() {
        let config = Config::default();
        let good = Host {
            open_files: Some(1_048_576),
            locked_memory: None,
            accept_queue: Some(4096),
            io_uring_disabled: Some(0),
        };
        assert_eq!(good.concerns(&config, 8), []);
        let bad = Host {
            open_files: Some(1024),
            locked_memory: Some(65_536),
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
        assert_eq!(Host::default().concerns(&config, 8), []);
    }
}
