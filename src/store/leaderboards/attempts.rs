//! Joining tournaments, writing in them and leaving them: what counts attempts and places.
//!
//! A record is always locked before its board, so that no two of these wait for each other.

use super::{
    NewScore, Operator, ScoreRecord, SortOrder,
    listing::SCORE_OF_OWNER,
    scores::{REWRITES_MAX, is_overtaken, statement_of},
};
use crate::{
    ids::UserId,
    params,
    store::{Param, Store, StoreError, Timestamp, Tx},
};

/// Why an attempt was refused; nothing is changed then.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    #[error("no place is left")]
    Full,
    #[error("no attempt is left")]
    Spent,
    #[error("the owner has not joined")]
    NotJoined,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a tournament demands of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub operator: Operator,
    pub sort_order: SortOrder,
    pub join_required: bool,
    pub max_num_score: i32,
    /// Whether places are counted at all.
    pub has_max_size: bool,
}

const TAKE_A_PLACE: &str =
    "update leaderboard set size = size + 1 where id = $1 and size < max_size";

/// Joins. False when the owner had joined before.
pub async fn join(
    store: &Store,
    (board, expiry): (&str, Timestamp),
    (owner, username): (UserId, &str),
    rules: Rules,
) -> Result<bool, Refused> {
    let (board, username) = (board.to_owned(), username.to_owned());
    store
        .write(async move |tx: &mut Tx<'_>| {
            let sql = "insert into leaderboard_record (leaderboard_id, owner_id, expiry_time, \
                       username, num_score, max_num_score, create_time, update_time) \
                       values ($1, $2, $3, $4, 0, $5, {now}, {now}) \
                       on conflict do nothing";
            let most = rules.max_num_score;
            let new = tx.execute(sql, params![&board, owner, expiry, &username, most]).await?;
            if new == 0 {
                return Ok(false);
            }
            if rules.has_max_size && tx.execute(TAKE_A_PLACE, params![&board]).await? == 0 {
                return Err(Refused::Full);
            }
            Ok(true)
        })
        .await
}

macro_rules! first_or_further {
    ($inserted:literal, $updated:literal, $changes:literal) => {
        concat!(
            "insert into leaderboard_record as r (leaderboard_id, owner_id, username, metadata, \
             expiry_time, max_num_score, create_time, update_time, score, subscore) \
             values ($1, $2, $3, $6, $7, $9, {now}, {now}, ",
            $inserted,
            ") on conflict (owner_id, leaderboard_id, expiry_time) do update set ",
            $updated,
            ", num_score = r.num_score + 1, \
             metadata = case when $8 then excluded.metadata else r.metadata end, \
             username = coalesce(excluded.username, r.username), update_time = {now} \
             returning owner_id, username, score, subscore, num_score, max_num_score, metadata, \
             create_time, update_time"
        )
    };
}

/// Writes a score as one more attempt, whether it is better or not; yields the record as it is now.
pub async fn write(store: &Store, rules: Rules, new: &NewScore) -> Result<ScoreRecord, Refused> {
    for _ in 0..REWRITES_MAX {
        match attempt(store, rules, new).await {
            Err(Refused::Store(error)) if is_overtaken(&error) => {}
            other => return other,
        }
    }
    Err(StoreError::Contended.into())
}

async fn attempt(store: &Store, rules: Rules, new: &NewScore) -> Result<ScoreRecord, Refused> {
    let sql = statement_of!(first_or_further, rules.operator, rules.sort_order);
    let new = new.clone();
    store
        .write(async move |tx: &mut Tx<'_>| {
            let (board, owner, expiry) = (&new.board, new.owner, new.expiry);
            if rules.join_required {
                let joined: Option<ScoreRecord> =
                    tx.optional(&lock(), params![board, expiry, owner]).await?;
                let joined = joined.ok_or(Refused::NotJoined)?;
                if joined.is_spent() {
                    // It has always been answered like this: the record as it is, and no error.
                    return Ok(joined);
                }
            }
            let mut params = new.params().to_vec();
            params.push(Param::from(rules.max_num_score));
            let record: ScoreRecord = tx.one(sql, &params).await?;
            if record.max_num_score > 0 && record.num_score > record.max_num_score {
                return Err(Refused::Spent);
            }
            let first = !rules.join_required && record.num_score <= 1;
            if first && rules.has_max_size && tx.execute(TAKE_A_PLACE, params![board]).await? == 0 {
                return Err(Refused::Full);
            }
            Ok(record)
        })
        .await
}

fn lock() -> String {
    format!("{SCORE_OF_OWNER} {{for update}}")
}

/// Deletes an owner's record, and gives its place back where places are counted.
pub async fn delete(
    store: &Store,
    (board, expiry): (&str, Timestamp),
    owner: UserId,
    has_max_size: bool,
) -> Result<bool, StoreError> {
    let board = board.to_owned();
    store
        .write(async move |tx: &mut Tx<'_>| {
            let sql = "delete from leaderboard_record \
                       where leaderboard_id = $1 and expiry_time = $2 and owner_id = $3";
            let deleted = tx.execute(sql, params![&board, expiry, owner]).await? > 0;
            if deleted && has_max_size {
                let sql = "update leaderboard set size = size - 1 where id = $1 and size > 0";
                tx.execute(sql, params![&board]).await?;
            }
            Ok(deleted)
        })
        .await
}

/// Grants an owner, who has a record, more attempts. False when it has none.
pub async fn add(
    store: &Store,
    (board, expiry): (&str, Timestamp),
    owner: UserId,
    count: i32,
) -> Result<bool, StoreError> {
    let sql = "update leaderboard_record set max_num_score = max_num_score + $4 \
               where leaderboard_id = $1 and expiry_time = $2 and owner_id = $3";
    Ok(store.execute(sql, params![board, expiry, owner, count]).await? > 0)
}
