//! Changes what can be changed while the host runs.

use std::{io, path::Path};

use super::{Finding, Fix};
use crate::host::Host;

/// One change, and how it went.
#[derive(Debug)]
pub struct Applied {
    pub fix: Fix,
    pub result: io::Result<()>,
}

/// Carries out the immediate fixes of the findings, after `announce` has told each. What fails leaves
/// the rest to be tried.
pub fn apply(host: &Host, findings: &[Finding], announce: impl Fn(&Fix)) -> Vec<Applied> {
    let fixes = findings.iter().filter_map(|finding| finding.fix.clone());
    fixes
        .filter(Fix::is_immediate)
        .map(|fix| {
            announce(&fix);
            Applied { result: carry_out(host, &fix), fix }
        })
        .collect()
}

fn carry_out(host: &Host, fix: &Fix) -> io::Result<()> {
    match fix {
        Fix::Sysctl { key, value } => {
            let path = format!("/proc/sys/{}", key.replace('.', "/"));
            host.write(Path::new(&path), value)
        }
        Fix::Sysfs { path, value } => host.write(Path::new(path), value),
        Fix::ByHand(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::{host::tests::Pretended, probe::probe, topology::Topology};

    #[test]
    fn what_can_be_set_is_announced_then_set_and_then_good() {
        let (_guard, host) = Pretended::with(&[
            ("/proc/sys/net/core/somaxconn", "128"),
            ("/proc/sys/kernel/io_uring_disabled", "2"),
        ]);
        let findings = probe(&host, &Topology::default(), 1);
        let announced = RefCell::new(Vec::new());
        let applied = apply(&host, &findings, |fix| announced.borrow_mut().push(fix.to_string()));
        assert_eq!(applied.len(), announced.borrow().len());
        assert!(applied.iter().all(|applied| applied.result.is_ok()), "{applied:?}");
        assert_eq!(host.number("/proc/sys/net/core/somaxconn"), Some(4096));
        assert_eq!(host.number("/proc/sys/kernel/io_uring_disabled"), Some(0));
        let left = probe(&host, &Topology::default(), 1);
        assert!(!left.iter().any(|finding| finding.fix.as_ref().is_some_and(Fix::is_immediate)));
    }

    #[test]
    fn a_change_that_is_refused_is_told_and_the_others_are_made() {
        let (_guard, host) = Pretended::with(&[
            ("/proc/sys/kernel/io_uring_disabled", "1"),
            ("/proc/sys/net/core/somaxconn", "128"),
        ]);
        let mut findings = probe(&host, &Topology::default(), 1);
        let path = "/sys/no/such/file".to_owned();
        let fix = Fix::Sysfs { path, value: "1".to_owned() };
        findings.insert(0, Finding { fix: Some(fix), ..findings[0].clone() });
        let applied = apply(&host, &findings, |_| {});
        assert!(applied[0].result.is_err());
        assert_eq!(host.number("/proc/sys/net/core/somaxconn"), Some(4096));
    }
}
