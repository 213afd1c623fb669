//! Open-loop arrival: when the next thing is due, whether or not the last one came back.

use std::time::{Duration, Instant};

/// A fixed-rate schedule. Its start is spread by `phase`, so that many schedules do not beat together.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    next: Instant,
    period: Duration,
}

impl Pace {
    /// `rate` a second, the first one due `phase` (0 to 1) of a period after `start`.
    pub fn new(start: Instant, rate: f64, phase: f64) -> Self {
        let period = Duration::from_secs_f64(1.0 / rate);
        Self { next: start + period.mul_f64(phase), period }
    }

    /// Waits until the next one is due and tells when that was. Late ones are due at once, with the time
    /// at which they should have been.
    pub async fn due(&mut self) -> Instant {
        let due = self.next;
        self.next += self.period;
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
        }
        due
    }
}
