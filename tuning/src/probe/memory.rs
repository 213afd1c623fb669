//! Memory, as far as the host shapes it.

use super::{Finding, Fix, Verdict};
use crate::{cgroup::Allowance, host::Host};

const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

pub(super) fn probe(host: &Host, allowance: &Allowance) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(choices) = host.text(HUGE_PAGES) {
        let chosen = choices.split(['[', ']']).nth(1).unwrap_or("?").to_owned();
        findings.push(Finding::judged(
            ("transparent huge pages", chosen.clone(), "madvise"),
            (chosen != "always", Verdict::Improve),
            "With always, memory of closed sessions stays resident, and khugepaged stalls shards.",
            Fix::Sysfs { path: HUGE_PAGES.to_owned(), value: "madvise".to_owned() },
        ));
    }
    if let Some(swappiness) = host.number::<u32>("/proc/sys/vm/swappiness") {
        let has_swap = host.text("/proc/swaps").is_some_and(|text| text.lines().count() > 1);
        findings.push(Finding::judged(
            ("vm.swappiness", swappiness.to_string(), "10 or less where there is swap"),
            (!has_swap || swappiness <= 10, Verdict::Improve),
            "An idle session that was swapped out costs its shard a disk read when it speaks.",
            Fix::Sysctl { key: "vm.swappiness", value: "10".to_owned() },
        ));
    }
    let allowed = allowance.memory_bytes.unwrap_or(u64::MAX);
    if let Some(total) = total(host).map(|total| total.min(allowed)) {
        findings.push(Finding::note(
            "memory",
            format!("{:.1} GiB", total as f64 / f64::from(1 << 30)),
            "Count 10 kB for each idle session: some 4 here, the rest in the kernel.",
        ));
    }
    findings
}

/// Bytes of memory of the host.
fn total(host: &Host) -> Option<u64> {
    let text = host.text("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tests::Pretended;

    #[test]
    fn swappiness_matters_only_with_swap() {
        let swaps = "Filename Type Size Used Priority\n/swap file 1 0 -2\n";
        for (swaps, verdict) in [("Filename Type\n", Verdict::Good), (swaps, Verdict::Improve)] {
            let (_guard, host) =
                Pretended::with(&[("/proc/sys/vm/swappiness", "60"), ("/proc/swaps", swaps)]);
            assert_eq!(probe(&host, &Allowance::default())[0].verdict, verdict);
        }
    }

    #[test]
    fn huge_pages_are_read_out_of_the_choices() {
        for (choices, verdict) in [
            ("[always] madvise never", Verdict::Improve),
            ("always [madvise] never", Verdict::Good),
        ] {
            let (_guard, host) = Pretended::with(&[(HUGE_PAGES, choices)]);
            assert_eq!(probe(&host, &Allowance::default())[0].verdict, verdict, "{choices}");
        }
    }

    #[test]
    fn memory_is_the_hosts_or_what_the_group_may_use_of_it() {
        let (_guard, host) = Pretended::with(&[("/proc/meminfo", "MemTotal: 8388608 kB\n")]);
        let of = |memory_bytes| {
            probe(&host, &Allowance { memory_bytes, ..Allowance::default() })[0].is.clone()
        };
        assert_eq!((of(None), of(Some(1 << 31))), ("8.0 GiB".to_owned(), "2.0 GiB".to_owned()));
    }
}
