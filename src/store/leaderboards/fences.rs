//! What the schedules have done: one row for each board and kind of event, so that an event is carried out
//! once, by whichever node comes first, and not again after a restart.
//!
//! The rows are storage objects of the system that nobody may read or write. The schema is shared with
//! other servers, which leave what they do not know alone; a table of ours would be one too many.

use uuid::Uuid;

use crate::{
    params,
    store::{Param, Reader, Store, StoreError, Timestamp, Tx},
};

/// Rows read in one statement.
const BATCH_LEN: i64 = 10_000;
/// Boards that one statement names.
const STEP_LEN: usize = 1000;

/// The collections in which the rows stand. They are not for operators to see, take along or delete.
pub const COLLECTIONS: [&str; 2] = [RESET, END];

const RESET: &str = "kakera.leaderboard.reset";
const END: &str = "kakera.leaderboard.end";

/// What can happen to a board by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The active part of a tournament's period has ended.
    End,
    /// A period has ended and the next one begins.
    Reset,
}

impl Kind {
    fn collection(self) -> &'static str {
        match self {
            Self::Reset => RESET,
            Self::End => END,
        }
    }
}

/// Up to when the events of these boards have been carried out; the row's time of update is what counts. A
/// board of which nothing is known is left out.
pub async fn reached(
    store: &Store,
    kind: Kind,
    boards: &[String],
) -> Result<Vec<(String, Timestamp)>, StoreError> {
    let mut known = Vec::new();
    for batch in boards.chunks(STEP_LEN) {
        let batch = batch.to_vec();
        let steps = async move |reader: &mut Reader<'_>| of_boards(reader, kind, &batch).await;
        known.extend(store.scan(steps).await?);
    }
    Ok(known)
}

async fn of_boards(
    reader: &mut Reader<'_>,
    kind: Kind,
    boards: &[String],
) -> Result<Vec<(String, Timestamp)>, StoreError> {
    let sql = "select key, update_time from storage \
               where collection = $1 and user_id = $2 and key {in $3}";
    reader.all(sql, params![kind.collection(), Uuid::nil(), boards]).await
}

/// The same, of boards that exist, where it is remembered for those of which nothing is known yet that all
/// has been carried out until `now`.
pub async fn begin(
    store: &Store,
    kind: Kind,
    boards: &[String],
    now: Timestamp,
) -> Result<Vec<(String, Timestamp)>, StoreError> {
    let mut known = Vec::new();
    for batch in boards.chunks(STEP_LEN) {
        let batch = batch.to_vec();
        let steps = async move |tx: &mut Tx<'_>| {
            // In their order, for others may begin with the same ones.
            let sql = "insert into storage (collection, key, user_id, value, version, read, write, \
                       create_time, update_time) \
                       select $1, id, $2, $3, '', 0, 0, $4, $4 from leaderboard where id {in $5} \
                       order by id on conflict (collection, key, user_id) do nothing";
            let (collection, owner) = (kind.collection(), Uuid::nil());
            let params = params![collection, owner, Param::json("{}"), now, &batch[..]];
            tx.execute(sql, params).await?;
            of_boards(tx, kind, &batch).await
        };
        known.extend(store.write(steps).await?);
    }
    Ok(known)
}

/// Claims the event of a board at `time`. True for one caller only, ever, and only while the board exists
/// and no later event has been claimed. A reset leaves in a tournament's size only those who are in the
/// period that begins, which expires at `next_expiry`.
///
/// A row that somebody has deleted is written anew: the schedule goes on.
pub async fn claim(
    store: &Store,
    kind: Kind,
    board: &str,
    (time, next_expiry): (Timestamp, Timestamp),
) -> Result<bool, StoreError> {
    let board = board.to_owned();
    store
        .write(async move |tx: &mut Tx<'_>| {
            let sql = "insert into storage (collection, key, user_id, value, version, read, write, \
                       create_time, update_time) \
                       select $1, id, $3, $5, '', 0, 0, $4, $4 from leaderboard where id = $2 \
                       on conflict (collection, key, user_id) do update \
                       set update_time = excluded.update_time \
                       where storage.update_time < excluded.update_time";
            let value = Param::json("{}");
            let params = params![kind.collection(), &board, Uuid::nil(), time, value];
            if tx.execute(sql, params).await? == 0 {
                return Ok(false);
            }
            if kind == Kind::Reset {
                // The lock first: who joins now has either been counted or adds itself afterwards.
                let lock = "select id from leaderboard where id = $1 and duration > 0 {for update}";
                let locked: Option<(String,)> = tx.optional(lock, params![&board]).await?;
                if locked.is_some() {
                    let sql = "update leaderboard set size = case when max_size = $3 then 0 else \
                               (select count(*) from leaderboard_record \
                               where leaderboard_id = $1 and expiry_time = $2) end where id = $1";
                    tx.execute(sql, params![&board, next_expiry, i32::MAX]).await?;
                }
            }
            Ok(true)
        })
        .await
}

/// Forgets what was done for a board that is gone.
pub async fn forget(store: &Store, board: &str) -> Result<(), StoreError> {
    let sql = "delete from storage where user_id = $1 and key = $2 and collection {in $3}";
    let collections = [Kind::Reset, Kind::End].map(|kind| kind.collection().to_owned());
    store.execute(sql, params![Uuid::nil(), board, &collections[..]]).await.map(drop)
}

/// Up to when the events of this kind have been carried out, for every board of which that is known.
pub async fn all(store: &Store, kind: Kind) -> Result<Vec<(String, Timestamp)>, StoreError> {
    let mut known: Vec<(String, Timestamp)> = Vec::new();
    loop {
        let after = known.last().map_or_else(String::new, |(board, _)| board.clone());
        let batch: Vec<(String, Timestamp)> = store
            .scan(async move |reader: &mut Reader<'_>| {
                let sql = "select key, update_time from storage where collection = $1 \
                           and user_id = $2 and key > $3 order by key limit $4";
                let params = params![kind.collection(), Uuid::nil(), &after, BATCH_LEN];
                reader.all(sql, params).await
            })
            .await?;
        let whole = batch.len() as i64 == BATCH_LEN;
        known.extend(batch);
        if !whole {
            return Ok(known);
        }
    }
}
