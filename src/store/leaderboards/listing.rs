//! Reading records, in the order of the board.

use super::SortOrder;
use crate::{
    ids::UserId,
    params,
    store::{Columns, FromRow, Param, Reader, Store, StoreError, Timestamp, gathered::Wanted},
};

/// A record as it is kept, without its board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreRecord {
    pub owner: UserId,
    pub username: Option<String>,
    pub score: i64,
    pub subscore: i64,
    pub num_score: i32,
    pub max_num_score: i32,
    /// A JSON object.
    pub metadata: String,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

impl ScoreRecord {
    /// Whether no attempt is left.
    pub fn is_spent(&self) -> bool {
        self.max_num_score > 0 && self.num_score >= self.max_num_score
    }

    /// What decides its rank.
    pub fn ranked(&self) -> RankRecord {
        RankRecord { place: self.place(), num_score: self.num_score }
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        Place { score: self.score, subscore: self.subscore, owner: self.owner }
    }
}

impl FromRow for ScoreRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            owner: columns.take()?,
            username: columns.take()?,
            score: columns.take()?,
            subscore: columns.take()?,
            num_score: columns.take()?,
            max_num_score: columns.take()?,
            metadata: columns.take()?,
            create_time: columns.take()?,
            update_time: columns.take()?,
        })
    }
}

/// A place on a board, taken or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub score: i64,
    pub subscore: i64,
    pub owner: UserId,
}

/// What decides a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankRecord {
    pub place: Place,
    /// How often it was written.
    pub num_score: i32,
}

impl FromRow for RankRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        let place =
            Place { owner: columns.take()?, score: columns.take()?, subscore: columns.take()? };
        Ok(Self { place, num_score: columns.take()? })
    }
}

macro_rules! scores {
    ($rest:literal) => {
        concat!(
            "select owner_id, username, score, subscore, num_score, max_num_score, metadata, \
             create_time, update_time from leaderboard_record \
             where leaderboard_id = $1 and expiry_time = $2",
            $rest
        )
    };
}

pub(super) const SCORE_OF_OWNER: &str = scores!(" and owner_id = $3");

pub async fn of_owner(
    store: &Store,
    board: &str,
    expiry: Timestamp,
    owner: UserId,
) -> Result<Option<ScoreRecord>, StoreError> {
    let board = board.to_owned();
    store
        .read(async move |reader: &mut Reader<'_>| {
            reader.optional(SCORE_OF_OWNER, params![&board, expiry, owner]).await
        })
        .await
}

/// See [`Wanted::sql`].
pub(in crate::store) const SCORES_OF_KEYS: &str = "select r.owner_id, r.username, r.score, r.subscore, r.num_score, r.max_num_score, r.metadata, \
     r.create_time, r.update_time, k.n from unnest($1::varchar[], $2::timestamptz[], $3::uuid[]) \
     with ordinality k (board, expiry, owner, n) join leaderboard_record r \
     on r.owner_id = k.owner and r.leaderboard_id = k.board and r.expiry_time = k.expiry";

/// The records of these owners, in no order.
pub async fn of_owners(
    store: &Store,
    board: &str,
    expiry: Timestamp,
    mut owners: Vec<UserId>,
) -> Result<Vec<ScoreRecord>, StoreError> {
    if let Store::Postgres(shard) = store {
        // One that is named twice is found once.
        owners.sort_unstable();
        owners.dedup();
        let key = |owner: &UserId| {
            vec![Param::from(board.to_owned()), Param::from(expiry), Param::from(*owner)]
        };
        return shard.look_up(Wanted::Scores, owners.iter().map(key).collect()).await;
    }
    let board = board.to_owned();
    store
        .read(async move |reader: &mut Reader<'_>| {
            let sql = scores!(" and owner_id {in $3}");
            reader.all(sql, params![&board, expiry, owners.as_slice()]).await
        })
        .await
}

/// Records that an export reads at once.
const BATCH_LEN: i64 = 10_000;

/// All records of an owner, with their boards and times of expiry.
pub async fn all_of_owner(
    store: &Store,
    owner: UserId,
) -> Result<Vec<(String, Timestamp, ScoreRecord)>, StoreError> {
    struct Owned(String, Timestamp, ScoreRecord);
    impl FromRow for Owned {
        fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
            Ok(Self(columns.take()?, columns.take()?, ScoreRecord::from_row(columns)?))
        }
    }
    let mut found: Vec<Owned> = Vec::new();
    loop {
        let first = (String::new(), Timestamp::EPOCH);
        let last = found.last().map(|Owned(board, expiry, _)| (board.clone(), *expiry));
        let (board, expiry) = last.unwrap_or(first);
        let batch: Vec<Owned> = store
            .scan(async move |reader: &mut Reader<'_>| {
                let sql = "select leaderboard_id, expiry_time, owner_id, username, score, subscore, \
                           num_score, max_num_score, metadata, create_time, update_time \
                           from leaderboard_record where owner_id = $1 \
                           and (leaderboard_id, expiry_time) > ($2, $3) \
                           order by leaderboard_id, expiry_time limit $4";
                reader.all(sql, params![owner, &board, expiry, BATCH_LEN]).await
            })
            .await?;
        let whole = batch.len() as i64 == BATCH_LEN;
        found.extend(batch);
        if !whole {
            break;
        }
    }
    Ok(found.into_iter().map(|Owned(board, expiry, record)| (board, expiry, record)).collect())
}

/// The first records of a board, at most `limit`.
pub async fn first(
    store: &Store,
    board: &str,
    expiry: Timestamp,
    order: SortOrder,
    limit: i64,
) -> Result<Vec<ScoreRecord>, StoreError> {
    let board = board.to_owned();
    let sql = match order {
        SortOrder::Ascending => scores!(" order by score, subscore, owner_id limit $3"),
        SortOrder::Descending => {
            scores!(" order by score desc, subscore desc, owner_id desc limit $3")
        }
    };
    store
        .read(async move |reader: &mut Reader<'_>| {
            reader.all(sql, params![&board, expiry, limit]).await
        })
        .await
}

/// The records that come after a place when one walks from the lowest score up, or from the highest down;
/// at most `limit`, in the order of the walk.
pub async fn beyond(
    store: &Store,
    board: &str,
    expiry: Timestamp,
    (walk, from): (SortOrder, Place),
    limit: i64,
) -> Result<Vec<ScoreRecord>, StoreError> {
    let board = board.to_owned();
    store
        .read(async move |reader: &mut Reader<'_>| {
            let Place { score, subscore, owner } = from;
            let params = params![&board, expiry, score, subscore, owner, limit];
            reader.all(beyond_sql(walk), params).await
        })
        .await
}

fn beyond_sql(walk: SortOrder) -> &'static str {
    match walk {
        SortOrder::Ascending => scores!(
            " and (score, subscore, owner_id) > ($3, $4, $5) \
             order by score, subscore, owner_id limit $6"
        ),
        SortOrder::Descending => scores!(
            " and (score, subscore, owner_id) < ($3, $4, $5) \
             order by score desc, subscore desc, owner_id desc limit $6"
        ),
    }
}

/// What decides the ranks of a period, from the lowest score up, after a place; at most `limit`.
pub async fn ranked(
    store: &Store,
    board: &str,
    expiry: Timestamp,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<RankRecord>, StoreError> {
    macro_rules! ranked {
        ($rest:literal) => {
            concat!(
                "select owner_id, score, subscore, num_score from leaderboard_record \
                 where leaderboard_id = $1 and expiry_time = $2",
                $rest
            )
        };
    }
    let board = board.to_owned();
    store
        .scan(async move |reader: &mut Reader<'_>| match after {
            None => {
                let sql = ranked!(" order by score, subscore, owner_id limit $3");
                reader.all(sql, params![&board, expiry, limit]).await
            }
            Some(Place { score, subscore, owner }) => {
                let sql = ranked!(
                    " and (score, subscore, owner_id) > ($3, $4, $5) \
                     order by score, subscore, owner_id limit $6"
                );
                reader.all(sql, params![&board, expiry, score, subscore, owner, limit]).await
            }
        })
        .await
}
