//! Owners whose rank is looked at again: after a deletion, what was written before it may yet arrive, and
//! nothing tells it from what was written after it.

use hashbrown::{HashMap, HashSet};

use super::PeriodKey;
use crate::ids::UserId;

/// How long after the last deletion of an owner's record it is looked up. Whatever was on its way then has
/// arrived.
const DOUBT_SEC: i64 = 2;

#[derive(Default)]
pub(super) struct Doubts {
    by_owner: HashMap<(PeriodKey, UserId), Doubt>,
    /// Owners whose rank was not put in doubt, for there were too many.
    pub(super) refused: u64,
}

struct Doubt {
    since_sec: i64,
    /// Set while the store is asked; anything that arrives clears it.
    asked: bool,
}

impl Doubts {
    /// An owner's record was deleted.
    pub(super) fn deleted(&mut self, key: &PeriodKey, owner: UserId, now_sec: i64, most: usize) {
        if self.by_owner.len() >= most && !self.by_owner.contains_key(&(key.clone(), owner)) {
            self.refused += 1;
            return;
        }
        self.by_owner.insert((key.clone(), owner), Doubt { since_sec: now_sec, asked: false });
    }

    /// An owner's record was written.
    pub(super) fn written(&mut self, key: &PeriodKey, owner: UserId) {
        // Deletions are rare, and most of the time there is nothing to look for.
        if self.by_owner.is_empty() {
            return;
        }
        if let Some(doubt) = self.by_owner.get_mut(&(key.clone(), owner)) {
            doubt.asked = false;
        }
    }

    /// Whom to look up now, by period.
    pub(super) fn due(&mut self, now_sec: i64) -> HashMap<PeriodKey, Vec<UserId>> {
        let mut due: HashMap<PeriodKey, Vec<UserId>> = HashMap::new();
        for ((key, owner), doubt) in &mut self.by_owner {
            if !doubt.asked && doubt.since_sec + DOUBT_SEC <= now_sec {
                doubt.asked = true;
                due.entry(key.clone()).or_default().push(*owner);
            }
        }
        due
    }

    /// Those of whom nothing has arrived since the store was asked. They are in doubt no more; the others
    /// will be looked up again.
    pub(super) fn settled(&mut self, key: &PeriodKey, owners: &[UserId]) -> HashSet<UserId> {
        let mut settled = HashSet::new();
        for owner in owners {
            let at = (key.clone(), *owner);
            if self.by_owner.get(&at).is_some_and(|doubt| doubt.asked) {
                self.by_owner.remove(&at);
                settled.insert(*owner);
            }
        }
        settled
    }

    /// The store could not be asked.
    pub(super) fn unanswered(&mut self, key: &PeriodKey, owners: &[UserId]) {
        for owner in owners {
            self.written(key, *owner);
        }
    }
}
