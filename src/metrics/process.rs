//! The process itself, under the names that Prometheus clients share.

use std::fs;

use super::{Kind, Sample};

/// What `/proc/self` says; numbers that it does not say are left out.
pub(super) fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut gauge = |name, help, value: Option<f64>| {
        samples.extend(value.map(|value| Sample { name, help, kind: Kind::Gauge, value }));
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    gauge("process_resident_memory_bytes", "Memory in RAM.", status_bytes(&status, "VmRSS:"));
    gauge("process_virtual_memory_bytes", "Memory mapped.", status_bytes(&status, "VmSize:"));
    gauge("process_threads", "Threads.", status_number(&status, "Threads:"));
    let files = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64);
    gauge("process_open_fds", "Open files and sockets.", files);
    let cpu = fs::read_to_string("/proc/self/schedstat").ok().and_then(|_| cpu_seconds());
    samples.extend(cpu.map(|value| Sample {
        name: "process_cpu_seconds_total",
        help: "CPU time, user and system.",
        kind: Kind::Counter,
        value,
    }));
    samples
}

fn status_number(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn status_bytes(status: &str, name: &str) -> Option<f64> {
    status_number(status, name).map(|kibibytes| kibibytes * 1024.0)
}

/// Fields 14 and 15 of `/proc/self/stat`, in ticks, of which Linux has 100 a second on every machine
/// that we build for.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name stands in parentheses and may hold spaces.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_files_threads_and_a_past() {
        let mut work = 0u64;
        while cpu_seconds().unwrap() < 0.01 {
            work = std::hint::black_box(work + 1);
        }
        let samples = samples();
        for name in [
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_threads",
            "process_open_fds",
            "process_cpu_seconds_total",
        ] {
            let sample = samples.iter().find(|sample| sample.name == name).unwrap();
            assert!(sample.value > 0.0, "{name}");
        }
    }
}
