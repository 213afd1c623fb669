//! Limits of the process.

use super::{Finding, Fix, Verdict};
use crate::{cgroup::Allowance, host::Host};

/// Sockets that a tuned server should be able to hold.
const FILES_MIN: u64 = 262_144;
/// Threads of a server with room for `io_uring`'s workers and for what comes beside it.
const THREADS_MIN: u64 = 1024;
/// Memory that a shard's rings pin on kernels that count it, in bytes.
const LOCKED_PER_SHARD: u64 = 512 * 1024;

pub(super) fn probe(host: &Host, allowance: &Allowance, shards: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The server raises the soft limit by itself.
    if let Some(files) = host.hard_limit("Max open files") {
        findings.push(Finding::judged(
            ("open files", files.to_string(), format!("{FILES_MIN} or more")),
            (files.below(FILES_MIN).is_none(), Verdict::Improve),
            "Each client's socket is an open file; clients beyond the limit are refused.",
            Fix::ByHand(format!("ulimit -Hn {FILES_MIN} (LimitNOFILE= in a unit)")),
        ));
    }
    if let Some(locked) = host.soft_limit("Max locked memory") {
        let needed = shards as u64 * LOCKED_PER_SHARD;
        findings.push(Finding::judged(
            ("locked memory", locked.to_string(), format!("{needed} bytes or more")),
            (locked.below(needed).is_none(), Verdict::Improve),
            "The executors' rings pin memory; some kernels refuse to make them above the limit.",
            Fix::ByHand("ulimit -l unlimited (LimitMEMLOCK=infinity in a unit)".to_owned()),
        ));
    }
    if let Some(files) = host.number::<u64>("/proc/sys/fs/file-max") {
        findings.push(Finding::judged(
            ("fs.file-max", files.to_string(), format!("{FILES_MIN} or more")),
            (files >= FILES_MIN, Verdict::Improve),
            "Open files of the whole host.",
            Fix::Sysctl { key: "fs.file-max", value: (4 * FILES_MIN).to_string() },
        ));
    }
    if let Some(threads) = allowance.threads {
        findings.push(Finding::judged(
            ("cgroup threads", threads.to_string(), format!("{THREADS_MIN} or more")),
            (threads >= THREADS_MIN, Verdict::Improve),
            "Shards, blocking work and io_uring's workers are threads; beyond the limit none starts.",
            Fix::ByHand("raise TasksMax= of the unit, or the container's pids limit".to_owned()),
        ));
    }
    findings
}
