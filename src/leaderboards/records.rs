//! Writing and deleting records.

use std::rc::Rc;

use kakera_proto::{Timestamp, api};

use super::{Board, LeaderboardError, Leaderboards, Operator};
use crate::{
    ids::UserId,
    store::{
        self, StoreError,
        leaderboards::{NewScore, ScoreRecord, scores},
        see_through,
    },
};

/// On whose authority something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// A client's: it may write only where boards let clients write.
    Player,
    /// A script's or the console's.
    Server,
}

/// A score as it is handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    pub owner: UserId,
    /// Empty leaves the name as it is.
    pub username: String,
    pub score: i64,
    pub subscore: i64,
    /// A JSON object; empty leaves it as it is.
    pub metadata: String,
    /// Instead of the board's own.
    pub operator: Option<Operator>,
}

impl Submission {
    /// The score as the store takes it, and the operator that counts.
    pub fn on(self, board: &Board, expiry: i64) -> (NewScore, Operator) {
        let operator = self.operator.unwrap_or(board.operator);
        let new = NewScore {
            board: board.id.to_string(),
            expiry: store::Timestamp::from_unix_sec(expiry),
            owner: self.owner,
            username: Some(self.username).filter(|name| !name.is_empty()),
            score: self.score,
            subscore: self.subscore,
            metadata: Some(self.metadata).filter(|metadata| !metadata.is_empty()),
        };
        (new, operator)
    }
}

impl Leaderboards {
    /// Writes a score, and yields the record as it is now.
    pub async fn write(
        &self,
        id: &str,
        by: Authority,
        submission: Submission,
    ) -> Result<api::LeaderboardRecord, LeaderboardError> {
        let (this, id) = (self.clone(), id.to_owned());
        see_through("write a score", async move { this.write_and_rank(&id, by, submission).await })
            .await
    }

    async fn write_and_rank(
        &self,
        id: &str,
        by: Authority,
        submission: Submission,
    ) -> Result<api::LeaderboardRecord, LeaderboardError> {
        let board = self.leaderboard(id).await?;
        if board.authoritative && by == Authority::Player {
            return Err(LeaderboardError::Authoritative("submissions"));
        }
        let expiry = board.next_reset(self.now());
        let (new, operator) = submission.on(&board, expiry);
        let written = scores::write(self.store(), operator, board.sort_order, &new).await;
        let (record, _) = match written {
            Ok(written) => written,
            Err(StoreError::ForeignKey(_)) => {
                self.gone(&board).await;
                return Err(LeaderboardError::NotFound);
            }
            Err(StoreError::Check(_)) => return Err(out_of_range()),
            Err(other) => return Err(other.into()),
        };
        self.count_written();
        let rank = self.rank_written(&board, expiry, &record.ranked()).await;
        Ok(shown(&board.id, expiry, record, rank))
    }

    /// Deletes the owner's record of the current period; one that is not there is no error.
    pub async fn delete_record(
        &self,
        id: &str,
        by: Authority,
        owner: UserId,
    ) -> Result<(), LeaderboardError> {
        let board = self.leaderboard(id).await?;
        if board.authoritative && by == Authority::Player {
            return Err(LeaderboardError::Authoritative("deletions"));
        }
        let expiry = board.next_reset(self.now());
        let time = store::Timestamp::from_unix_sec(expiry);
        let this = self.clone();
        see_through("delete a score", async move {
            scores::delete(this.store(), &board.id, time, owner).await?;
            this.rank_deleted(&board, expiry, owner).await;
            Ok(())
        })
        .await
    }

    /// The board of this id that is no tournament.
    async fn leaderboard(&self, id: &str) -> Result<Rc<Board>, LeaderboardError> {
        let board = self.find(id).await?.filter(|board| !board.is_tournament());
        board.ok_or(LeaderboardError::NotFound)
    }
}

/// A score, or what an operator makes of it, is no score.
pub fn out_of_range() -> LeaderboardError {
    LeaderboardError::Invalid("Scores must not be negative, nor leave 64 bits.".into())
}

/// A record as clients see it.
pub fn shown(board: &str, expiry: i64, record: ScoreRecord, rank: u64) -> api::LeaderboardRecord {
    let seconds = |seconds| Some(Timestamp { seconds, nanos: 0 });
    api::LeaderboardRecord {
        leaderboard_id: board.to_owned(),
        owner_id: record.owner.to_string(),
        username: record.username,
        score: record.score,
        subscore: record.subscore,
        num_score: record.num_score,
        metadata: record.metadata,
        create_time: seconds(record.create_time.unix_sec()),
        update_time: seconds(record.update_time.unix_sec()),
        expiry_time: if expiry == 0 { None } else { seconds(expiry) },
        rank: i64::try_from(rank).unwrap_or(i64::MAX),
        max_num_score: u32::try_from(record.max_num_score).unwrap_or(0),
    }
}
