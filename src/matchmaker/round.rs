//! One round of matching, in slices.

use std::vec::IntoIter;

use super::{
    Formed, State,
    search::{Budget, Progress, Search},
    state::Seq,
    stats::Stats,
};

/// A round that is under way. Between its slices the pool may change: who is gone is not matched, and who
/// came is found by those who search later.
#[derive(Debug)]
pub struct Round {
    waiting: IntoIter<Seq>,
    search: Option<(Seq, Search)>,
    /// When matches need no longer be mutual.
    mutual_until_ms: Option<u64>,
    /// What the pool was when the round began.
    before: Stats,
}

impl State {
    /// Begins a round; `now_ms` is the clock of [`State::slice`].
    pub fn begin(&self, now_ms: u64) -> Round {
        let before = Stats {
            tickets: self.len(),
            oldest_micros: self.oldest_micros(),
            completions: Vec::new(),
        };
        Round {
            waiting: self.active().into_iter(),
            search: None,
            mutual_until_ms: self.rules.mutual_for_ms.map(|ms| now_ms.saturating_add(ms)),
            before,
        }
    }

    /// Goes on with a round until about `cost` clauses were looked at. Yields the matches that were made,
    /// whose tickets are out of the pool, and whether the round is over.
    pub fn slice(
        &mut self,
        round: &mut Round,
        cost: usize,
        (now_ms, now_micros): (u64, i64),
    ) -> (Vec<Formed>, bool) {
        let mutual =
            self.rules.mutual && round.mutual_until_ms.is_none_or(|until_ms| now_ms < until_ms);
        let mut budget = Budget(cost);
        let mut formed = Vec::new();
        if let Some((_, search)) = &mut round.search {
            search.refresh(self);
        }
        while !budget.is_spent() {
            let Some((seq, search)) = &mut round.search else {
                let Some(seq) = round.waiting.next() else { return (formed, true) };
                budget.spend(1);
                round.search = self.search(seq).map(|search| (seq, search));
                continue;
            };
            let progress = search.go_on(self, mutual, &mut budget);
            let searched = *seq;
            match progress {
                Progress::More => {}
                Progress::Fruitless => round.search = None,
                Progress::Found(found) => {
                    budget.spend(found.len());
                    formed.push(self.form(&found, searched, now_micros));
                    round.search = None;
                }
            }
        }
        (formed, false)
    }

    /// Ends a round: what is told of the pool from here on.
    pub fn end(&mut self, Round { before, .. }: Round) {
        self.stats = Stats { completions: self.completions(), ..before };
    }
}
