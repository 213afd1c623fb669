//! Open-loop arrival: when the next thing is due, whether or not the last one came back.

use std::time::{Duration, Instant};

use crate::alarm;

/// A schedule of a fixed rate. Its start is spread by `phase`, so that many schedules do not beat
/// together; arrivals of independent players come at random intervals around the same mean.
#[derive(Clone, Debug)]
pub struct Pace {
    next: Instant,
    period: Duration,
    chance: Option<fastrand::Rng>,
}

impl Pace {
    /// `rate` a second, the first one due `phase` (0 to 1) of a period after `start`.
    pub fn even(start: Instant, rate: f64, phase: f64) -> Self {
        let period = period(rate);
        Self { next: start + period.mul_f64(phase), period, chance: None }
    }

    /// `rate` a second on average, each independent of the last (a Poisson process).
    pub fn random(start: Instant, rate: f64, seed: u64) -> Self {
        let mut pace = Self {
            next: start,
            period: period(rate),
            chance: Some(fastrand::Rng::with_seed(seed)),
        };
        pace.advance();
        pace
    }

    /// When the next one is due, without waiting for it.
    pub fn peek(&self) -> Instant {
        self.next
    }

    /// Takes the next one's time.
    pub fn advance(&mut self) -> Instant {
        let due = self.next;
        self.next += match &mut self.chance {
            // The exponential distribution by inversion; 1 - f64() is never 0.
            Some(chance) => self.period.mul_f64(-(1.0 - chance.f64()).ln()),
            None => self.period,
        };
        due
    }

    /// Waits until the next one is due and tells when that was. Late ones are due at once, with the time
    /// at which they should have been.
    pub async fn due(&mut self) -> Instant {
        let due = self.advance();
        if due > Instant::now() {
            alarm::until(due).await;
        }
        due
    }
}

/// A rate of nothing is once a year.
fn period(rate: f64) -> Duration {
    const YEAR: f64 = 365.0 * 86_400.0;
    Duration::from_secs_f64((1.0 / rate).clamp(0.0, YEAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_schedule_keeps_its_period_however_late_it_is_asked() {
        let start = Instant::now();
        let mut pace = Pace::even(start, 100.0, 0.5);
        let due: Vec<u128> =
            (0..4).map(|_| pace.advance().duration_since(start).as_millis()).collect();
        assert_eq!(due, [5, 15, 25, 35]);
    }

    #[tokio::test]
    async fn a_late_one_is_due_when_it_should_have_been() {
        let start = Instant::now();
        let mut pace = Pace::even(start.checked_sub(Duration::from_secs(1)).unwrap(), 10.0, 0.0);
        assert!(pace.due().await <= start.checked_sub(Duration::from_millis(999)).unwrap());
        assert!(start.elapsed() < Duration::from_millis(500), "nothing was waited for");
    }

    #[test]
    fn random_arrivals_keep_the_mean_and_repeat_with_their_seed() {
        let start = Instant::now();
        let times = |seed| {
            let mut pace = Pace::random(start, 1000.0, seed);
            (0..20_000).map(|_| pace.advance().duration_since(start)).collect::<Vec<_>>()
        };
        let one = times(7);
        assert_eq!(one, times(7));
        assert_ne!(one, times(8));
        let seconds = one.last().unwrap().as_secs_f64();
        assert!((19.0..21.0).contains(&seconds), "20000 arrivals took {seconds} s");
        // A Poisson process has intervals well below and above its mean.
        let gaps: Vec<f64> =
            one.windows(2).map(|pair| pair[1].abs_diff(pair[0]).as_secs_f64() * 1000.0).collect();
        let short = gaps.iter().filter(|gap| **gap < 1.0).count() as f64 / gaps.len() as f64;
        assert!((0.60..0.66).contains(&short), "{short} of the intervals are under the mean");
    }
}
