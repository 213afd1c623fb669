//! What of a host matters to the server: what it is, what it should be, why, and how to change it.

mod apply;
mod cpu;
mod kernel;
mod limits;
mod memory;
mod network;

use std::fmt::{self, Write};

use serde::{Serialize, Serializer};

pub use apply::{Applied, apply};

use crate::{cgroup::Allowance, host::Host, topology::Topology};

/// One thing of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub name: &'static str,
    pub is: String,
    pub should_be: String,
    pub verdict: Verdict,
    pub why: &'static str,
    /// What to do where it is not as it should be.
    pub fix: Option<Fix>,
}

/// How a thing of the host suits the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Good,
    /// To be known; nothing to change.
    Note,
    /// The server runs, slower or with less than it could.
    Improve,
    /// The server does not run, or fails under load.
    Bad,
}

/// A command that changes a thing of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// A kernel parameter, settable while the host runs.
    Sysctl { key: &'static str, value: String },
    /// A file below `/sys`, settable while the host runs.
    Sysfs { path: String, value: String },
    /// A person has to do it: a restart, another shell, another machine.
    ByHand(String),
}

impl Fix {
    /// Whether [`apply`] can do it.
    pub fn is_immediate(&self) -> bool {
        !matches!(self, Self::ByHand(_))
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sysctl { key, value } => write!(f, "sysctl -w {key}='{value}'"),
            Self::Sysfs { path, value } => write!(f, "echo {value} > {path}"),
            Self::ByHand(what) => f.write_str(what),
        }
    }
}

impl Serialize for Fix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Looks at everything. `shards` is how many the server would run.
pub fn probe(host: &Host, topology: &Topology, shards: usize) -> Vec<Finding> {
    let allowance = Allowance::read(host);
    let mut findings = kernel::probe(host);
    findings.extend(limits::probe(host, &allowance, shards));
    findings.extend(cpu::probe(host, topology, &allowance));
    findings.extend(memory::probe(host, &allowance));
    findings.extend(network::probe(host, topology, shards));
    findings
}

/// The findings for a person: what should change first, each with its reason and command.
pub fn render(findings: &[Finding]) -> String {
    let mut text = String::new();
    for (verdict, heading) in [
        (Verdict::Bad, "Will hurt"),
        (Verdict::Improve, "Can be better"),
        (Verdict::Note, "To know"),
        (Verdict::Good, "Good"),
    ] {
        let those: Vec<_> = findings.iter().filter(|finding| finding.verdict == verdict).collect();
        if those.is_empty() {
            continue;
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "{heading}");
        for Finding { name, is, should_be, why, fix, .. } in those {
            let _ = match verdict {
                Verdict::Good => writeln!(text, "  {name}: {is}"),
                Verdict::Note => writeln!(text, "  {name}: {is}\n      {why}"),
                Verdict::Improve | Verdict::Bad => {
                    writeln!(text, "  {name}: {is}, should be {should_be}\n      {why}")
                }
            };
            if let Some(fix) = fix {
                let _ = writeln!(text, "      $ {fix}");
            }
        }
        let _ = writeln!(text);
    }
    text
}

impl Finding {
    /// A thing that is as it should be where `good`, and else is as bad as `otherwise`.
    fn judged(
        (name, is, should_be): (&'static str, String, impl Into<String>),
        (good, otherwise): (bool, Verdict),
        why: &'static str,
        fix: Fix,
    ) -> Self {
        let verdict = if good { Verdict::Good } else { otherwise };
        let fix = (!good).then_some(fix);
        Self { name, is, should_be: should_be.into(), verdict, why, fix }
    }

    fn note(name: &'static str, is: String, why: &'static str) -> Self {
        Self { name, is, should_be: String::new(), verdict: Verdict::Note, why, fix: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tests::Pretended;

    #[test]
    fn this_host_is_probed_and_every_complaint_says_what_to_do() {
        let host = Host::default();
        let topology = Topology::read(&host, &[0]);
        let findings = probe(&host, &topology, 1);
        assert!(findings.len() > 10);
        for finding in &findings {
            let complains = matches!(finding.verdict, Verdict::Improve | Verdict::Bad);
            assert_eq!(finding.fix.is_some(), complains, "{finding:?}");
            assert!(finding.why.len() > 15, "{finding:?}");
        }
    }

    #[test]
    fn a_host_that_tells_nothing_yields_no_invented_values() {
        let (_guard, host) = Pretended::with(&[("/proc/uptime", "1")]);
        for finding in probe(&host, &Topology::default(), 1) {
            let of_this_process = finding.name.starts_with("io_uring ");
            assert!(of_this_process || finding.verdict != Verdict::Bad, "{finding:?}");
        }
    }

    #[test]
    fn what_hurts_is_told_first_with_its_command() {
        let (_guard, host) = Pretended::with(&[
            ("/proc/sys/net/core/somaxconn", "128"),
            ("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never"),
        ]);
        let text = render(&probe(&host, &Topology::default(), 1));
        let command = text.find("sysctl -w net.core.somaxconn=").expect("the command is there");
        assert!(command < text.find("transparent huge pages").expect("and what is good"));
    }
}
