//! The way of packets to the shards.

use std::collections::BTreeSet;

use super::{Finding, Fix, Verdict};
use crate::{
    host::{Host, number_list},
    topology::Topology,
};

/// Kernel parameters with a lower bound: key, bound, reason.
const AT_LEAST: [(&str, u64, &str); 4] = [
    (
        "net.core.somaxconn",
        4096,
        "New clients wait in this queue while a shard is busy; beyond it the kernel refuses them.",
    ),
    (
        "net.ipv4.tcp_max_syn_backlog",
        8192,
        "Half-open connections of a reconnect storm wait here; beyond it they retry in seconds.",
    ),
    (
        "net.core.netdev_max_backlog",
        4096,
        "Packets wait here for a core that is busy; beyond it they are dropped.",
    ),
    (
        "net.netfilter.nf_conntrack_max",
        262_144,
        "Where connections are tracked, each client is an entry; beyond it packets are dropped.",
    ),
];

pub(super) fn probe(host: &Host, topology: &Topology, shards: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, least, why) in AT_LEAST {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        let Some(value) = host.number::<u64>(&path) else { continue };
        findings.push(Finding::judged(
            (key, value.to_string(), format!("{least} or more")),
            (value >= least, Verdict::Improve),
            why,
            Fix::Sysctl { key, value: least.to_string() },
        ));
    }
    findings.extend(ports(host));
    findings
        .extend(interfaces(host).into_iter().map(|name| queues(host, &name, (topology, shards))));
    findings.extend(interrupts(host, shards));
    findings
}

/// Only a load generator, and a server's way to its database, use up local ports.
fn ports(host: &Host) -> Option<Finding> {
    let key = "net.ipv4.ip_local_port_range";
    let range = host.text("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut ends = range.split_whitespace().map(str::parse::<u32>);
    let (Some(Ok(from)), Some(Ok(to))) = (ends.next(), ends.next()) else { return None };
    let ports = to.saturating_sub(from);
    Some(Finding::judged(
        (key, format!("{from} to {to}"), "50,000 ports or more on a load generator"),
        (ports >= 28_000, Verdict::Improve),
        "Each connection that a load generator opens to one address takes a port.",
        Fix::Sysctl { key, value: "10240 65535".to_owned() },
    ))
}

/// Interfaces with hardware below them.
fn interfaces(host: &Host) -> Vec<String> {
    let mut names = host.names("/sys/class/net");
    names.retain(|name| host.exists(&format!("/sys/class/net/{name}/device")));
    names
}

fn queues(host: &Host, interface: &str, (topology, shards): (&Topology, usize)) -> Finding {
    let names = host.names(&format!("/sys/class/net/{interface}/queues"));
    let queues = names.iter().filter(|name| name.starts_with("rx-")).count();
    Finding::judged(
        (
            "receive queues",
            format!("{interface} has {queues}"),
            format!("{shards}, one for each shard, or receive packet steering"),
        ),
        (queues >= shards || is_steered(host, interface, &names), Verdict::Improve),
        "One queue brings all packets to one core, which is full before the shards are.",
        spreading(interface, queues, (topology, shards)),
    )
}

/// More queues where the hardware has them; where there is one, the kernel spreads its packets.
fn spreading(interface: &str, queues: usize, (topology, shards): (&Topology, usize)) -> Fix {
    let mask = cpu_mask(topology);
    if queues == 1 && !mask.is_empty() {
        let path = format!("/sys/class/net/{interface}/queues/rx-0/rps_cpus");
        return Fix::Sysfs { path, value: mask };
    }
    Fix::ByHand(format!("ethtool -L {interface} combined {shards}"))
}

/// The CPUs that the process may use as the kernel reads sets of them: 32 in a group of hexadecimal digits, the
/// highest first.
fn cpu_mask(topology: &Topology) -> String {
    const BITS: usize = u32::BITS as usize;
    let mut groups: Vec<u32> = Vec::new();
    for cpu in &topology.cpus {
        let group = cpu.id / BITS;
        groups.resize(groups.len().max(group + 1), 0);
        if let Some(bits) = groups.get_mut(group) {
            *bits |= 1 << (cpu.id % BITS);
        }
    }
    let words: Vec<String> = groups.iter().rev().map(|bits| format!("{bits:08x}")).collect();
    words.join(",")
}

/// Whether software spreads the packets of every queue.
fn is_steered(host: &Host, interface: &str, queues: &[String]) -> bool {
    queues.iter().filter(|name| name.starts_with("rx-")).all(|queue| {
        host.text(&format!("/sys/class/net/{interface}/queues/{queue}/rps_cpus"))
            .is_some_and(|mask| mask.chars().any(|digit| digit.is_ascii_hexdigit() && digit != '0'))
    })
}

/// Whether the network's interrupts come to more than one CPU.
fn interrupts(host: &Host, shards: usize) -> Option<Finding> {
    let text = host.text("/proc/interrupts")?;
    // As drivers name the interrupts of their receive queues.
    let of_network = |line: &&str| {
        ["-input", "TxRx", "Tx-Rx", "-rx-", "mlx5_comp"].iter().any(|name| line.contains(name))
    };
    let mut cpus = BTreeSet::new();
    let mut count = 0;
    for line in text.lines().filter(of_network) {
        let number = line.trim_start().split(':').next()?;
        let list = ["effective_affinity_list", "smp_affinity_list"]
            .iter()
            .find_map(|file| number_list(&host.text(&format!("/proc/irq/{number}/{file}"))?));
        // One that says nothing of its CPUs does not share them with the others.
        let Some(list) = list.filter(|list| !list.is_empty()) else { continue };
        count += 1;
        cpus.extend(list);
    }
    let wanted = count.min(shards);
    (count > 0).then(|| {
        Finding::judged(
            (
                "network interrupts",
                format!("{count} on {} CPUs", cpus.len()),
                format!("spread over {wanted} CPUs"),
            ),
            (cpus.len() >= wanted, Verdict::Improve),
            "A core that takes all interrupts has less time for its shard.",
            Fix::ByHand("systemctl start irqbalance, or set smp_affinity by hand".to_owned()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tests::Pretended;

    fn verdict(findings: &[Finding], name: &str) -> Option<Verdict> {
        findings.iter().find(|finding| finding.name == name).map(|finding| finding.verdict)
    }

    #[test]
    fn parameters_below_their_bound_are_told_with_the_command() {
        let (_guard, host) = Pretended::with(&[
            ("/proc/sys/net/core/somaxconn", "128"),
            ("/proc/sys/net/ipv4/tcp_max_syn_backlog", "8192"),
            ("/proc/sys/net/ipv4/ip_local_port_range", "60000\t60999"),
        ]);
        let findings = probe(&host, &Topology::default(), 1);
        assert_eq!(verdict(&findings, "net.core.somaxconn"), Some(Verdict::Improve));
        assert_eq!(verdict(&findings, "net.ipv4.tcp_max_syn_backlog"), Some(Verdict::Good));
        assert_eq!(verdict(&findings, "net.ipv4.ip_local_port_range"), Some(Verdict::Improve));
        assert_eq!(verdict(&findings, "net.netfilter.nf_conntrack_max"), None);
    }

    #[test]
    fn one_queue_for_many_shards_is_too_few_unless_software_spreads() {
        let files = |mask| {
            [
                ("/sys/class/net/eth0/device/vendor", "x"),
                ("/sys/class/net/eth0/queues/rx-0/rps_cpus", mask),
                ("/sys/class/net/lo/queues/rx-0/rps_cpus", "0"),
            ]
        };
        for (mask, shards, expected) in
            [("00", 4, Verdict::Improve), ("0f", 4, Verdict::Good), ("00", 1, Verdict::Good)]
        {
            let (_guard, host) = Pretended::with(&files(mask));
            let findings = probe(&host, &Topology::default(), shards);
            assert_eq!(verdict(&findings, "receive queues"), Some(expected), "{mask} {shards}");
        }
    }

    #[test]
    fn packets_of_a_single_queue_are_spread_by_the_kernel() {
        let (_guard, host) = Pretended::with(&[
            ("/sys/class/net/eth0/device/vendor", "x"),
            ("/sys/class/net/eth0/queues/rx-0/rps_cpus", "00"),
        ]);
        let topology = Topology::read(&host, &[0, 3, 33]);
        let finding = probe(&host, &topology, 3).pop();
        let path = "/sys/class/net/eth0/queues/rx-0/rps_cpus".to_owned();
        let fix = Fix::Sysfs { path, value: "00000002,00000009".to_owned() };
        assert_eq!(finding.and_then(|finding| finding.fix), Some(fix));
    }

    #[test]
    fn interrupts_that_do_not_tell_their_cpus_are_no_complaint() {
        let interrupts =
            "  24:  1  0  PCI-MSI  virtio0-input.0\n  25:  1  0  PCI-MSI  virtio0-input.1\n";
        let (_guard, host) = Pretended::with(&[("/proc/interrupts", interrupts)]);
        let findings = probe(&host, &Topology::default(), 2);
        assert_eq!(verdict(&findings, "network interrupts"), None);
        for (second, expected) in [("0", Verdict::Improve), ("1", Verdict::Good)] {
            let (_guard, host) = Pretended::with(&[
                ("/proc/interrupts", interrupts),
                ("/proc/irq/24/effective_affinity_list", "0"),
                ("/proc/irq/25/smp_affinity_list", second),
            ]);
            let findings = probe(&host, &Topology::default(), 2);
            assert_eq!(verdict(&findings, "network interrupts"), Some(expected));
        }
    }
}
