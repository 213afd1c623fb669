//! Arrival as scenarios ask for it: by the clock at a rate, or as fast as answers come.

use std::time::Instant;

use clap::Args;

use super::{Clock, Stage};
use crate::{options::rate, pace::Pace};

/// How often things are due.
#[derive(Clone, Copy, Debug, Args)]
pub struct Rate {
    /// How many a second in total; absent: as fast as the answers come.
    #[arg(long, value_parser = rate)]
    pub rate: Option<f64>,
    /// With a rate: at random intervals (a Poisson process) instead of even ones.
    #[arg(long, requires = "rate")]
    pub random: bool,
}

/// One sender's schedule.
pub struct Turns {
    pace: Option<Pace>,
    clock: Clock,
    stage: Stage,
}

impl Rate {
    /// The schedule of sender `index` of this thread's `count`.
    pub fn turns(self, stage: &Stage, clock: Clock, index: usize, count: usize) -> Turns {
        let pace = stage.rate(self.rate).map(|rate| {
            let rate = rate / count as f64;
            if self.random {
                Pace::random(clock.start, rate, stage.chance(index).u64(..))
            } else {
                Pace::even(clock.start, rate, index as f64 / count as f64)
            }
        });
        Turns { pace, clock, stage: stage.clone() }
    }
}

impl Turns {
    /// Waits for the next turn and gives the time at which it was due; nothing at the end.
    pub async fn next(&mut self) -> Option<Instant> {
        if self.clock.is_over() {
            return None;
        }
        let Some(pace) = &mut self.pace else { return Some(Instant::now()) };
        if pace.peek() >= self.clock.end {
            self.clock.wait_until(self.clock.end).await;
            return None;
        }
        // One that is late already waited for its sender's last answer: that is the server's doing.
        let is_on_time = pace.peek() > Instant::now();
        let due = pace.due().await;
        if is_on_time {
            self.stage.sends_due(due);
        }
        Some(due)
    }
}
