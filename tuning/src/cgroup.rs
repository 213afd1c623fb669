//! What control groups allow this process, as containers and units set it.
//!
//! A limit of any group from the process's own up to the root holds, so the lowest counts. In a container
//! the path may be that of the host, of which only the root is there, or begin at the container.

use serde::Serialize;

use crate::host::Host;

/// Where the second version of control groups is mounted, alone or beside the first.
const V2_MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// The first version writes an absent memory limit as about 2^63, rounded down to pages.
const V1_MEMORY_UNLIMITED: u64 = 1 << 62;

/// The lowest limits; None where there is none, or none is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Allowance {
    /// Processor time, in CPUs.
    pub cpus: Option<f64>,
    pub memory_bytes: Option<u64>,
    /// Threads and processes of the group.
    pub threads: Option<u64>,
}

impl Allowance {
    pub fn read(host: &Host) -> Self {
        let mut lowest = Self::default();
        let groups = host.text("/proc/self/cgroup").unwrap_or_default();
        // A line is a hierarchy's number, its controllers (none: the second version), and the group's path.
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            if controllers.is_empty() {
                for mount in V2_MOUNTS {
                    for folder in folders(mount, path) {
                        lowest.take(v2(host, &folder));
                    }
                }
            }
            for controller in controllers.split(',').filter(|name| !name.is_empty()) {
                for mount in [controllers, controller] {
                    for folder in folders(&format!("/sys/fs/cgroup/{mount}"), path) {
                        lowest.take(v1(host, controller, &folder));
                    }
                }
            }
        }
        lowest
    }

    /// How many shards there is processor time for: the CPUs, or less where the quota is less.
    pub fn shards_max(&self, cpus: usize) -> usize {
        let quota = self.cpus.map_or(usize::MAX, |quota| quota.ceil() as usize);
        cpus.min(quota).max(1)
    }

    fn take(&mut self, other: Self) {
        self.cpus = lower(self.cpus, other.cpus);
        self.memory_bytes = lower(self.memory_bytes, other.memory_bytes);
        self.threads = lower(self.threads, other.threads);
    }
}

fn lower<T: PartialOrd>(one: Option<T>, two: Option<T>) -> Option<T> {
    match (one, two) {
        (Some(one), Some(two)) => Some(if two < one { two } else { one }),
        (one, two) => one.or(two),
    }
}

/// The group's folder and those above it.
fn folders(mount: &str, path: &str) -> Vec<String> {
    let mut folders = vec![mount.to_owned()];
    let mut folder = mount.to_owned();
    // A process outside its namespace's root is shown above it, where there is nothing to see.
    for part in path.split('/').filter(|part| !part.is_empty() && *part != "..") {
        folder = format!("{folder}/{part}");
        folders.push(folder.clone());
    }
    folders
}

fn v2(host: &Host, folder: &str) -> Allowance {
    let cpus = host.text(&format!("{folder}/cpu.max")).and_then(|text| {
        let (quota, period) = text.split_once(' ')?;
        share(quota.parse().ok()?, period.parse().ok()?)
    });
    // Where there is no limit the files say "max".
    Allowance {
        cpus,
        memory_bytes: host.number(&format!("{folder}/memory.max")),
        threads: host.number(&format!("{folder}/pids.max")),
    }
}

fn v1(host: &Host, controller: &str, folder: &str) -> Allowance {
    let number = |file: &str| host.number::<i64>(&format!("{folder}/{file}"));
    match controller {
        "cpu" => {
            let quota = number("cpu.cfs_quota_us").zip(number("cpu.cfs_period_us"));
            // Without a limit the quota is -1.
            let cpus = quota.and_then(|(quota, period)| share(quota as f64, period as f64));
            Allowance { cpus, ..Allowance::default() }
        }
        "memory" => {
            let bytes = host.number::<u64>(&format!("{folder}/memory.limit_in_bytes"));
            let memory_bytes = bytes.filter(|bytes| *bytes < V1_MEMORY_UNLIMITED);
            Allowance { memory_bytes, ..Allowance::default() }
        }
        "pids" => {
            let threads = host.number(&format!("{folder}/pids.max"));
            Allowance { threads, ..Allowance::default() }
        }
        _ => Allowance::default(),
    }
}

fn share(quota: f64, period: f64) -> Option<f64> {
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tests::Pretended;

    fn read(files: &[(&str, &str)]) -> Allowance {
        let (_guard, host) = Pretended::with(files);
        Allowance::read(&host)
    }

    #[test]
    fn the_lowest_limit_of_a_group_and_those_above_it_counts() {
        let allowance = read(&[
            ("/proc/self/cgroup", "0::/a/b\n"),
            ("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
            ("/sys/fs/cgroup/a/b/memory.max", "4096000\n"),
            ("/sys/fs/cgroup/a/memory.max", "8192000\n"),
            ("/sys/fs/cgroup/pids.max", "512\n"),
        ]);
        let (cpus, memory_bytes, threads) = (Some(1.5), Some(4_096_000), Some(512));
        assert_eq!(allowance, Allowance { cpus, memory_bytes, threads });
    }

    #[test]
    fn a_path_of_the_host_is_read_at_the_containers_root() {
        let allowance = read(&[
            ("/proc/self/cgroup", "0::/../../docker/0123\n"),
            ("/sys/fs/cgroup/cpu.max", "200000 100000\n"),
        ]);
        assert_eq!(allowance.cpus, Some(2.0));
    }

    #[test]
    fn the_first_version_has_a_folder_for_each_controller_or_for_several() {
        let allowance = read(&[
            ("/proc/self/cgroup", "5:memory:/pod\n4:cpu,cpuacct:/pod\n3:pids:/\n0::/\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/pod/memory.limit_in_bytes", "1073741824\n"),
            ("/sys/fs/cgroup/pids/pids.max", "max\n"),
        ]);
        let expected =
            Allowance { cpus: Some(0.5), memory_bytes: Some(1_073_741_824), threads: None };
        assert_eq!(allowance, expected);
    }

    #[test]
    fn where_nothing_is_limited_there_is_no_limit() {
        let allowance = read(&[
            ("/proc/self/cgroup", "1:cpu:/\n0::/\n"),
            ("/sys/fs/cgroup/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!(allowance, Allowance::default());
        assert_eq!(read(&[("/proc/uptime", "1")]), Allowance::default());
    }

    #[test]
    fn a_part_of_a_cpu_is_one_shard() {
        let of = |cpus| Allowance { cpus, ..Allowance::default() };
        assert_eq!(of(None).shards_max(8), 8);
        assert_eq!(of(Some(0.2)).shards_max(8), 1);
        assert_eq!(of(Some(2.5)).shards_max(8), 3);
        assert_eq!(of(Some(64.0)).shards_max(8), 8);
    }
}
