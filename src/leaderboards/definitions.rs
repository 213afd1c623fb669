//! The boards that a shard knows: all of them, without their records. Pure and synchronous.
//!
//! They are few and change seldom. Every shard holds them all; a change is told to every shard.

use std::{cmp::Reverse, collections::BTreeMap, rc::Rc, sync::Arc};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::Board;
use crate::store::{Timestamp, leaderboards::BoardRecord};

/// A board that came, changed or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Is(BoardRecord),
    /// Its id, and when the one that went had been created.
    Gone(Arc<str>, Timestamp),
}

/// Where a tournament stands in lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TournamentPlace {
    start: i64,
    end: Reverse<i64>,
    category: i32,
    id: Box<str>,
}

impl TournamentPlace {
    pub fn of(board: &Board) -> Self {
        let id = Box::from(&*board.id);
        Self { start: board.start, end: Reverse(board.end), category: board.category, id }
    }
}

/// Where any board stands in lists: by the time of its creation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BoardPlace {
    created_micros: i64,
    id: Box<str>,
}

impl BoardPlace {
    pub fn of(board: &Board) -> Self {
        Self { created_micros: board.created.0, id: Box::from(&*board.id) }
    }
}

#[derive(Default)]
pub struct Definitions {
    by_id: HashMap<Arc<str>, Rc<Board>>,
    by_age: BTreeMap<BoardPlace, Rc<Board>>,
    tournaments: BTreeMap<TournamentPlace, Rc<Board>>,
    version: u64,
}

impl Definitions {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Changes whenever a board does.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn get(&self, id: &str) -> Option<Rc<Board>> {
        self.by_id.get(id).cloned()
    }

    /// Applies a change; the same one again changes nothing. An older one that comes late is ignored.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Is(record) => {
                let board = match Board::read(record) {
                    Ok(board) => Rc::new(board),
                    Err(error) => {
                        tracing::error!(id = %record.id, %error, "A board's schedule is none.");
                        return;
                    }
                };
                let known = self.by_id.get(&board.id);
                if known.is_some_and(|known| known.created > board.created || *known == board) {
                    return;
                }
                self.remove(&board.id);
                if board.is_tournament() {
                    self.tournaments.insert(TournamentPlace::of(&board), Rc::clone(&board));
                }
                self.by_age.insert(BoardPlace::of(&board), Rc::clone(&board));
                self.by_id.insert(Arc::clone(&board.id), board);
            }
            Change::Gone(id, created) => {
                if self.by_id.get(id).is_some_and(|known| known.created <= *created) {
                    self.remove(id);
                }
            }
        }
        self.version += 1;
    }

    fn remove(&mut self, id: &str) {
        if let Some(board) = self.by_id.remove(id) {
            self.by_age.remove(&BoardPlace::of(&board));
            self.tournaments.remove(&TournamentPlace::of(&board));
        }
    }

    /// Tournaments in their order, after a place.
    pub fn tournaments(&self, after: Option<&TournamentPlace>) -> impl Iterator<Item = &Rc<Board>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.tournaments.range::<TournamentPlace, _>((from, Unbounded)).map(|(_, board)| board)
    }

    /// All boards, newest first, before a place.
    pub fn newest(&self, before: Option<&BoardPlace>) -> impl Iterator<Item = &Rc<Board>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let until = before.map_or(Unbounded, Excluded);
        self.by_age.range::<BoardPlace, _>((Unbounded, until)).rev().map(|(_, board)| board)
    }

    /// All boards, oldest first, after a place.
    pub fn by_age(&self, after: Option<&BoardPlace>) -> impl Iterator<Item = &Rc<Board>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.by_age.range::<BoardPlace, _>((from, Unbounded)).map(|(_, board)| board)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboards::{Operator, SortOrder};

    fn record(id: &str, created: i64, duration_sec: i32, start: i64, end: i64) -> BoardRecord {
        BoardRecord {
            id: id.to_owned(),
            authoritative: false,
            sort_order: SortOrder::Descending,
            operator: Operator::Best,
            reset_schedule: None,
            metadata: "{}".to_owned(),
            create_time: Timestamp(created),
            category: 0,
            description: String::new(),
            duration_sec,
            end_time: Timestamp::from_unix_sec(end),
            join_required: false,
            max_size: 1,
            max_num_score: 1,
            title: String::new(),
            start_time: Timestamp::from_unix_sec(start),
            enable_ranks: true,
            size: 0,
        }
    }

    fn ids<'a>(boards: impl Iterator<Item = &'a Rc<Board>>) -> Vec<String> {
        boards.map(|board| board.id.to_string()).collect()
    }

    #[test]
    fn tournaments_are_listed_by_start_then_by_the_latest_end_and_go_on_after_any_place() {
        let mut known = Definitions::default();
        for (id, start, end) in [("d", 2, 0), ("c", 1, 5), ("b", 1, 9), ("a", 1, 9)] {
            known.apply(&Change::Is(record(id, 1, 10, start, end)));
        }
        known.apply(&Change::Is(record("no tournament", 1, 0, 0, 0)));
        assert_eq!(ids(known.tournaments(None)), ["a", "b", "c", "d"]);
        let place = TournamentPlace::of(&known.get("b").unwrap());
        known.apply(&Change::Gone("b".into(), Timestamp(1)));
        assert_eq!(ids(known.tournaments(Some(&place))), ["c", "d"]);
    }

    #[test]
    fn a_change_that_comes_late_does_not_undo_a_newer_one() {
        let mut known = Definitions::default();
        known.apply(&Change::Is(record("a", 7, 0, 0, 0)));
        let version = known.version();
        known.apply(&Change::Is(record("a", 3, 0, 0, 0)));
        assert_eq!(known.version(), version);
        known.apply(&Change::Gone("a".into(), Timestamp(3)));
        assert!(known.get("a").is_some(), "the one that went was an earlier one");
        known.apply(&Change::Gone("a".into(), Timestamp(7)));
        assert!(known.is_empty() && ids(known.by_age(None)).is_empty());
    }
}
