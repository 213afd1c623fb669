//! The kernel, and what its `io_uring` can do.

use io_uring::{IoUring, Probe, opcode};

use super::{Finding, Fix, Verdict};
use crate::host::Host;

/// The oldest kernel whose rings run their completions on the submitting thread when it asks.
const KERNEL_MIN: (u32, u32) = (6, 1);

/// What the server submits, by name.
const OPERATIONS: [(&str, u8); 7] = [
    ("accept", opcode::AcceptMulti::CODE),
    ("receive", opcode::RecvMulti::CODE),
    ("send", opcode::SendMsg::CODE),
    ("connect", opcode::Connect::CODE),
    ("shutdown", opcode::Shutdown::CODE),
    ("cancel", opcode::AsyncCancel::CODE),
    ("close", opcode::Close::CODE),
];

pub(super) fn probe(host: &Host) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(release) = host.text("/proc/sys/kernel/osrelease") {
        findings.push(kernel(release));
    }
    if let Some(level) = host.number::<u32>("/proc/sys/kernel/io_uring_disabled") {
        findings.push(Finding::judged(
            ("kernel.io_uring_disabled", level.to_string(), "0"),
            (level == 0, Verdict::Bad),
            "1 allows io_uring to privileged processes only, 2 to nobody; the server needs it.",
            Fix::Sysctl { key: "kernel.io_uring_disabled", value: "0".to_owned() },
        ));
    }
    findings.extend(ring());
    findings
}

fn kernel(release: String) -> Finding {
    let mut parts = release.split(['.', '-', '+']).map(str::parse);
    let version = match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (0, 0),
    };
    let (major, minor) = KERNEL_MIN;
    Finding::judged(
        ("kernel", release, format!("{major}.{minor} or later")),
        (version >= KERNEL_MIN, Verdict::Bad),
        "Rings with deferred task work, multishot receive and buffer rings came with it.",
        Fix::ByHand("boot a newer kernel".to_owned()),
    )
}

/// Sets a ring up as the server does, and asks it what it can do.
fn ring() -> Vec<Finding> {
    let ring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        .build(8);
    let ring: IoUring = match ring {
        Ok(ring) => ring,
        Err(error) => {
            return vec![Finding::judged(
                ("io_uring ring", error.to_string(), "can be set up"),
                (false, Verdict::Bad),
                "Each shard has a ring; a container's seccomp filter often forbids them.",
                Fix::ByHand("allow the io_uring_* system calls to this process".to_owned()),
            )];
        }
    };
    let parameters = ring.params();
    let features = [
        ("fast poll", parameters.is_feature_fast_poll()),
        ("no drop", parameters.is_feature_nodrop()),
        ("native workers", parameters.is_feature_native_workers()),
        ("skipped completions", parameters.is_feature_skip_cqe_on_success()),
    ];
    let mut probe = Probe::new();
    let asked = ring.submitter().register_probe(&mut probe).is_ok();
    let lacks_operation = |code: u8| asked && !probe.is_supported(code);
    let missing: Vec<&str> = features
        .iter()
        .filter(|(_, present)| !present)
        .map(|(name, _)| *name)
        .chain(OPERATIONS.iter().filter(|(_, code)| lacks_operation(*code)).map(|(name, _)| *name))
        .collect();
    let is = match missing.as_slice() {
        [] => "complete".to_owned(),
        missing => format!("without {}", missing.join(", ")),
    };
    vec![Finding::judged(
        ("io_uring features", is, "complete"),
        (missing.is_empty(), Verdict::Bad),
        "Sockets are accepted, read, written and closed through the ring alone.",
        Fix::ByHand("boot a newer kernel".to_owned()),
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_compared_by_number() {
        for (release, verdict) in [
            ("6.1.0-18-amd64", Verdict::Good),
            ("6.12.3+deb", Verdict::Good),
            ("10.0", Verdict::Good),
            ("5.15.0", Verdict::Bad),
            ("what", Verdict::Bad),
        ] {
            assert_eq!(kernel(release.to_owned()).verdict, verdict, "{release}");
        }
    }
}
