//! Accounts as operators look for them.

use super::profiles::{UserRecord, user_columns};
use crate::{
    ids::UserId,
    params,
    store::{Param, Reader, Store, StoreError, Timestamp},
};

/// Accounts that are found by a part of their display name.
const DISPLAY_NAMES_MAX: i64 = 100;
/// Bytes that a part of a display name has at least: the index knows three at a time.
const DISPLAY_NAME_PART_MIN: usize = 3;

/// What an operator looks for among accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Everybody behind this id, in the order of ids.
    After(UserId),
    Id(UserId),
    /// A username, any other identifier or an id; with `display_names` a part of a display name too.
    Named {
        name: String,
        display_names: bool,
    },
    /// A pattern with `%` of usernames, whatever the case.
    Like(String),
}

/// At most `limit` accounts; of those who are named all that are, and at most a hundred by their display
/// names.
pub async fn find(
    store: &Store,
    filter: Filter,
    limit: usize,
) -> Result<Vec<UserRecord>, StoreError> {
    store
        .scan(async move |reader: &mut Reader<'_>| {
            let (sql, values) = find_statement(&filter, limit);
            reader.all(&sql, &values).await
        })
        .await
}

/// The statement of [`find`], for those who ask the database how it would go about it.
pub fn find_statement(filter: &Filter, limit: usize) -> (String, Vec<Param<'_>>) {
    const SELECT: &str = concat!("select ", user_columns!(), " from users u where ");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match filter {
        Filter::After(id) => {
            (format!("{SELECT} u.id > $1 order by u.id limit $2"), vec![(*id).into(), limit.into()])
        }
        Filter::Id(id) => (format!("{SELECT} u.id = $1"), vec![(*id).into()]),
        Filter::Like(pattern) => {
            let sql = format!("{SELECT} u.username {{like}} $1 order by u.id limit $2");
            (sql, vec![pattern.into(), limit.into()])
        }
        Filter::Named { name, display_names } => named(SELECT, name, *display_names),
    }
}

/// Each column by its own index, and the accounts by their ids.
fn named<'a>(select: &str, name: &'a str, display_names: bool) -> (String, Vec<Param<'a>>) {
    let mut values = vec![Param::from(name)];
    let columns = [
        "username",
        "facebook_id",
        "google_id",
        "gamecenter_id",
        "steam_id",
        "custom_id",
        "facebook_instant_game_id",
        "apple_id",
        "email",
    ];
    let mut arms: Vec<String> =
        columns.iter().map(|column| format!("select id from users where {column} = $1")).collect();
    arms.push("select user_id from user_device where id = $1".to_owned());
    if display_names && name.len() >= DISPLAY_NAME_PART_MIN {
        let escaped = name.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        values.extend([Param::from(format!("%{escaped}%")), DISPLAY_NAMES_MAX.into()]);
        let part = "select id from (select id from users \
                    where display_name {like} $2 {escape} limit $3) d";
        arms.push(part.to_owned());
    }
    if let Ok(id) = name.parse::<UserId>() {
        values.push(id.into());
        arms.push(format!("select id from users where id = ${}", values.len()));
    }
    (format!("{select} u.id in ({}) order by u.id", arms.join(" union ")), values)
}

/// What remains of deleted accounts: the one that is named or the oldest, at most `limit`, with when they
/// were deleted.
pub async fn tombstones(
    store: &Store,
    named: Option<UserId>,
    limit: usize,
) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    store
        .scan(async move |reader: &mut Reader<'_>| {
            if let Some(user) = named {
                let sql = "select user_id, create_time from user_tombstone where user_id = $1";
                return reader.all(sql, params![user]).await;
            }
            let sql = "select user_id, create_time from user_tombstone \
                       order by create_time, user_id limit $1";
            reader.all(sql, params![limit]).await
        })
        .await
}
