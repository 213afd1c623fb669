//! What leaderboards ask the owners of ranks.

use std::sync::Arc;

use super::{
    Board, Leaderboards,
    ranks::{Around, Ask, PeriodKey, RankReply, RankRequest, Score},
};
use crate::{
    ids::UserId,
    store::{Timestamp, leaderboards::RankRecord},
};

impl Leaderboards {
    /// A record was written, or is as it was: its rank, or 0 where there is none.
    pub async fn rank_written(&self, board: &Board, expiry: i64, record: &RankRecord) -> u64 {
        let ask = Ask::Written {
            score: record.place.into(),
            generation: record.num_score,
            order: board.sort_order,
        };
        match self.ask(board, expiry, ask).await {
            RankReply::Rank(rank) => rank,
            RankReply::Ranks { .. }
            | RankReply::Around(_)
            | RankReply::At(_)
            | RankReply::Done
            | RankReply::Unknown => 0,
        }
    }

    /// The ranks of these owners, 0 where one has none, and how many records there are.
    pub async fn ranks_of(
        &self,
        board: &Board,
        expiry: i64,
        owners: Vec<UserId>,
    ) -> (Box<[u64]>, u64) {
        let ask = Ask::Of { owners, order: board.sort_order };
        match self.ask(board, expiry, ask).await {
            RankReply::Ranks { ranks, count } => (ranks, count),
            RankReply::Rank(_)
            | RankReply::Around(_)
            | RankReply::At(_)
            | RankReply::Done
            | RankReply::Unknown => (Box::default(), 0),
        }
    }

    /// Who stands around an owner. `None` when that is not known, or the owner has no rank.
    pub async fn ranked_around(
        &self,
        board: &Board,
        expiry: i64,
        owner: UserId,
        limit: u32,
    ) -> Option<Box<Around>> {
        let ask = Ask::Around { owner, order: board.sort_order, limit };
        match self.ask(board, expiry, ask).await {
            RankReply::Around(around) => around,
            RankReply::Rank(_)
            | RankReply::Ranks { .. }
            | RankReply::At(_)
            | RankReply::Done
            | RankReply::Unknown => None,
        }
    }

    /// Who has a rank. `None` when that is not known, or nobody has it.
    pub async fn ranked_at(&self, board: &Board, expiry: i64, rank: u64) -> Option<Box<Score>> {
        match self.ask(board, expiry, Ask::At { rank, order: board.sort_order }).await {
            RankReply::At(score) => score,
            RankReply::Rank(_)
            | RankReply::Ranks { .. }
            | RankReply::Around(_)
            | RankReply::Done
            | RankReply::Unknown => None,
        }
    }

    /// An owner's record was deleted.
    pub async fn rank_deleted(&self, board: &Board, expiry: i64, owner: UserId) {
        self.ask(board, expiry, Ask::Deleted(owner)).await;
    }

    /// Takes an owner out of the ranks of these periods, as whose account is deleted.
    pub async fn forget_owner(&self, owner: UserId, periods: &[(String, Timestamp)]) {
        for (id, expiry) in periods {
            let period = PeriodKey { board: id.as_str().into(), expiry: expiry.unix_sec() };
            self.0.peers.rank(RankRequest { period, ask: Ask::Deleted(owner) }).await;
        }
    }

    /// The board's current records are gone.
    pub(super) async fn forget_ranks(&self, board: &Board) {
        // Asked of the peers directly: a board whose ranks were just switched off is not asked any more.
        let expiry = board.expiry(self.now());
        let period = PeriodKey { board: Arc::clone(&board.id), expiry };
        self.0.peers.rank(RankRequest { period, ask: Ask::Forget }).await;
    }

    async fn ask(&self, board: &Board, expiry: i64, ask: Ask) -> RankReply {
        if self.0.unranked.covers(board) {
            return RankReply::Unknown;
        }
        let period = PeriodKey { board: Arc::clone(&board.id), expiry };
        self.0.peers.rank(RankRequest { period, ask }).await
    }
}
