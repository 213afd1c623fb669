//! What can be seen while a run goes on: a line of throughput, p99 and errors, and the timeline.

use std::io::{IsTerminal, Write, stderr};

use crate::{
    measure::{Slice, Timeline},
    options::Options,
    server::usage::Usage,
};

/// Without a terminal, a line is written only so often.
const SECONDS_BETWEEN_LINES: usize = 10;

pub struct Watch {
    timeline: Timeline,
    threads: usize,
    pid: Option<u32>,
    name: String,
    is_terminal: bool,
    errors: u64,
}

impl Watch {
    pub fn new(options: &Options, threads: usize, pid: Option<u32>) -> Self {
        let name = format!("{} {}", options.scenario.name(), options.target.name);
        let is_terminal = stderr().is_terminal();
        Self { timeline: Timeline::default(), threads, pid, name, is_terminal, errors: 0 }
    }

    /// Takes one thread's second in, and shows it when it is whole.
    pub fn second(&mut self, second: usize, slice: &Slice) {
        let Some(row) = self.timeline.add(second, slice, self.threads) else { return };
        // A server that has ended shows in the run's own reading.
        row.server = self.pid.and_then(|pid| Usage::of(pid).ok());
        self.errors += row.errors;
        let memory = row.server.map_or_else(String::new, |usage| {
            format!("  memory {:.1} MiB", usage.resident_bytes as f64 / 1_048_576.0)
        });
        let line = format!(
            "{}: {:>4} s  {:>8}/s  p99 {:.2} ms  errors {}{memory}",
            self.name,
            second + 1,
            row.done,
            row.ms(99.0),
            self.errors
        );
        let mut out = stderr().lock();
        // Nobody who closed the terminal wants to hear that it is closed.
        let _ = if self.is_terminal {
            write!(out, "\r\x1b[2K{line}").and_then(|()| out.flush())
        } else if (second + 1).is_multiple_of(SECONDS_BETWEEN_LINES) {
            writeln!(out, "{line}")
        } else {
            Ok(())
        };
    }

    pub fn end(self) -> Timeline {
        if self.is_terminal {
            let _ = write!(stderr().lock(), "\r\x1b[2K");
        }
        self.timeline
    }
}
