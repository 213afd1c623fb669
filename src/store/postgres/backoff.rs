//! When to try an unreachable database again. Pure but for the clock it is given.

use crate::store::error::StoreError;

const FIRST_MS: u64 = 50;
const MAX_MS: u64 = 2_000;

/// Up, or down with the time of the next try.
pub(super) struct Backoff {
    failures: u32,
    retry_at_ms: u64,
    last: Option<StoreError>,
    /// One caller is trying; the others are refused until it is done or this long has passed.
    trying_until_ms: u64,
    seed: u64,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { failures: 0, retry_at_ms: 0, last: None, trying_until_ms: 0, seed: 0x9e37_79b9 }
    }

    /// The error for a caller that may not try now. After a `None` the caller must try and tell.
    pub(super) fn refuse(&mut self, now_ms: u64) -> Option<StoreError> {
        let last = self.last.as_ref()?;
        if now_ms < self.retry_at_ms || now_ms < self.trying_until_ms {
            return Some(last.clone());
        }
        self.trying_until_ms = now_ms + MAX_MS;
        None
    }

    /// Whether the database was away before.
    pub(super) fn succeeded(&mut self) -> bool {
        let was_down = self.last.take().is_some();
        (self.failures, self.retry_at_ms, self.trying_until_ms) = (0, 0, 0);
        was_down
    }

    /// Whether the database was there before.
    pub(super) fn failed(&mut self, now_ms: u64, error: &StoreError) -> bool {
        let was_up = self.last.replace(error.clone()).is_none();
        let step = FIRST_MS.saturating_mul(1 << self.failures.min(10)).min(MAX_MS);
        self.failures += 1;
        self.trying_until_ms = 0;
        // Between half and the whole step, so that shards and nodes do not knock in step.
        self.seed = jitter(self.seed ^ now_ms);
        self.retry_at_ms = now_ms + step / 2 + self.seed % (step / 2 + 1);
        was_up
    }
}

/// A step of splitmix64: spreads retries; nothing secret hangs on it.
pub(super) fn jitter(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone() -> StoreError {
        StoreError::Unavailable("gone".into())
    }

    #[test]
    fn while_it_is_up_everybody_may_open() {
        let mut backoff = Backoff::new();
        assert!(backoff.refuse(0).is_none());
        assert!(backoff.refuse(0).is_none());
        assert!(!backoff.succeeded());
    }

    #[test]
    fn while_it_is_down_one_tries_and_the_others_are_refused_at_once() {
        let mut backoff = Backoff::new();
        assert!(backoff.failed(1_000, &gone()));
        assert!(backoff.refuse(1_001).is_some());
        assert!(backoff.refuse(1_051).is_none());
        assert!(backoff.refuse(1_052).is_some(), "one is trying");
        assert!(!backoff.failed(1_060, &gone()));
        assert!(backoff.refuse(1_061).is_some());
        assert!(backoff.refuse(1_200).is_none());
        assert!(backoff.succeeded());
        assert!(backoff.refuse(1_201).is_none());
    }

    #[test]
    fn tries_grow_apart_up_to_a_bound() {
        let mut backoff = Backoff::new();
        for _ in 0..100 {
            backoff.failed(0, &gone());
        }
        assert!(backoff.retry_at_ms >= MAX_MS / 2 && backoff.retry_at_ms <= MAX_MS);
    }

    #[test]
    fn a_caller_that_tries_and_never_tells_does_not_bar_the_others_for_ever() {
        let mut backoff = Backoff::new();
        backoff.failed(0, &gone());
        assert!(backoff.refuse(100).is_none());
        assert!(backoff.refuse(100 + MAX_MS).is_none());
    }
}
