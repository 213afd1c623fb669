//! The ranks of one period of one leaderboard: pure and synchronous.

use std::cmp::Ordering;

use super::{
    arena::Arena,
    message::Around,
    tree::{Order, Tree},
};
use crate::{ids::UserId, leaderboards::SortOrder};

/// What decides a rank. Equal scores are told apart by the owner's id, as the store's index does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    pub owner: UserId,
    pub score: i64,
    pub subscore: i64,
}

#[derive(Clone, Copy)]
struct Record {
    score: Score,
    generation: i32,
}

struct ByScore;

impl Order for ByScore {
    type Record = Record;

    fn order(a: &Record, b: &Record) -> Ordering {
        let (a, b) = (&a.score, &b.score);
        (a.score, a.subscore).cmp(&(b.score, b.subscore)).then_with(|| a.owner.cmp(&b.owner))
    }
}

struct ByOwner;

impl Order for ByOwner {
    type Record = Record;

    fn order(a: &Record, b: &Record) -> Ordering {
        a.score.owner.cmp(&b.score.owner)
    }
}

/// The records of a period in order. A write, a rank and a page take O(log n); a record takes about 50
/// bytes.
#[derive(Default)]
pub struct Ranks {
    records: Arena<Record>,
    /// From the lowest score to the highest, whichever end the board begins at.
    by_score: Tree<ByScore>,
    by_owner: Tree<ByOwner>,
}

impl Ranks {
    pub fn len(&self) -> usize {
        self.by_owner.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.records.bytes() + self.by_score.bytes() + self.by_owner.bytes()
    }

    /// Takes a record over if it is news: `generation` counts how often the owner's record was written.
    /// False if what is known is as new.
    pub fn set(&mut self, score: Score, generation: i32) -> bool {
        let key = Record { score, generation };
        let Ok((_, link)) = self.by_owner.find(&self.records, &key) else {
            let link = self.records.add(key);
            self.by_owner.insert(&self.records, link);
            self.by_score.insert(&self.records, link);
            return true;
        };
        let known = *self.records.get(link);
        if known.generation >= generation {
            return false;
        }
        if known.score == score {
            self.records.get_mut(link).generation = generation;
            return true;
        }
        self.by_score.remove(&self.records, &known);
        *self.records.get_mut(link) = key;
        self.by_score.insert(&self.records, link);
        true
    }

    /// Takes the owner's record out. False if there is none.
    pub fn remove(&mut self, owner: UserId) -> bool {
        let Some((link, known)) = self.of(owner) else { return false };
        self.by_score.remove(&self.records, &known);
        self.by_owner.remove(&self.records, &known);
        self.records.free(link);
        true
    }

    /// The owner's rank from 1 on, or `None` if it has no record.
    pub fn rank(&self, owner: UserId, order: SortOrder) -> Option<u64> {
        let (_, known) = self.of(owner)?;
        let (position, _) = self.by_score.find(&self.records, &known).ok()?;
        Some(match order {
            SortOrder::Ascending => position as u64 + 1,
            SortOrder::Descending => (self.len() - position) as u64,
        })
    }

    /// The records from a rank on, in the order of the board, at most `len` of them.
    pub fn page(&self, order: SortOrder, rank: u64, len: usize) -> Vec<Score> {
        let skip = usize::try_from(rank.saturating_sub(1)).unwrap_or(usize::MAX);
        let links = match order {
            SortOrder::Ascending => self.by_score.range(skip, len),
            SortOrder::Descending => {
                let end = self.len().saturating_sub(skip);
                let start = end.saturating_sub(len);
                let mut links = self.by_score.range(start, end - start);
                links.reverse();
                links
            }
        };
        links.into_iter().map(|link| self.records.get(link).score).collect()
    }

    /// A page of at most `limit` with the owner in it, and its first rank. Half of the others stand below
    /// the owner, one more than above if they are odd; where one side is short, the other gets its places.
    pub fn around(&self, owner: UserId, order: SortOrder, limit: usize) -> Option<Around> {
        let rank = self.rank(owner, order)?;
        let (above, below) = (rank - 1, self.len() as u64 - rank);
        let (above, below) = share(above, below, limit as u64);
        let first = rank - above;
        let scores = self.page(order, first, (above + 1 + below) as usize);
        Some(Around { first, scores, count: self.len() as u64 })
    }

    fn of(&self, owner: UserId) -> Option<(u32, Record)> {
        let key = Record { score: Score { owner, score: 0, subscore: 0 }, generation: 0 };
        let (_, link) = self.by_owner.find(&self.records, &key).ok()?;
        Some((link, *self.records.get(link)))
    }
}

/// How many of those above and below an owner stand on a page of `limit` with it.
pub fn share(above: u64, below: u64, limit: u64) -> (u64, u64) {
    let others = limit.saturating_sub(1);
    let above = above.min(others.saturating_sub(below.min(limit / 2)));
    (above, below.min(others - above))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn owner(n: u32) -> UserId {
        UserId(Uuid::from_u128(u128::from(n.wrapping_mul(2_654_435_761)) << 96 | u128::from(n)))
    }

    fn score(n: u32, score: i64, subscore: i64) -> Score {
        Score { owner: owner(n), score, subscore }
    }

    /// What the structure is held against: a vector that is sorted anew.
    #[derive(Default)]
    struct Model(Vec<(Score, i32)>);

    impl Model {
        fn set(&mut self, score: Score, generation: i32) -> bool {
            match self.0.iter_mut().find(|(known, _)| known.owner == score.owner) {
                Some((_, known)) if *known >= generation => return false,
                Some(known) => *known = (score, generation),
                None => self.0.push((score, generation)),
            }
            self.0.sort_by_key(|(known, _)| (known.score, known.subscore, known.owner));
            true
        }

        fn remove(&mut self, owner: UserId) -> bool {
            let before = self.0.len();
            self.0.retain(|(known, _)| known.owner != owner);
            self.0.len() < before
        }

        fn ordered(&self, order: SortOrder) -> Vec<Score> {
            let mut scores: Vec<Score> = self.0.iter().map(|(score, _)| *score).collect();
            if order == SortOrder::Descending {
                scores.reverse();
            }
            scores
        }
    }

    fn check(ranks: &Ranks, model: &Model, order: SortOrder, from: u64, len: usize) {
        let ordered = model.ordered(order);
        assert_eq!(ranks.len(), ordered.len());
        let page: Vec<Score> =
            ordered.iter().skip(from.saturating_sub(1) as usize).take(len).copied().collect();
        assert_eq!(ranks.page(order, from, len), page);
        for (index, score) in ordered.iter().enumerate() {
            assert_eq!(ranks.rank(score.owner, order), Some(index as u64 + 1));
        }
    }

    #[test]
    fn an_empty_board_ranks_nobody() {
        let ranks = Ranks::default();
        assert_eq!(ranks.rank(owner(1), SortOrder::Ascending), None);
        assert!(ranks.page(SortOrder::Descending, 1, 10).is_empty());
        assert!(ranks.is_empty());
    }

    #[test]
    fn the_first_is_the_lowest_or_the_highest_and_ties_follow_the_owner() {
        let mut ranks = Ranks::default();
        for n in [3, 1, 2] {
            ranks.set(Score { owner: UserId(Uuid::from_u128(n)), score: 7, subscore: 0 }, 1);
        }
        let at = |order, n| ranks.rank(UserId(Uuid::from_u128(n)), order).unwrap();
        assert_eq!([1, 2, 3].map(|n| at(SortOrder::Ascending, n)), [1, 2, 3]);
        assert_eq!([1, 2, 3].map(|n| at(SortOrder::Descending, n)), [3, 2, 1]);
    }

    #[test]
    fn an_older_write_that_comes_late_changes_nothing() {
        let mut ranks = Ranks::default();
        assert!(ranks.set(score(1, 5, 0), 2));
        assert!(!ranks.set(score(1, 9, 0), 1));
        assert!(!ranks.set(score(1, 9, 0), 2));
        assert_eq!(ranks.page(SortOrder::Ascending, 1, 1), [score(1, 5, 0)]);
    }

    #[test]
    fn thousands_of_records_come_and_go_in_any_order() {
        let (mut ranks, mut model) = (Ranks::default(), Model::default());
        for n in 0..6_000_u32 {
            let score = score(n, i64::from(n.wrapping_mul(7919) % 4_000), i64::from(n % 3));
            ranks.set(score, 1);
            model.0.push((score, 1));
        }
        model.0.sort_by_key(|(known, _)| (known.score, known.subscore, known.owner));
        check(&ranks, &model, SortOrder::Descending, 2_990, 40);
        for n in (0..6_000).filter(|n| n % 8 != 0) {
            assert!(ranks.remove(owner(n)));
        }
        model.0.retain(|(known, _)| (0..6_000).step_by(8).any(|n| owner(n) == known.owner));
        check(&ranks, &model, SortOrder::Ascending, 1, 6_000);
        for n in (0..6_000).step_by(8) {
            assert!(ranks.remove(owner(n)));
        }
        assert!(ranks.is_empty());
        assert!(ranks.set(score(1, 1, 1), 1));
    }

    #[test]
    fn what_is_loaded_in_order_fills_its_leaves() {
        let mut ranks = Ranks::default();
        for n in 0..200_000_u32 {
            ranks.set(Score { owner: owner(n), score: i64::from(n), subscore: 0 }, 1);
        }
        assert!(ranks.bytes() < 200_000 * 56, "{} bytes a record", ranks.bytes() / 200_000);
    }

    #[test]
    fn a_page_around_an_owner_leans_downward_and_fills_up_at_the_ends() {
        for (above, below, limit, shared) in [
            (9, 9, 5, (2, 2)),
            (9, 9, 4, (1, 2)),
            (9, 9, 1, (0, 0)),
            (0, 9, 5, (0, 4)),
            (1, 9, 5, (1, 3)),
            (9, 0, 5, (4, 0)),
            (9, 1, 5, (3, 1)),
            (1, 1, 5, (1, 1)),
            (0, 0, 100, (0, 0)),
        ] {
            assert_eq!(share(above, below, limit), shared, "{above} {below} {limit}");
        }
        let mut ranks = Ranks::default();
        for n in 0..10 {
            ranks.set(score(n, i64::from(n), 0), 1);
        }
        let around = ranks.around(owner(6), SortOrder::Descending, 4).unwrap();
        let scores: Vec<i64> = around.scores.iter().map(|score| score.score).collect();
        assert_eq!((around.first, scores, around.count), (3, vec![7, 6, 5, 4], 10));
    }

    proptest! {
        #[test]
        fn ranks_and_pages_match_a_sorted_list(
            steps in proptest::collection::vec((0u8..8, 0u32..400, 0i64..30, 0i64..4), 1..900),
            from in 0u64..500,
            len in 0usize..60,
            descending in any::<bool>(),
        ) {
            let order = if descending { SortOrder::Descending } else { SortOrder::Ascending };
            let (mut ranks, mut model) = (Ranks::default(), Model::default());
            for (index, (what, n, points, more)) in steps.into_iter().enumerate() {
                if what < 2 {
                    prop_assert_eq!(ranks.remove(owner(n)), model.remove(owner(n)));
                } else {
                    // Some writes come late: their generation is an older one.
                    let generation = index as i32 - if what == 2 { 200 } else { 0 };
                    let new = score(n, points, more);
                    prop_assert_eq!(ranks.set(new, generation), model.set(new, generation));
                }
            }
            check(&ranks, &model, order, from, len);
        }
    }
}
