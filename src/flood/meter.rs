//! One token bucket, and how often it was empty.

use std::time::Duration;

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Time in which one token comes.
    interval_nanos: u64,
    /// Time in which an empty bucket fills.
    depth_nanos: u64,
}

impl Rate {
    /// So many tokens a second, and so many at once; a burst of 0 is what comes in a second. `None` where
    /// there is no rate.
    pub fn new(per_sec: u32, burst: u32) -> Option<Self> {
        let interval_nanos = 1_000_000_000_u64.checked_div(per_sec.into())?;
        let burst = if burst == 0 { per_sec } else { burst };
        Some(Self { interval_nanos, depth_nanos: interval_nanos * u64::from(burst) })
    }
}

/// What a meter holds its subject to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub rate: Rate,
    /// By how many the refused may outnumber the served before it is abuse.
    pub refusals_max: u32,
}

/// What becomes of one message, request or connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Serve,
    /// Too much; one will be served after this time.
    Refuse {
        wait: Duration,
    },
    /// Too much for too long: the connection is to be closed. A token will be there after this time.
    Abuse {
        wait: Duration,
    },
}

/// See the module's description. A new one is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// When the bucket is full again, in nanoseconds of the shard's monotonic clock.
    full_at: u64,
    /// By how many the refused outnumber the served since the bucket was last full.
    refusals: u32,
}

impl Meter {
    /// Takes a token. `now_micros` never runs back.
    pub fn take(&mut self, limit: &Limit, now_micros: u64) -> Verdict {
        let Rate { interval_nanos, depth_nanos } = limit.rate;
        let now = now_micros.saturating_mul(1000);
        if self.full_at <= now {
            *self = Self { full_at: now, refusals: 0 };
        }
        let next = self.full_at.saturating_add(interval_nanos);
        let missing = next.saturating_sub(now).saturating_sub(depth_nanos);
        if missing == 0 {
            self.full_at = next;
            self.refusals = self.refusals.saturating_sub(1);
            return Verdict::Serve;
        }
        let wait = Duration::from_nanos(missing);
        self.refusals = self.refusals.saturating_add(1);
        if self.is_abused(limit) { Verdict::Abuse { wait } } else { Verdict::Refuse { wait } }
    }

    /// Whether the subject is still shunned for what it did. Ends when the bucket is full.
    pub fn is_shunned(&self, limit: &Limit, now_micros: u64) -> bool {
        self.is_abused(limit) && self.full_at > now_micros.saturating_mul(1000)
    }

    fn is_abused(&self, limit: &Limit) -> bool {
        self.refusals > limit.refusals_max
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(per_sec: u32, burst: u32, refusals_max: u32) -> Limit {
        Limit { rate: Rate::new(per_sec, burst).unwrap(), refusals_max }
    }

    #[test]
    fn no_rate_is_no_limit_and_no_burst_is_a_seconds_worth() {
        assert_eq!(Rate::new(0, 5), None);
        assert_eq!(Rate::new(10, 0), Rate::new(10, 10));
    }

    #[test]
    fn a_burst_is_served_and_then_the_rate() {
        let (limit, mut meter) = (limit(10, 3, 100), Meter::default());
        let at_once = |meter: &mut Meter, now| {
            (0..1000).take_while(|_| meter.take(&limit, now) == Verdict::Serve).count()
        };
        assert_eq!(at_once(&mut meter, 0), 3);
        assert_eq!(meter.take(&limit, 40_000), Verdict::Refuse { wait: Duration::from_millis(60) });
        assert_eq!(at_once(&mut meter, 100_000), 1);
        assert_eq!(at_once(&mut meter, 10_000_000), 3, "a pause fills the bucket, and no further");
    }

    #[test]
    fn who_is_refused_far_more_often_than_served_is_shunned_until_the_bucket_is_full() {
        let (limit, mut meter) = (limit(10, 1, 5), Meter::default());
        let verdicts: Vec<_> = (0..7).map(|_| meter.take(&limit, 0)).collect();
        let wait = Duration::from_millis(100);
        assert_eq!(verdicts[0], Verdict::Serve);
        assert!(verdicts[1..6].iter().all(|verdict| *verdict == Verdict::Refuse { wait }));
        assert_eq!(verdicts[6], Verdict::Abuse { wait });
        assert!(meter.is_shunned(&limit, 99_999));
        assert!(!meter.is_shunned(&limit, 100_000));
        assert_eq!(meter.take(&limit, 100_000), Verdict::Serve);
        assert!(!meter.is_shunned(&limit, 100_000));
    }

    #[test]
    fn twice_the_rate_is_refused_half_of_the_time_and_is_no_abuse() {
        let (limit, mut meter) = (limit(10, 1, 5), Meter::default());
        let verdicts = (0..1000).map(|n| meter.take(&limit, n * 50_000));
        let (served, refused): (Vec<_>, Vec<_>) = verdicts.partition(|v| *v == Verdict::Serve);
        assert_eq!(served.len(), 500);
        assert!(refused.iter().all(|verdict| matches!(verdict, Verdict::Refuse { .. })));
    }

    proptest! {
        /// In no span of time is more served than its share and one burst.
        #[test]
        fn no_pattern_gets_more_than_rate_and_burst(
            per_sec in 1_u32..2000,
            burst in 1_u32..50,
            pauses in proptest::collection::vec(0_u64..20_000, 1..400),
        ) {
            let (limit, mut meter) = (limit(per_sec, burst, 10), Meter::default());
            let (mut now, mut served) = (0, Vec::new());
            for pause in pauses {
                now += pause;
                if meter.take(&limit, now) == Verdict::Serve {
                    served.push(now);
                }
            }
            for (index, start) in served.iter().enumerate() {
                for (count, end) in served[index..].iter().enumerate() {
                    let share = (end - start) as f64 / 1e6 * f64::from(per_sec);
                    prop_assert!(count as f64 + 1.0 <= share + f64::from(burst) + 1e-3);
                }
            }
        }

        /// Who keeps to the rate is never refused.
        #[test]
        fn the_rate_itself_is_always_served(per_sec in 1_u32..1000, burst in 1_u32..10, count in 1_u64..200) {
            let (limit, mut meter) = (limit(per_sec, burst, 10), Meter::default());
            let pause = 1_000_000_u64.div_ceil(per_sec.into());
            prop_assert!((0..count).all(|n| meter.take(&limit, n * pause) == Verdict::Serve));
        }
    }
}
