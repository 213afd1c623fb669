//! What the pump does while it has no work: it looks for some, or it sleeps.
//!
//! To sleep and to be woken costs the core [`SLEEP_COST`], however short the sleep. To look costs as much as
//! the time that it takes. So it looks where work is expected sooner than a sleep would cost, by how long
//! it had to wait lately, and gives up where it was wrong.

/// What a sleep costs: two passes of the executor, an eventfd, and the way into the kernel and back. In
/// microseconds, as all times here.
const SLEEP_COST: u64 = 25;
/// Longest look for work.
const LOOK_MAX: u64 = 50;
/// Rests longer than this say no more than one of this length.
const REST_MAX: u64 = 200;
/// Weight of the last rest in what is expected of the next.
const WEIGHT: f64 = 0.1;
/// Between two looks of the pump: when it took longer, other tasks have worked.
const EMPTY_TURN: u64 = 5;

pub(super) struct Rests {
    expected: f64,
    looking: Option<Look>,
}

#[derive(Clone, Copy)]
struct Look {
    since: u64,
    /// The last look.
    until: u64,
}

/// What to do with a turn that found no work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// To look again. So much time was spent on looking since the last look.
    Look {
        wasted: u64,
    },
    Sleep,
}

impl Rests {
    pub(super) fn new() -> Self {
        Self { expected: REST_MAX as f64, looking: None }
    }

    /// There is no work at `now`.
    pub(super) fn idle(&mut self, now: u64) -> Idle {
        let look = match self.looking {
            None if self.expected > SLEEP_COST as f64 => return Idle::Sleep,
            None => Look { since: now, until: now },
            Some(look) if now.saturating_sub(look.since) >= LOOK_MAX => return Idle::Sleep,
            Some(look) => Look { until: now, ..look },
        };
        let gap = self.looking.map_or(0, |before| now.saturating_sub(before.until));
        self.looking = Some(look);
        Idle::Look { wasted: if gap <= EMPTY_TURN { gap } else { 0 } }
    }

    /// There is work.
    pub(super) fn work(&mut self) {
        if let Some(look) = self.looking {
            self.over(look.until.saturating_sub(look.since));
        }
    }

    /// The pump slept so long, and is awake.
    pub(super) fn slept(&mut self, micros: u64) {
        let looked = self.looking.map_or(0, |look| look.until.saturating_sub(look.since));
        self.over(looked + micros.saturating_sub(SLEEP_COST));
    }

    fn over(&mut self, rest: u64) {
        self.looking = None;
        self.expected += (rest.min(REST_MAX) as f64 - self.expected) * WEIGHT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rests of this length; yields how much of the core they took, by looking and by sleeping.
    fn cost_of(rest: u64, times: u64) -> u64 {
        let (mut rests, mut now, mut cost) = (Rests::new(), 0, 0);
        for _ in 0..times {
            let comes = now + rest;
            loop {
                match rests.idle(now) {
                    Idle::Look { wasted } => cost += wasted,
                    Idle::Sleep => {
                        cost += SLEEP_COST;
                        rests.slept(comes.saturating_sub(now) + SLEEP_COST);
                        now = comes.max(now) + SLEEP_COST;
                        break;
                    }
                }
                if now >= comes {
                    rests.work();
                    break;
                }
                now += 1;
            }
            now += 10;
        }
        cost
    }

    #[test]
    fn where_work_comes_soon_it_looks_and_where_it_does_not_it_sleeps() {
        for rest in [2, 10, 20] {
            let cost = cost_of(rest, 1000);
            assert!(cost < 1000 * rest + 40 * SLEEP_COST, "rests of {rest}: {cost}");
        }
        for rest in [30, 60, 100, 1000, 1_000_000] {
            let cost = cost_of(rest, 1000);
            assert!(cost <= 1000 * SLEEP_COST, "rests of {rest}: {cost}");
        }
    }

    #[test]
    fn it_learns_what_has_changed() {
        let mut rests = Rests::new();
        for _ in 0..40 {
            rests.slept(SLEEP_COST);
        }
        assert_eq!(rests.idle(0), Idle::Look { wasted: 0 });
        assert_eq!(rests.idle(3), Idle::Look { wasted: 3 });
        // Another task had the core meanwhile.
        assert_eq!(rests.idle(20), Idle::Look { wasted: 0 });
        assert_eq!(rests.idle(LOOK_MAX), Idle::Sleep);
        rests.slept(1000);
        assert_eq!(rests.idle(2000), Idle::Look { wasted: 0 }, "one long rest changes little");
        for _ in 0..4 {
            rests.slept(1000);
        }
        assert_eq!(rests.idle(9000), Idle::Sleep);
    }
}
