//! What the owner of ranks can be asked.

use std::sync::Arc;

use super::Score;
use crate::{ids::UserId, leaderboards::SortOrder};

/// Whose ranks: a period of a board.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeriodKey {
    pub board: Arc<str>,
    /// Unix seconds; 0 where its records never expire.
    pub expiry: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankRequest {
    pub period: PeriodKey,
    pub ask: Ask,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A record was written; what is its rank? `generation` counts its writes.
    Written { score: Score, generation: i32, order: SortOrder },
    /// A record was deleted.
    Deleted(UserId),
    /// Which ranks do these owners have?
    Of { owners: Vec<UserId>, order: SortOrder },
    /// Who stands around this owner? See [`super::Ranks::around`].
    Around { owner: UserId, order: SortOrder, limit: u32 },
    /// Who has this rank?
    At { rank: u64, order: SortOrder },
    /// The period's records are gone.
    Forget,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RankReply {
    /// 0 where there is none.
    Rank(u64),
    /// As many as there were owners, 0 where one has none; and how many records there are.
    Ranks {
        ranks: Box<[u64]>,
        count: u64,
    },
    Around(Option<Box<Around>>),
    At(Option<Box<Score>>),
    Done,
    /// The ranks are not there: they cannot be read, or there is no room for them.
    Unknown,
}

/// A page around an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    /// The rank of the first one.
    pub first: u64,
    pub scores: Vec<Score>,
    /// How many records there are.
    pub count: u64,
}
