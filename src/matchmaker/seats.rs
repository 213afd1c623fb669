//! Tickets that would play together, as a search puts them in.

use super::{
    Entry,
    state::{Seq, State},
};

/// Steps that choosing whom to leave out may take where it is not plain.
const CHOICE_STEPS_MAX: usize = 1 << 16;

/// Some tickets that may all play with the one that searches, in the order in which they were found.
#[derive(Clone, Debug, Default)]
pub(super) struct Seats {
    tickets: Vec<Seq>,
    /// Players that come with them.
    count: usize,
}

impl Seats {
    pub(super) fn tickets(&self) -> &[Seq] {
        &self.tickets
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn take(&mut self, seq: Seq, entry: &Entry) {
        self.tickets.push(seq);
        self.count += entry.count();
    }

    /// Leaves out those that do not fit, and those that left the pool.
    pub(super) fn retain(&mut self, state: &State, fits: impl Fn(&Entry) -> bool) {
        self.count = 0;
        self.tickets.retain(|seq| {
            let Some(entry) = state.entry(*seq).filter(|entry| fits(entry)) else { return false };
            self.count += entry.count();
            true
        });
    }

    /// Makes a match with `active` of what is there, leaving out whom it takes to. `false` where that
    /// leaves too few.
    pub(super) fn settle(&mut self, state: &State, active: &Entry) -> bool {
        loop {
            let size = self.count + active.count();
            if self.tickets.is_empty() || size < active.min {
                return false;
            }
            let too_many = size % active.multiple;
            if too_many > 0 {
                if !self.leave_out(state, too_many) {
                    return false;
                }
                continue;
            }
            let before = self.tickets.len();
            self.retain(state, |entry| entry.takes(size));
            if self.tickets.len() == before {
                return size <= active.max;
            }
        }
    }

    /// Leaves out tickets with so many players together, the youngest if there is a choice. `false` where
    /// no tickets have exactly so many.
    fn leave_out(&mut self, state: &State, players: usize) -> bool {
        let mut youngest: Vec<(Seq, usize)> = Vec::with_capacity(self.tickets.len());
        for seq in &self.tickets {
            youngest.extend(state.entry(*seq).map(|entry| (*seq, entry.count())));
        }
        youngest.sort_unstable_by_key(|(seq, _)| std::cmp::Reverse(*seq));
        let Some(out) = greedy(&youngest, players).or_else(|| exact(&youngest, players)) else {
            return false;
        };
        self.tickets.retain(|seq| !out.contains(seq));
        self.count -= players;
        true
    }
}

/// One after the other, as long as there is room for it.
fn greedy(tickets: &[(Seq, usize)], mut players: usize) -> Option<Vec<Seq>> {
    let mut out = Vec::new();
    for (seq, count) in tickets {
        if *count <= players {
            players -= count;
            out.push(*seq);
        }
    }
    (players == 0).then_some(out)
}

/// By all sums that some of them have, those in front preferred.
fn exact(tickets: &[(Seq, usize)], players: usize) -> Option<Vec<Seq>> {
    if tickets.len().saturating_mul(players) > CHOICE_STEPS_MAX {
        return None;
    }
    // For each sum, the ticket that was added last and the sum before it.
    let mut sums: Vec<Option<(Seq, usize)>> = vec![None; players + 1];
    for (seq, count) in tickets {
        for sum in (*count..=players).rev() {
            let before = sum - count;
            let reached = before == 0 || sums.get(before).is_some_and(Option::is_some);
            if let Some(slot) = sums.get_mut(sum)
                && slot.is_none()
                && reached
            {
                *slot = Some((*seq, before));
            }
        }
    }
    let (mut out, mut sum) = (Vec::new(), players);
    while sum > 0 {
        let (seq, before) = (*sums.get(sum)?)?;
        out.push(seq);
        sum = before;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tickets(counts: &[usize]) -> Vec<(Seq, usize)> {
        counts.iter().enumerate().map(|(at, count)| (Seq(at as u64), *count)).collect()
    }

    fn sum(tickets: &[(Seq, usize)], out: &[Seq]) -> usize {
        tickets.iter().filter(|(seq, _)| out.contains(seq)).map(|(_, count)| count).sum()
    }

    #[test]
    fn those_in_front_are_left_out_first() {
        let seqs =
            |out: Option<Vec<Seq>>| out.map(|out| out.iter().map(|seq| seq.0).collect::<Vec<_>>());
        assert_eq!(seqs(greedy(&tickets(&[1, 1, 1]), 2)), Some(vec![0, 1]));
        assert_eq!(seqs(greedy(&tickets(&[3, 1, 2]), 2)), None);
        assert_eq!(seqs(exact(&tickets(&[3, 1, 2]), 2)), Some(vec![2]));
        assert_eq!(seqs(exact(&tickets(&[3, 3]), 2)), None);
    }

    proptest! {
        #[test]
        fn who_is_left_out_are_exactly_so_many(
            counts in proptest::collection::vec(1_usize..5, 1..10),
            players in 1_usize..10,
        ) {
            let tickets = tickets(&counts);
            let possible = (1_u32..1 << counts.len()).any(|chosen| {
                let chosen = |at: &usize| chosen >> at & 1 == 1;
                (0..counts.len()).filter(chosen).map(|at| counts[at]).sum::<usize>() == players
            });
            let out = exact(&tickets, players);
            prop_assert_eq!(out.is_some(), possible);
            for out in out.into_iter().chain(greedy(&tickets, players)) {
                prop_assert_eq!(sum(&tickets, &out), players);
                let distinct: std::collections::BTreeSet<_> = out.iter().collect();
                prop_assert_eq!(distinct.len(), out.len());
            }
        }
    }
}
