//! Writing and deleting records of leaderboards. Each write is one statement, so that writers of one record
//! wait for each other in the database and none is lost.

use super::{Operator, ScoreRecord, SortOrder, listing};
use crate::{
    ids::UserId,
    params,
    store::{
        Param, Reader, Row, Store, StoreError, Timestamp, Tx,
        gathered::{Many, RowLock, Statement},
    },
};

/// How often a write begins anew because another one of the same record came in between.
pub(super) const REWRITES_MAX: usize = 8;

/// A score to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewScore {
    pub board: String,
    /// When the period ends, or the epoch where it never does.
    pub expiry: Timestamp,
    pub owner: UserId,
    /// `None` leaves the name as it is.
    pub username: Option<String>,
    pub score: i64,
    pub subscore: i64,
    /// A JSON object; `None` leaves it as it is.
    pub metadata: Option<String>,
}

impl NewScore {
    /// The parameters that every statement begins with.
    pub(super) fn params(&self) -> [Param<'_>; 8] {
        [
            Param::from(&self.board),
            Param::from(self.owner),
            Param::from(self.username.as_deref()),
            Param::from(self.score),
            Param::from(self.subscore),
            Param::json(self.metadata.as_deref().unwrap_or("{}")),
            Param::from(self.expiry),
            Param::from(self.metadata.is_some()),
        ]
    }
}

/// Makes the statement of an operator. `$make` is a macro over: what a new record begins with, what an old
/// one, `r`, becomes, and when that is a change. (`greatest` and `least` are not of both dialects.)
macro_rules! statement_of {
    ($make:ident, $operator:expr, $order:expr) => {
        match ($operator, $order) {
            (Operator::Best, SortOrder::Ascending) => $make!(
                "$4, $5",
                "score = case when r.score > excluded.score then excluded.score else r.score end, \
                 subscore = case when r.subscore > excluded.subscore then excluded.subscore \
                 else r.subscore end",
                "r.score > excluded.score or r.subscore > excluded.subscore"
            ),
            (Operator::Best, SortOrder::Descending) => $make!(
                "$4, $5",
                "score = case when r.score < excluded.score then excluded.score else r.score end, \
                 subscore = case when r.subscore < excluded.subscore then excluded.subscore \
                 else r.subscore end",
                "r.score < excluded.score or r.subscore < excluded.subscore"
            ),
            (Operator::Set, _) => $make!(
                "$4, $5",
                "score = excluded.score, subscore = excluded.subscore",
                "r.score <> excluded.score or r.subscore <> excluded.subscore"
            ),
            (Operator::Increment, _) => $make!(
                "$4, $5",
                "score = r.score + excluded.score, subscore = r.subscore + excluded.subscore",
                "excluded.score <> 0 or excluded.subscore <> 0"
            ),
            (Operator::Decrement, _) => $make!(
                "0, 0",
                "score = case when r.score > cast($4 as bigint) \
                 then r.score - cast($4 as bigint) else 0 end, \
                 subscore = case when r.subscore > cast($5 as bigint) \
                 then r.subscore - cast($5 as bigint) else 0 end",
                "cast($4 as bigint) <> 0 or cast($5 as bigint) <> 0"
            ),
        }
    };
}
pub(super) use statement_of;

macro_rules! write {
    ($values:literal, $updated:literal, $metadata:literal, $changes:literal, $key:literal) => {
        concat!(
            "insert into leaderboard_record as r (leaderboard_id, owner_id, username, metadata, \
             expiry_time, create_time, update_time, score, subscore) ",
            $values,
            " on conflict (owner_id, leaderboard_id, expiry_time) do update set ",
            $updated,
            ", num_score = r.num_score + 1, metadata = ",
            $metadata,
            ", username = coalesce(excluded.username, r.username), update_time = {now} where ",
            $changes,
            " returning owner_id, username, score, subscore, num_score, max_num_score, metadata, \
             create_time, update_time",
            $key
        )
    };
}

macro_rules! write_one {
    ("$4, $5", $updated:literal, $changes:literal) => {
        write!(
            "values ($1, $2, $3, $6, $7, {now}, {now}, $4, $5)",
            $updated,
            "case when $8 then excluded.metadata else r.metadata end", $changes, ""
        )
    };
    ("0, 0", $updated:literal, $changes:literal) => {
        write!(
            "values ($1, $2, $3, $6, $7, {now}, {now}, 0, 0)",
            $updated,
            "case when $8 then excluded.metadata else r.metadata end", $changes, ""
        )
    };
}

/// For each way of an operator: with the metadata of the new scores, and with that of the old ones. `None`
/// where the update looks at more than what it would insert.
macro_rules! write_many {
    ("$4, $5", $updated:literal, $changes:literal) => {
        Some((
            write_many!("excluded.metadata", $updated, $changes),
            write_many!("r.metadata", $updated, $changes),
        ))
    };
    ("0, 0", $updated:literal, $changes:literal) => {
        None
    };
    ($metadata:literal, $updated:literal, $changes:literal) => {
        write!(
            "select t.board, t.owner, t.username, t.metadata, t.expiry, {now}, {now}, t.score, \
             t.subscore from unnest($1::varchar[], $2::uuid[], $3::varchar[], $4::bigint[], \
             $5::bigint[], $6::jsonb[], $7::timestamptz[]) \
             t (board, owner, username, score, subscore, metadata, expiry)",
            $updated,
            $metadata,
            $changes,
            ", leaderboard_id, expiry_time"
        )
    };
}

/// Which record a statement for many has written.
fn written(row: &Row) -> Result<RowLock, StoreError> {
    Ok(RowLock::Score { owner: row.get(0)?, board: row.get(9)?, expiry: row.get(10)? })
}

/// Writes a score; yields the record as it is now, and whether this changed it.
///
/// [`StoreError::ForeignKey`] when there is no such board, [`StoreError::Check`] when a score would
/// leave its range, from 0 to 2^63 - 1.
pub async fn write(
    store: &Store,
    operator: Operator,
    order: SortOrder,
    new: &NewScore,
) -> Result<(ScoreRecord, bool), StoreError> {
    let sql = statement_of!(write_one, operator, order);
    let many = statement_of!(write_many, operator, order);
    let many = many.map(|(with, without)| if new.metadata.is_some() { with } else { without });
    let many = many.map(|sql| Many { sql, row: written });
    for _ in 0..REWRITES_MAX {
        let params = new.params().into_iter().map(Param::into_owned).collect();
        let NewScore { board, expiry, owner, .. } = new.clone();
        let lock = RowLock::Score { board, expiry, owner };
        let answer = store.write_row(lock, Statement { sql, params, many }).await;
        let written: Vec<ScoreRecord> = match answer {
            Ok(written) => written,
            Err(error) if is_overtaken(&error) => continue,
            Err(error) => return Err(error),
        };
        if let Some(record) = written.into_iter().next() {
            return Ok((record, true));
        }
        let found = listing::of_owner(store, &new.board, new.expiry, new.owner).await?;
        if let Some(record) = found {
            return Ok((record, false));
        }
        // It stood in the way of this write and has been deleted since.
    }
    Err(StoreError::Contended)
}

/// Whether another writer inserted the same record at the same moment. PostgreSQL resolves a conflict on
/// the index that `on conflict` names, but may meet the one on the primary key first, for that has the
/// score in it. Once the other one has committed, there is a record to be updated.
pub(super) fn is_overtaken(error: &StoreError) -> bool {
    matches!(error, StoreError::Unique(_))
}

/// Deletes an owner's record. False when there is none.
pub async fn delete(
    store: &Store,
    board: &str,
    expiry: Timestamp,
    owner: UserId,
) -> Result<bool, StoreError> {
    let sql = "delete from leaderboard_record \
               where leaderboard_id = $1 and expiry_time = $2 and owner_id = $3";
    Ok(store.execute(sql, params![board, expiry, owner]).await? > 0)
}

/// Deletes all records of an owner, who is being deleted, and gives back the places that they took in
/// tournaments. Records name their owner without a foreign key.
pub(in crate::store) async fn delete_all(tx: &mut Tx<'_>, owner: UserId) -> Result<(), StoreError> {
    let sql = "delete from leaderboard_record where owner_id = $1 \
               returning leaderboard_id, expiry_time > {now} or expiry_time = {epoch}";
    let deleted: Vec<(String, bool)> = tx.all(sql, params![owner]).await?;
    // Places of periods that have expired are free already.
    let current = deleted.into_iter().filter(|(_, current)| *current);
    let boards: Vec<String> = current.map(|(board, _)| board).collect();
    if !boards.is_empty() {
        let sql = "update leaderboard set size = size - 1 \
                   where id {in $1} and size > 0 and duration > 0 and max_size < $2";
        tx.execute(sql, params![boards.as_slice(), i32::MAX]).await?;
    }
    Ok(())
}

/// In which periods an owner has records.
pub async fn periods_of(
    store: &Store,
    owner: UserId,
) -> Result<Vec<(String, Timestamp)>, StoreError> {
    store
        .read(async move |reader: &mut Reader<'_>| {
            let sql =
                "select leaderboard_id, expiry_time from leaderboard_record where owner_id = $1";
            reader.all(sql, params![owner]).await
        })
        .await
}
