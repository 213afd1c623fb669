//! The host's cores: which hardware threads share one, which memory is near, and which to run shards on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::host::{Host, number_list};

/// A logical CPU, as the kernel numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cpu {
    pub id: usize,
    /// The physical core: the lowest CPU that shares it.
    pub core: usize,
    /// The NUMA node.
    pub node: usize,
}

/// The CPUs that the process may use, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Topology {
    pub cpus: Vec<Cpu>,
}

/// Which of the CPUs carry shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// One hardware thread of each physical core.
    pub without_smt: bool,
    /// Most CPUs of each NUMA node. 0 sets no bound.
    pub per_node_max: usize,
}

impl Topology {
    /// Reads what the host tells about the CPUs that the process may use. A CPU that it tells nothing
    /// about is a core of its own on node 0.
    pub fn read(host: &Host, available: &[usize]) -> Self {
        let mut node_of = BTreeMap::new();
        for name in host.names("/sys/devices/system/node") {
            let Some(node) = name.strip_prefix("node").and_then(|id| id.parse::<usize>().ok())
            else {
                continue;
            };
            let path = format!("/sys/devices/system/node/{name}/cpulist");
            let cpus = host.text(&path).and_then(|text| number_list(&text)).unwrap_or_default();
            node_of.extend(cpus.into_iter().map(|cpu| (cpu, node)));
        }
        let cpu = |id: usize| {
            let path = format!("/sys/devices/system/cpu/cpu{id}/topology/thread_siblings_list");
            let siblings = host.text(&path).and_then(|text| number_list(&text));
            let core = siblings.and_then(|siblings| siblings.into_iter().min()).unwrap_or(id);
            Cpu { id, core, node: node_of.get(&id).copied().unwrap_or(0) }
        };
        Self { cpus: available.iter().map(|id| cpu(*id)).collect() }
    }

    /// Physical cores.
    pub fn cores_len(&self) -> usize {
        self.cpus.iter().map(|cpu| cpu.core).collect::<BTreeSet<_>>().len()
    }

    /// NUMA nodes.
    pub fn nodes_len(&self) -> usize {
        self.cpus.iter().map(|cpu| cpu.node).collect::<BTreeSet<_>>().len()
    }

    /// Whether hardware threads share cores.
    pub fn has_smt(&self) -> bool {
        self.cores_len() < self.cpus.len()
    }

    /// The CPUs to use, in the order in which shards take them: whole cores first, their other threads
    /// after all cores have one shard.
    pub fn choose(&self, choice: Choice) -> Vec<usize> {
        let mut seen = BTreeSet::new();
        let (first, second): (Vec<Cpu>, Vec<Cpu>) =
            self.cpus.iter().copied().partition(|cpu| seen.insert(cpu.core));
        let second = second.into_iter().filter(|_| !choice.without_smt);
        let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
        let fits = |cpu: &Cpu| {
            let taken = taken.entry(cpu.node).or_default();
            *taken += 1;
            choice.per_node_max == 0 || *taken <= choice.per_node_max
        };
        first.into_iter().chain(second).filter(fits).map(|cpu| cpu.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tests::Pretended;

    /// Two nodes of two cores with two threads each; the threads of core 0 are CPUs 0 and 4, as is usual.
    fn big() -> Topology {
        let files: Vec<(String, String)> = (0..8)
            .map(|cpu| {
                let path =
                    format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
                (path, format!("{},{}\n", cpu % 4, cpu % 4 + 4))
            })
            .chain([
                ("/sys/devices/system/node/node0/cpulist".to_owned(), "0-1,4-5\n".to_owned()),
                ("/sys/devices/system/node/node1/cpulist".to_owned(), "2-3,6-7\n".to_owned()),
            ])
            .collect();
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let (_guard, host) = Pretended::with(&files);
        Topology::read(&host, &[0, 1, 2, 3, 4, 5, 6, 7])
    }

    #[test]
    fn threads_cores_and_nodes_are_told_apart() {
        let topology = big();
        assert_eq!((topology.cores_len(), topology.nodes_len()), (4, 2));
        assert!(topology.has_smt());
        assert_eq!(topology.cpus[6], Cpu { id: 6, core: 2, node: 1 });
    }

    #[test]
    fn shards_take_whole_cores_before_their_second_threads() {
        assert_eq!(big().choose(Choice::default()), [0, 1, 2, 3, 4, 5, 6, 7]);
        let without_smt = Choice { without_smt: true, ..Choice::default() };
        assert_eq!(big().choose(without_smt), [0, 1, 2, 3]);
        let one_each = Choice { without_smt: true, per_node_max: 1 };
        assert_eq!(big().choose(one_each), [0, 2]);
    }

    #[test]
    fn a_host_that_tells_nothing_has_a_core_for_each_cpu() {
        let (_guard, host) = Pretended::with(&[("/proc/uptime", "1")]);
        let topology = Topology::read(&host, &[2, 5]);
        assert_eq!((topology.cores_len(), topology.nodes_len()), (2, 1));
        assert_eq!(topology.choose(Choice { without_smt: true, per_node_max: 0 }), [2, 5]);
    }
}
