//! Cores, their clocks, and who else has a say in them.

use super::{Finding, Fix, Verdict};
use crate::{cgroup::Allowance, host::Host, topology::Topology};

/// Clock sources that are read without a system call.
const FAST_CLOCKS: [&str; 4] =
    ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];

pub(super) fn probe(host: &Host, topology: &Topology, allowance: &Allowance) -> Vec<Finding> {
    let cores = format!(
        "{} CPUs on {} cores, {} NUMA node{}",
        topology.cpus.len(),
        topology.cores_len(),
        topology.nodes_len(),
        if topology.nodes_len() == 1 { "" } else { "s" },
    );
    let mut findings = vec![Finding::note(
        "cores",
        cores,
        "A shard takes a CPU of its own; `tune shards` measures how many pay.",
    )];
    if topology.has_smt() {
        findings.push(Finding::note(
            "SMT",
            "on".to_owned(),
            "Two shards on one core share it: set cores_without_smt where latency matters more.",
        ));
    }
    findings.extend(quota(host, allowance));
    findings.extend(governor(host));
    findings.extend(clock(host));
    findings.extend(virtualisation(host));
    findings
}

/// Processor time that the control groups allow.
fn quota(host: &Host, allowance: &Allowance) -> Option<Finding> {
    host.text("/proc/self/cgroup")?;
    let is = allowance.cpus.map_or_else(|| "none".to_owned(), |cpus| format!("{cpus:.2} CPUs"));
    Some(Finding::judged(
        ("cgroup CPU quota", is, "none"),
        (allowance.cpus.is_none(), Verdict::Improve),
        "A quota stops a shard in the middle of its turn, for up to a tenth of a second.",
        Fix::ByHand("give the group whole CPUs (AllowedCPUs=) instead of CPUQuota=".to_owned()),
    ))
}

fn governor(host: &Host) -> Option<Finding> {
    let path = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    let governor = host.text(path)?;
    Some(Finding::judged(
        ("frequency governor", governor.clone(), "performance"),
        (governor == "performance", Verdict::Improve),
        "Other governors lower the clock of a core between bursts, which shows in the latency.",
        Fix::ByHand("cpupower frequency-set -g performance".to_owned()),
    ))
}

fn clock(host: &Host) -> Option<Finding> {
    let folder = "/sys/devices/system/clocksource/clocksource0";
    let clock = host.text(&format!("{folder}/current_clocksource"))?;
    let available = host.text(&format!("{folder}/available_clocksource")).unwrap_or_default();
    let better = FAST_CLOCKS.iter().find(|fast| available.split_whitespace().any(|a| a == **fast));
    let fix = better.map_or_else(
        || Fix::ByHand("boot with a stable TSC, or on another machine type".to_owned()),
        |better| Fix::Sysfs {
            path: format!("{folder}/current_clocksource"),
            value: (*better).to_owned(),
        },
    );
    Some(Finding::judged(
        ("clock source", clock.clone(), FAST_CLOCKS.join(" or ")),
        (FAST_CLOCKS.contains(&clock.as_str()), Verdict::Improve),
        "Reading any other clock is a system call, and a shard reads it every turn.",
        fix,
    ))
}

fn virtualisation(host: &Host) -> Option<Finding> {
    let cpuinfo = host.text("/proc/cpuinfo")?;
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    let is_guest = flags.split_whitespace().any(|flag| flag == "hypervisor");
    let product = host.text("/sys/class/dmi/id/product_name").unwrap_or_default();
    Some(if is_guest {
        Finding::note(
            "virtualisation",
            format!("a guest {product}").trim_end().to_owned(),
            "Neighbours and the hypervisor's network show in the tail of the latency.",
        )
    } else {
        Finding::note("virtualisation", "bare metal".to_owned(), "Nobody else uses these cores.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tests::Pretended;

    #[test]
    fn a_quota_is_told_in_cpus() {
        let (_guard, host) = Pretended::with(&[("/proc/self/cgroup", "0::/a/b\n")]);
        let of = |cpus| quota(&host, &Allowance { cpus, ..Allowance::default() });
        let finding = of(Some(1.5)).expect("it is told");
        assert_eq!((finding.is.as_str(), finding.verdict), ("1.50 CPUs", Verdict::Improve));
        assert_eq!(of(None).map(|finding| finding.verdict), Some(Verdict::Good));
    }

    #[test]
    fn a_slow_clock_is_changed_to_a_fast_one_that_is_there() {
        let folder = "/sys/devices/system/clocksource/clocksource0";
        let current = format!("{folder}/current_clocksource");
        let available = format!("{folder}/available_clocksource");
        let (_guard, host) =
            Pretended::with(&[(&current, "hpet\n"), (&available, "hpet tsc acpi_pm\n")]);
        let fix = clock(&host).and_then(|finding| finding.fix);
        assert_eq!(fix, Some(Fix::Sysfs { path: current, value: "tsc".to_owned() }));
    }

    #[test]
    fn the_clocks_that_hypervisors_offer_are_good_ones() {
        let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        for name in ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page"] {
            let (_guard, host) = Pretended::with(&[(path, name)]);
            assert_eq!(clock(&host).map(|finding| finding.verdict), Some(Verdict::Good), "{name}");
        }
    }
}
