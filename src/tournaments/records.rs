//! Joining tournaments, and their records.

use std::rc::Rc;

use kakera_proto::api;

use super::{TournamentError, Tournaments};
use crate::{
    ids::UserId,
    leaderboards::{
        Authority, Board, Listing, Submission,
        records::{out_of_range, shown},
    },
    store::{
        StoreError, Timestamp,
        leaderboards::{
            Operator, Place, RankRecord,
            attempts::{self, Refused, Rules},
        },
        see_through,
    },
};

fn rules(board: &Board, operator: Operator) -> Rules {
    Rules {
        operator,
        sort_order: board.sort_order,
        join_required: board.join_required,
        max_num_score: board.max_num_score,
        has_max_size: board.has_max_size(),
    }
}

impl Tournaments {
    /// Joins the current period. To have joined before is no error, nor is it to join where that is not
    /// asked for.
    pub async fn join(
        &self,
        id: &str,
        owner: UserId,
        username: &str,
    ) -> Result<(), TournamentError> {
        let (this, id, username) = (self.clone(), id.to_owned(), username.to_owned());
        see_through(
            "join a tournament",
            async move { this.join_and_rank(&id, owner, &username).await },
        )
        .await
    }

    async fn join_and_rank(
        &self,
        id: &str,
        owner: UserId,
        username: &str,
    ) -> Result<(), TournamentError> {
        let board = self.find(id).await?;
        if !board.join_required {
            return Ok(());
        }
        let now = self.boards.now();
        let period = board.period(now);
        if period.end <= now {
            return Err(TournamentError::NotJoinable);
        }
        let time = Timestamp::from_unix_sec(period.expiry);
        let rules = rules(&board, board.operator);
        let joined =
            attempts::join(self.boards.store(), (id, time), (owner, username), rules).await;
        let joined = match joined {
            Ok(joined) => joined,
            Err(Refused::Full) => return Err(TournamentError::FullToJoin),
            Err(refused) => return Err(self.refused(&board, refused).await),
        };
        if joined {
            let place = Place { score: 0, subscore: 0, owner };
            let record = RankRecord { place, num_score: 0 };
            self.boards.rank_written(&board, period.expiry, &record).await;
        }
        Ok(())
    }

    /// Writes a score as one more attempt, and yields the record as it is now.
    pub async fn write(
        &self,
        id: &str,
        by: Authority,
        submission: Submission,
    ) -> Result<api::LeaderboardRecord, TournamentError> {
        let (this, id) = (self.clone(), id.to_owned());
        see_through("write a score", async move { this.write_and_rank(&id, by, submission).await })
            .await
    }

    async fn write_and_rank(
        &self,
        id: &str,
        by: Authority,
        submission: Submission,
    ) -> Result<api::LeaderboardRecord, TournamentError> {
        let board = self.find(id).await?;
        let now = self.boards.now();
        if by == Authority::Player && board.has_ended(now) {
            return Err(TournamentError::Over);
        }
        if board.authoritative && by == Authority::Player {
            return Err(TournamentError::Authoritative("submissions"));
        }
        let period = board.period(now);
        if period.start > now || period.end <= now {
            return Err(TournamentError::NotActive);
        }
        let (new, operator) = submission.on(&board, period.expiry);
        let written = attempts::write(self.boards.store(), rules(&board, operator), &new).await;
        let record = match written {
            Ok(record) => record,
            Err(refused) => return Err(self.refused(&board, refused).await),
        };
        let rank = self.boards.rank_written(&board, period.expiry, &record.ranked()).await;
        Ok(shown(&board.id, period.expiry, record, rank))
    }

    /// Deletes the owner's record of the current period, and gives its place back.
    pub async fn delete_record(
        &self,
        id: &str,
        by: Authority,
        owner: UserId,
    ) -> Result<(), TournamentError> {
        let (this, id) = (self.clone(), id.to_owned());
        see_through(
            "delete a score",
            async move { this.delete_record_and_rank(&id, by, owner).await },
        )
        .await
    }

    async fn delete_record_and_rank(
        &self,
        id: &str,
        by: Authority,
        owner: UserId,
    ) -> Result<(), TournamentError> {
        let board = self.find(id).await?;
        if board.authoritative && by == Authority::Player {
            return Err(TournamentError::Authoritative("deletions"));
        }
        let expiry = board.expiry(self.boards.now());
        let time = Timestamp::from_unix_sec(expiry);
        let counted = board.has_max_size();
        attempts::delete(self.boards.store(), (id, time), owner, counted).await?;
        self.boards.rank_deleted(&board, expiry, owner).await;
        Ok(())
    }

    /// Grants an owner more attempts in the current period. One without a record gets none.
    pub async fn add_attempts(
        &self,
        id: &str,
        owner: UserId,
        count: i32,
    ) -> Result<(), TournamentError> {
        let board = self.find(id).await?;
        let now = self.boards.now();
        let period = board.period(now);
        if period.end <= now {
            return Err(TournamentError::NotActive);
        }
        let time = Timestamp::from_unix_sec(period.expiry);
        let added = attempts::add(self.boards.store(), (id, time), owner, count).await;
        match added {
            Ok(_) => Ok(()),
            Err(StoreError::Check(_)) => {
                Err(TournamentError::Invalid("The attempts must stay above zero.".into()))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Lists the records of the current period, or of another one.
    pub async fn records(
        &self,
        id: &str,
        listing: Listing,
    ) -> Result<api::TournamentRecordList, TournamentError> {
        let board = self.find(id).await?;
        if listing.expiry == 0 && board.has_ended(self.boards.now()) {
            return Err(TournamentError::Ended);
        }
        Ok(of_tournament(self.boards.records(id, listing).await?))
    }

    /// Lists the records around an owner's.
    pub async fn around(
        &self,
        id: &str,
        owner: UserId,
        limit: u32,
        listing: Listing,
    ) -> Result<api::TournamentRecordList, TournamentError> {
        self.find(id).await?;
        Ok(of_tournament(self.boards.around(id, owner, limit, listing).await?))
    }

    async fn refused(&self, board: &Rc<Board>, refused: Refused) -> TournamentError {
        match refused {
            Refused::Store(StoreError::ForeignKey(_)) => {
                self.boards.gone(board).await;
                TournamentError::NotFound
            }
            Refused::Store(StoreError::Check(_)) => out_of_range().into(),
            other => other.into(),
        }
    }
}

fn of_tournament(list: api::LeaderboardRecordList) -> api::TournamentRecordList {
    api::TournamentRecordList {
        records: list.records,
        owner_records: list.owner_records,
        next_cursor: list.next_cursor,
        prev_cursor: list.prev_cursor,
        rank_count: list.rank_count,
    }
}
