//! The tables `leaderboard` and `leaderboard_record`: leaderboards, tournaments (which are leaderboards with
//! a duration), and the scores in them.
//!
//! `definitions` creates, reads and deletes boards, `scores` writes and deletes records, `attempts` does so
//! for tournaments, `listing` reads records, `fences` says what the schedules have done.

pub mod attempts;
pub mod definitions;
pub mod fences;
pub mod listing;
pub mod scores;

pub use definitions::{BoardRecord, NewBoard};
pub use listing::{Place, RankRecord, ScoreRecord};
pub use scores::NewScore;

/// Which scores are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortOrder {
    /// The lowest comes first.
    Ascending,
    /// The highest comes first.
    Descending,
}

impl SortOrder {
    /// As the column holds it.
    pub fn number(self) -> i16 {
        match self {
            Self::Ascending => 0,
            Self::Descending => 1,
        }
    }

    fn from_number(number: i16) -> Self {
        if number == 0 { Self::Ascending } else { Self::Descending }
    }
}

/// What a new score does to an old one. Score and subscore are looked at each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// The better one of both stays.
    Best,
    /// The new one stays.
    Set,
    /// The new one is added.
    Increment,
    /// The new one is taken away, down to zero.
    Decrement,
}

impl Operator {
    /// As the column holds it.
    pub fn number(self) -> i16 {
        match self {
            Self::Best => 0,
            Self::Set => 1,
            Self::Increment => 2,
            Self::Decrement => 3,
        }
    }

    fn from_number(number: i16) -> Self {
        match number {
            1 => Self::Set,
            2 => Self::Increment,
            3 => Self::Decrement,
            _ => Self::Best,
        }
    }
}
