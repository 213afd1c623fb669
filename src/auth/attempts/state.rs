//! The failed attempts that one shard owns: pure and synchronous.

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;

use super::message::{AttemptKey, AttemptRequest, Verdict};

/// Keys that a shard remembers.
pub const KEYS_MAX: usize = 1 << 16;

const ACCOUNT: Policy = Policy { attempts_max: 5, period_ms: 60_000 };
const ADDRESS: Policy = Policy { attempts_max: 10, period_ms: 600_000 };

/// As many failures within the period lock the key for a period.
struct Policy {
    attempts_max: usize,
    period_ms: i64,
}

fn policy(key: &AttemptKey) -> &'static Policy {
    match key {
        AttemptKey::Account(_) => &ACCOUNT,
        AttemptKey::Address(_) => &ADDRESS,
    }
}

#[derive(Default)]
struct Tries {
    /// When it failed, oldest first; no more than the policy's number.
    failed_ms: VecDeque<i64>,
    locked_until_ms: i64,
    /// Its place in the order of eviction; 0 is none yet.
    order: u64,
}

/// All keys that this shard owns.
#[derive(Default)]
pub struct Attempts {
    tries: HashMap<AttemptKey, Tries>,
    /// Keys by their last failure, oldest first.
    by_age: BTreeMap<u64, AttemptKey>,
    last_order: u64,
    evicted: u64,
}

impl Attempts {
    pub fn handle(&mut self, request: &AttemptRequest, now_ms: i64) -> Verdict {
        match request {
            AttemptRequest::Check(key) => self.check(key, now_ms),
            AttemptRequest::Failed(key) => self.failed(key, now_ms),
            AttemptRequest::Succeeded(key) => {
                self.forget(key);
                Verdict::Allowed
            }
        }
    }

    /// Keys remembered.
    pub fn len(&self) -> usize {
        self.tries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tries.is_empty()
    }

    /// Keys that were forgotten early because the table was full.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn check(&mut self, key: &AttemptKey, now_ms: i64) -> Verdict {
        match self.tries.get(key) {
            Some(tries) if tries.locked_until_ms > now_ms => {
                Verdict::LockedUntil(tries.locked_until_ms)
            }
            Some(_) | None => Verdict::Allowed,
        }
    }

    fn failed(&mut self, key: &AttemptKey, now_ms: i64) -> Verdict {
        self.forget_stale(now_ms);
        self.last_order += 1;
        let order = self.last_order;
        if !self.tries.contains_key(key) && self.tries.len() >= KEYS_MAX {
            self.evict_oldest();
        }
        let Policy { attempts_max, period_ms } = policy(key);
        let tries = self.tries.entry(key.clone()).or_default();
        self.by_age.remove(&tries.order);
        self.by_age.insert(order, key.clone());
        tries.order = order;
        while tries.failed_ms.front().is_some_and(|at| now_ms - at >= *period_ms)
            || tries.failed_ms.len() >= *attempts_max
        {
            tries.failed_ms.pop_front();
        }
        tries.failed_ms.push_back(now_ms);
        if tries.failed_ms.len() >= *attempts_max {
            tries.locked_until_ms = now_ms + period_ms;
            return Verdict::LockedUntil(tries.locked_until_ms);
        }
        Verdict::Allowed
    }

    fn forget(&mut self, key: &AttemptKey) {
        if let Some(tries) = self.tries.remove(key) {
            self.by_age.remove(&tries.order);
        }
    }

    /// Drops the oldest entries that no longer matter, as far as they are in order.
    fn forget_stale(&mut self, now_ms: i64) {
        while let Some((_, key)) = self.by_age.first_key_value() {
            let stale = self.tries.get(key).is_none_or(|tries| {
                let last = tries.failed_ms.back().copied().unwrap_or(i64::MIN);
                tries.locked_until_ms <= now_ms
                    && last.saturating_add(policy(key).period_ms) <= now_ms
            });
            if !stale {
                return;
            }
            let key = key.clone();
            self.forget(&key);
        }
    }

    fn evict_oldest(&mut self) {
        if let Some((_, key)) = self.by_age.pop_first() {
            self.tries.remove(&key);
            self.evicted += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn account(name: &str) -> AttemptKey {
        AttemptKey::Account(name.into())
    }

    fn fail(state: &mut Attempts, key: &AttemptKey, now_ms: i64) -> Verdict {
        state.handle(&AttemptRequest::Failed(key.clone()), now_ms)
    }

    fn check(state: &mut Attempts, key: &AttemptKey, now_ms: i64) -> Verdict {
        state.handle(&AttemptRequest::Check(key.clone()), now_ms)
    }

    #[test]
    fn the_fifth_failure_within_a_minute_locks_the_account_for_a_minute() {
        let mut state = Attempts::default();
        let key = account("admin");
        for at in 0..4 {
            assert_eq!(fail(&mut state, &key, at * 1000), Verdict::Allowed);
        }
        assert_eq!(fail(&mut state, &key, 4_000), Verdict::LockedUntil(64_000));
        assert_eq!(check(&mut state, &key, 63_999), Verdict::LockedUntil(64_000));
        assert_eq!(check(&mut state, &key, 64_000), Verdict::Allowed);
        assert_eq!(check(&mut state, &account("other"), 5_000), Verdict::Allowed);
    }

    #[test]
    fn failures_older_than_the_period_do_not_count() {
        let mut state = Attempts::default();
        let key = account("admin");
        for at in [0, 1_000, 2_000, 3_000, 60_000] {
            assert_eq!(fail(&mut state, &key, at), Verdict::Allowed, "{at}");
        }
        assert_eq!(fail(&mut state, &key, 60_500), Verdict::LockedUntil(120_500));
    }

    #[test]
    fn an_address_gets_ten_failures_in_ten_minutes() {
        let mut state = Attempts::default();
        let key = AttemptKey::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
        for at in 0..9 {
            assert_eq!(fail(&mut state, &key, at * 60_000), Verdict::Allowed);
        }
        assert_eq!(fail(&mut state, &key, 599_999), Verdict::LockedUntil(1_199_999));
    }

    #[test]
    fn success_forgets_failures_and_the_lock() {
        let mut state = Attempts::default();
        let key = account("admin");
        for at in 0..5 {
            fail(&mut state, &key, at);
        }
        state.handle(&AttemptRequest::Succeeded(key.clone()), 5);
        assert_eq!(check(&mut state, &key, 6), Verdict::Allowed);
        assert!(state.is_empty());
    }

    #[test]
    fn a_flood_of_names_stays_within_the_bound_and_old_names_go_by_themselves() {
        let mut state = Attempts::default();
        for n in 0..KEYS_MAX + 10 {
            fail(&mut state, &account(&n.to_string()), 1_000);
        }
        assert_eq!((state.len(), state.evicted()), (KEYS_MAX, 10));
        fail(&mut state, &account("later"), 61_000);
        assert_eq!(state.len(), 1);
        assert_eq!(state.by_age.len(), 1);
    }
}
