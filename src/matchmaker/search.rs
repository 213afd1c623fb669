//! One ticket's search for others.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    rc::Rc,
    vec::IntoIter,
};

use super::{
    Entry,
    index::Keys,
    seats::Seats,
    state::{Seq, State},
};

/// The best hits that a search keeps where they have to be compared.
pub const HITS_MAX: usize = 4096;

/// Matches that a search fills side by side, for hits that do not fit together.
pub const COMBINATIONS_MAX: usize = 32;

/// What a search may still spend before others have their turn, in clauses looked at.
#[derive(Debug)]
pub(super) struct Budget(pub(super) usize);

impl Budget {
    pub(super) fn spend(&mut self, cost: usize) {
        self.0 = self.0.saturating_sub(cost);
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0 == 0
    }
}

/// How far a search is after a while.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It goes on.
    More,
    /// Nothing was found.
    Fruitless,
    /// These play with the one that searches.
    Found(Vec<Seq>),
}

/// See the module's description. It survives changes of the pool while others have their turn.
#[derive(Debug)]
pub(super) struct Search {
    seq: Seq,
    /// The last round in which the ticket searches: its least count is enough.
    last: bool,
    /// Where to look; everywhere, if nowhere in particular.
    keys: Option<Rc<Keys>>,
    /// All hits are as good, so each is taken as it is found, the oldest first.
    flat: bool,
    stage: Stage,
    combinations: Vec<Seats>,
}

#[derive(Debug)]
enum Stage {
    /// Looking at tickets behind this one.
    Look { after: Seq, best: BinaryHeap<Reverse<Hit>> },
    /// Seating the hits, the best first.
    Seat(IntoIter<Seq>),
    /// All hits are seated.
    Settle,
}

/// A ticket that was found; the better one is the greater.
#[derive(Clone, Copy, Debug)]
struct Hit {
    score: f64,
    seq: Seq,
}

impl Ord for Hit {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.seq.cmp(&self.seq))
    }
}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Hit {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Hit {}

impl Search {
    pub(super) fn new(seq: Seq, active: &Entry, keys: Option<Keys>, last: bool) -> Self {
        Self {
            seq,
            last,
            keys: keys.map(Rc::new),
            flat: active.query.is_flat(),
            stage: Stage::Look { after: Seq::default(), best: BinaryHeap::new() },
            combinations: Vec::new(),
        }
    }

    /// Takes note of what changed in the pool since the last [`Search::go_on`].
    pub(super) fn refresh(&mut self, state: &State) {
        for seats in &mut self.combinations {
            seats.retain(state, |_| true);
        }
    }

    /// Goes on until something is found or the budget is spent. `mutual`: what is found has to look for
    /// what finds it, too.
    pub(super) fn go_on(&mut self, state: &State, mutual: bool, budget: &mut Budget) -> Progress {
        let Some(active) = state.entry(self.seq) else { return Progress::Fruitless };
        let look = Look { state, active, mutual, shares: state.shares_sessions(active) };
        loop {
            let found = match &mut self.stage {
                Stage::Look { .. } => self.look(&look, budget),
                Stage::Seat(hits) => {
                    if let Some(hit) = hits.next() {
                        self.seat(&look, hit, budget)
                    } else {
                        self.stage = Stage::Settle;
                        None
                    }
                }
                Stage::Settle => {
                    let found = self.last.then(|| self.settle(&look)).flatten();
                    return found.map_or(Progress::Fruitless, Progress::Found);
                }
            };
            if let Some(found) = found {
                return Progress::Found(found);
            }
            if budget.is_spent() {
                return Progress::More;
            }
        }
    }

    /// Looks at tickets until the budget is spent, one was found that fills a match, or none is left.
    fn look(&mut self, look: &Look<'_>, budget: &mut Budget) -> Option<Vec<Seq>> {
        let Stage::Look { after, best } = &mut self.stage else { return None };
        let mut best = std::mem::take(best);
        let mut at = *after;
        let keys = self.keys.clone();
        for (seq, entry) in look.state.candidates(keys.as_ref().map(|keys| keys.as_slice()), at) {
            at = seq;
            if seq != self.seq
                && let Some(score) = look.score(entry, budget)
            {
                if self.flat {
                    if let Some(found) = self.seat(look, seq, budget) {
                        return Some(found);
                    }
                } else {
                    best.push(Reverse(Hit { score, seq }));
                    if best.len() > HITS_MAX {
                        best.pop();
                    }
                }
            }
            budget.spend(1);
            if budget.is_spent() {
                self.stage = Stage::Look { after: at, best };
                return None;
            }
        }
        let best: Vec<Seq> = best.into_sorted_vec().iter().map(|Reverse(hit)| hit.seq).collect();
        self.stage = Stage::Seat(best.into_iter());
        None
    }

    /// Gives a hit a seat with those it fits. Yields the match that it fills.
    fn seat(&mut self, look: &Look<'_>, seq: Seq, budget: &mut Budget) -> Option<Vec<Seq>> {
        // It may have left while others had their turn.
        let entry = look.state.entry(seq)?;
        let active = look.active;
        let room = active.max.checked_sub(active.count() + entry.count())?;
        let shares = look.state.shares_sessions(entry);
        let fitting = self
            .combinations
            .iter_mut()
            .find(|seats| seats.count() <= room && look.fits_all(entry, seats, shares, budget));
        let seats = if let Some(seats) = fitting {
            seats
        } else if self.combinations.len() < COMBINATIONS_MAX {
            self.combinations.push(Seats::default());
            self.combinations.last_mut()?
        } else {
            return None;
        };
        seats.take(seq, entry);
        let size = seats.count() + active.count();
        if size < active.max {
            return None;
        }
        // Whoever does not want a match of this size makes room for others.
        seats.retain(look.state, |entry| entry.takes(size));
        let full = seats.count() + active.count() == size;
        full.then(|| seats.tickets().to_vec())
    }

    /// What is there at the end, the most players first.
    fn settle(&mut self, look: &Look<'_>) -> Option<Vec<Seq>> {
        self.combinations.sort_by_key(|seats| Reverse(seats.count()));
        let found = self.combinations.iter_mut().find_map(|seats| {
            seats.settle(look.state, look.active).then(|| seats.tickets().to_vec())
        });
        found.filter(|found| !found.is_empty())
    }
}

/// What a search compares with.
struct Look<'a> {
    state: &'a State,
    active: &'a Entry,
    mutual: bool,
    /// Sessions of the one that searches have other tickets too.
    shares: bool,
}

impl Look<'_> {
    /// How well a ticket fits the one that searches.
    fn score(&self, entry: &Entry, budget: &mut Budget) -> Option<f64> {
        let active = self.active;
        let counts = entry.min >= active.min && entry.max <= active.max;
        if !counts || entry.seeker == active.seeker {
            return None;
        }
        if self.shares && shares_a_session(active, entry) {
            return None;
        }
        budget.spend(active.query.cost());
        let score = active.query.score(&entry.document)?;
        if self.mutual {
            budget.spend(entry.query.cost());
            if !entry.query.matches(&active.document) {
                return None;
            }
        }
        Some(score)
    }

    /// Whether a ticket may play with those that have seats.
    fn fits_all(&self, entry: &Entry, seats: &Seats, shares: bool, budget: &mut Budget) -> bool {
        if !shares && !self.mutual {
            return true;
        }
        seats.tickets().iter().filter_map(|seq| self.state.entry(*seq)).all(|seated| {
            budget.spend(1);
            if shares && shares_a_session(entry, seated) {
                return false;
            }
            if !self.mutual {
                return true;
            }
            budget.spend(entry.query.cost() + seated.query.cost());
            entry.query.matches(&seated.document) && seated.query.matches(&entry.document)
        })
    }
}

fn shares_a_session(one: &Entry, other: &Entry) -> bool {
    one.players
        .iter()
        .any(|player| other.players.iter().any(|others| others.session == player.session))
}
