//! The users all of whose tokens from before some second are revoked.

use std::collections::VecDeque;

use hashbrown::{HashMap, hash_map::Entry};

use super::{message::Why, state::sweep_len};
use crate::ids::UserId;

/// Users of whom everything is revoked, for sign-ins and logouts. One takes some fifty bytes of each shard.
pub const CUTOFFS_MAX: usize = 1 << 22;
/// And beyond them for bans and deletions.
pub const CUTOFFS_RESERVED: usize = 1 << 20;

pub(super) struct Cutoffs {
    /// For how long a token that was issued at the cut lives.
    lifetime_sec: i64,
    len_max: usize,
    before_sec: HashMap<UserId, i64>,
    /// When to look at each user again, soonest first.
    sweeps: VecDeque<(i64, UserId)>,
}

impl Cutoffs {
    /// For at most `len_max` users, and [`CUTOFFS_RESERVED`] more.
    pub(super) fn new(lifetime_sec: i64, len_max: usize) -> Self {
        let (before_sec, sweeps) = (HashMap::new(), VecDeque::new());
        Self { lifetime_sec, len_max, before_sec, sweeps }
    }

    pub(super) fn len(&self) -> usize {
        self.before_sec.len()
    }

    /// Tokens of the user issued before this second are revoked; 0 is none.
    pub(super) fn of(&self, user: UserId) -> i64 {
        self.before_sec.get(&user).copied().unwrap_or_default()
    }

    /// False where there is no room.
    pub(super) fn raise(&mut self, user: UserId, before_sec: i64, why: Why) -> bool {
        let room = match why {
            Why::SignIn | Why::Logout => self.len_max,
            Why::Ended => self.len_max + CUTOFFS_RESERVED,
        };
        let full = self.before_sec.len() >= room;
        match self.before_sec.entry(user) {
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                *known = before_sec.max(*known);
            }
            Entry::Vacant(_) if full => return false,
            Entry::Vacant(entry) => {
                entry.insert(before_sec);
                self.sweeps.push_back((before_sec + self.lifetime_sec + 1, user));
            }
        }
        true
    }

    /// Forgets whom no unexpired token is left to.
    pub(super) fn sweep(&mut self, now_sec: i64) {
        for _ in 0..sweep_len(self.len()) {
            let Some((_, user)) = self.sweeps.pop_front_if(|(due, _)| *due <= now_sec) else {
                return;
            };
            let Entry::Occupied(entry) = self.before_sec.entry(user) else { continue };
            let due = *entry.get() + self.lifetime_sec + 1;
            if due <= now_sec {
                entry.remove();
            } else {
                self.sweeps.push_back((due, user));
            }
        }
    }

    #[cfg(test)]
    pub(super) fn sweeps_len(&self) -> usize {
        self.sweeps.len()
    }
}
