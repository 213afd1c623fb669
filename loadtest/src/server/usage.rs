//! What the server's process used, read from `/proc`.

use std::fs;

use anyhow::{Context, Result};

/// A reading of a process. CPU time counts all its threads.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
}

impl Usage {
    pub fn of(pid: u32) -> Result<Self> {
        /// `USER_HZ`: the unit of `/proc/PID/stat` on every Linux that this runs on.
        const TICKS_PER_SECOND: f64 = 100.0;

        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("the server's process, {pid}, is not there"))?;
        // The second field is the program's name in parentheses, which may hold spaces.
        let fields: Vec<&str> =
            stat.rsplit_once(") ").context("an odd /proc stat")?.1.split(' ').collect();
        let ticks = |at: usize| -> Result<f64> {
            Ok(fields.get(at).context("a short /proc stat")?.parse::<f64>()?)
        };
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let resident_kib: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .context("no VmRSS in /proc status")?
            .parse()?;
        Ok(Self {
            cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
            resident_bytes: resident_kib * 1024,
        })
    }
}
