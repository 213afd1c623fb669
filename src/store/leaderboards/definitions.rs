//! Boards: what they are, without their records.

use super::{Operator, SortOrder};
use crate::{
    params,
    store::{Columns, FromRow, Param, Reader, Store, StoreError, Timestamp},
};

/// Boards read in one statement.
const BATCH_LEN: i64 = 10_000;

/// A board as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardRecord {
    pub id: String,
    pub authoritative: bool,
    pub sort_order: SortOrder,
    pub operator: Operator,
    pub reset_schedule: Option<String>,
    /// A JSON object.
    pub metadata: String,
    pub create_time: Timestamp,
    pub category: i32,
    pub description: String,
    /// Seconds of an active period; 0 is no tournament.
    pub duration_sec: i32,
    /// Unset where it never ends.
    pub end_time: Timestamp,
    pub join_required: bool,
    pub max_size: i32,
    pub max_num_score: i32,
    pub title: String,
    pub start_time: Timestamp,
    pub enable_ranks: bool,
    /// How many are in a tournament that has a largest size. Never cached: it changes with every one.
    pub size: i32,
}

impl FromRow for BoardRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: columns.take()?,
            authoritative: columns.take()?,
            sort_order: SortOrder::from_number(columns.take()?),
            operator: Operator::from_number(columns.take()?),
            reset_schedule: columns.take()?,
            metadata: columns.take()?,
            create_time: columns.take()?,
            category: columns.take()?,
            description: columns.take()?,
            duration_sec: columns.take()?,
            end_time: columns.take::<Option<Timestamp>>()?.unwrap_or_default(),
            join_required: columns.take()?,
            max_size: columns.take()?,
            max_num_score: columns.take()?,
            title: columns.take()?,
            start_time: columns.take()?,
            enable_ranks: columns.take::<Option<bool>>()?.unwrap_or(true),
            size: columns.take()?,
        })
    }
}

macro_rules! boards {
    ($rest:literal) => {
        concat!(
            "select id, authoritative, sort_order, operator, reset_schedule, metadata, create_time, \
             category, description, duration, end_time, join_required, max_size, max_num_score, \
             title, start_time, enable_ranks, size from leaderboard",
            $rest
        )
    };
}

/// A board to be created. What is `None` is left to the table's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBoard {
    /// At most 128 characters.
    pub id: String,
    pub authoritative: bool,
    pub sort_order: SortOrder,
    pub operator: Operator,
    /// At most 64 characters.
    pub reset_schedule: Option<String>,
    /// A JSON object.
    pub metadata: String,
    pub enable_ranks: bool,
    pub tournament: Option<NewTournament>,
}

/// What a tournament has besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTournament {
    /// At most 255 characters.
    pub title: String,
    /// At most 255 characters.
    pub description: String,
    pub category: i32,
    /// Above 0.
    pub duration_sec: i32,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    pub join_required: bool,
    /// Above 0.
    pub max_size: i32,
    /// Above 0.
    pub max_num_score: Option<i32>,
}

/// Every board, oldest first.
pub async fn all(store: &Store) -> Result<Vec<BoardRecord>, StoreError> {
    let mut boards: Vec<BoardRecord> = Vec::new();
    loop {
        let after = boards.last().map(|board| (board.create_time, board.id.clone()));
        let batch: Vec<BoardRecord> = store
            .scan(async move |reader: &mut Reader<'_>| match &after {
                None => {
                    let sql = boards!(" order by create_time, id limit $1");
                    reader.all(sql, params![BATCH_LEN]).await
                }
                Some((time, id)) => {
                    let sql = boards!(
                        " where (create_time, id) > ($2, $3) order by create_time, id limit $1"
                    );
                    reader.all(sql, params![BATCH_LEN, *time, id]).await
                }
            })
            .await?;
        let whole = batch.len() as i64 == BATCH_LEN;
        boards.extend(batch);
        if !whole {
            return Ok(boards);
        }
    }
}

pub async fn one(store: &Store, id: &str) -> Result<Option<BoardRecord>, StoreError> {
    let id = id.to_owned();
    store
        .read(async move |reader: &mut Reader<'_>| {
            reader.optional(boards!(" where id = $1"), params![&id]).await
        })
        .await
}

/// How many are in each of these tournaments. Unknown ones are left out.
pub async fn sizes(store: &Store, ids: Vec<String>) -> Result<Vec<(String, i32)>, StoreError> {
    store
        .read(async move |reader: &mut Reader<'_>| {
            let sql = "select id, size from leaderboard where id {in $1}";
            reader.all(sql, params![ids.as_slice()]).await
        })
        .await
}

/// Creates a board, and yields it. `None` when there is one of this id, which stays as it is;
/// [`StoreError::Check`] when a text is too long.
pub async fn create(store: &Store, new: &NewBoard) -> Result<Option<BoardRecord>, StoreError> {
    let mut columns: Vec<(&str, Param<'_>)> = vec![
        ("id", Param::from(&new.id)),
        ("authoritative", Param::from(new.authoritative)),
        ("sort_order", Param::from(new.sort_order.number())),
        ("operator", Param::from(new.operator.number())),
        ("metadata", Param::json(&new.metadata)),
        ("enable_ranks", Param::from(new.enable_ranks)),
    ];
    if let Some(schedule) = &new.reset_schedule {
        columns.push(("reset_schedule", Param::from(schedule)));
    }
    if let Some(tournament) = &new.tournament {
        columns.extend([
            ("title", Param::from(&tournament.title)),
            ("description", Param::from(&tournament.description)),
            ("category", Param::from(tournament.category)),
            ("duration", Param::from(tournament.duration_sec)),
            ("join_required", Param::from(tournament.join_required)),
            ("max_size", Param::from(tournament.max_size)),
        ]);
        columns.extend(tournament.start_time.map(|time| ("start_time", Param::from(time))));
        columns.extend(tournament.end_time.map(|time| ("end_time", Param::from(time))));
        columns.extend(tournament.max_num_score.map(|most| ("max_num_score", Param::from(most))));
    }
    let (names, params): (Vec<&str>, Vec<Param<'_>>) = columns.into_iter().unzip();
    let places: Vec<String> = (1..=params.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "insert into leaderboard ({}, create_time) values ({}, {{now}}) on conflict (id) do nothing \
         returning id, authoritative, sort_order, operator, reset_schedule, metadata, create_time, \
         category, description, duration, end_time, join_required, max_size, max_num_score, title, \
         start_time, enable_ranks, size",
        names.join(", "),
        places.join(", "),
    );
    Ok(store.returning(sql, &params).await?.into_iter().next())
}

/// Deletes a board with all its records. False when there is none.
pub async fn delete(store: &Store, id: &str) -> Result<bool, StoreError> {
    Ok(store.execute("delete from leaderboard where id = $1", params![id]).await? > 0)
}

/// Does without ranks from now on. False when there is no such board.
pub async fn disable_ranks(store: &Store, id: &str) -> Result<bool, StoreError> {
    let sql = "update leaderboard set enable_ranks = false where id = $1";
    Ok(store.execute(sql, params![id]).await? > 0)
}
