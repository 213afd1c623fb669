//! Table `notification`: what users were told and have not deleted.

use uuid::Uuid;

use super::{Columns, FromRow, Param, Reader, Store, StoreError, Timestamp, Tx};
use crate::{ids::UserId, params};

/// Rows that one statement inserts, largest first: few statements serve batches of every length.
const WIDTHS: [usize; 3] = [64, 8, 1];

/// Longer lists than this are read apart from the shard.
const SHORT_LIST_LEN: i64 = 100;

/// Columns of a row that are parameters of an insert.
const ROW_PARAMS: usize = 6;

/// A row to be inserted; the database says when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotification {
    pub id: Uuid,
    pub user: UserId,
    /// At most 255 characters.
    pub subject: String,
    /// A JSON object.
    pub content: String,
    pub code: i16,
    /// Nil where nobody sent it.
    pub sender: UserId,
}

/// A row as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationRecord {
    pub id: Uuid,
    pub subject: String,
    /// A JSON object.
    pub content: String,
    pub code: i32,
    /// Nil where nobody sent it.
    pub sender: UserId,
    pub create_time: Timestamp,
}

impl FromRow for NotificationRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: columns.take()?,
            subject: columns.take()?,
            content: columns.take()?,
            code: columns.take()?,
            sender: columns.take()?,
            create_time: columns.take()?,
        })
    }
}

/// Where a row stands among those of all users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub user: UserId,
    pub create_time: Timestamp,
    pub id: Uuid,
}

/// Which way a page goes from its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// A row with whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    pub user: UserId,
    pub record: NotificationRecord,
}

impl OwnedRecord {
    pub fn place(&self) -> Place {
        let NotificationRecord { id, create_time, .. } = self.record;
        Place { user: self.user, create_time, id }
    }
}

impl FromRow for OwnedRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self { user: columns.take()?, record: NotificationRecord::from_row(columns)? })
    }
}

/// Inserts all of the rows or none, with one time of creation. [`StoreError::ForeignKey`] when a user does
/// not exist, [`StoreError::Check`] when a subject is too long.
pub async fn insert(store: &Store, rows: Vec<NewNotification>) -> Result<(), StoreError> {
    let alone = WIDTHS.contains(&rows.len());
    if alone {
        return store.execute(insert_sql(rows.len()), &insert_params(&rows)).await.map(drop);
    }
    let steps = async move |tx: &mut Tx<'_>| {
        let mut rest = rows.as_slice();
        for width in WIDTHS {
            while let Some((batch, others)) = rest.split_at_checked(width) {
                tx.execute(&insert_sql(width), &insert_params(batch)).await?;
                rest = others;
            }
        }
        Ok(())
    };
    store.write(steps).await
}

fn insert_sql(rows: usize) -> String {
    let mut sql = String::from(
        "insert into notification (id, user_id, subject, content, code, sender_id, create_time) \
         values ",
    );
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=ROW_PARAMS {
            sql.extend(["$", &(row * ROW_PARAMS + column).to_string(), ", "]);
        }
        sql.push_str("{now})");
    }
    sql
}

fn insert_params(rows: &[NewNotification]) -> Vec<Param<'_>> {
    let mut params = Vec::with_capacity(rows.len() * ROW_PARAMS);
    for row in rows {
        params.extend([
            Param::from(row.id),
            Param::from(row.user),
            Param::from(&row.subject),
            Param::json(&row.content),
            Param::from(row.code),
            Param::from(row.sender),
        ]);
    }
    params
}

/// The user's notifications after this place, oldest first, at most `limit`.
pub async fn list(
    store: &Store,
    user: UserId,
    after: Option<(Timestamp, Uuid)>,
    limit: u32,
) -> Result<Vec<NotificationRecord>, StoreError> {
    macro_rules! listing {
        ($after:literal, $limit:literal) => {
            concat!(
                "select id, subject, content, code, sender_id, create_time from notification \
                 where user_id = $1",
                $after,
                " order by create_time, id limit ",
                $limit
            )
        };
    }
    let limit = i64::from(limit);
    let steps = async move |reader: &mut Reader<'_>| match after {
        None => reader.all(listing!("", "$2"), params![user, limit]).await,
        Some((time, id)) => {
            let sql = listing!(" and (create_time, id) > ($2, $3)", "$4");
            reader.all(sql, params![user, time, id, limit]).await
        }
    };
    if limit <= SHORT_LIST_LEN { store.read(steps).await } else { store.scan(steps).await }
}

/// Users in the order of their ids, the system user aside: at most `limit` after this one.
pub async fn users_after(
    store: &Store,
    after: UserId,
    limit: usize,
) -> Result<Vec<UserId>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let steps = async move |reader: &mut Reader<'_>| {
        let sql = "select id from users where id > $1 order by id limit $2";
        let found: Vec<(UserId,)> = reader.all(sql, params![after, limit]).await?;
        Ok(found.into_iter().map(|(id,)| id).collect())
    };
    store.scan(steps).await
}

macro_rules! owned {
    ($rest:literal) => {
        concat!(
            "select user_id, id, subject, content, code, sender_id, create_time from notification ",
            $rest
        )
    };
}

/// Notifications of one user or of all, in the order of user, time and id, or in the opposite one: at most
/// `limit` from a place on, itself left out.
pub async fn page(
    store: &Store,
    user: Option<UserId>,
    from: Option<(Place, Direction)>,
    limit: u32,
) -> Result<Vec<OwnedRecord>, StoreError> {
    let limit = i64::from(limit);
    let steps = async move |reader: &mut Reader<'_>| match (user, from) {
        (None, None) => {
            let sql = owned!("order by user_id, create_time, id limit $1");
            reader.all(sql, params![limit]).await
        }
        (Some(user), None) => {
            let sql = owned!("where user_id = $1 order by create_time, id limit $2");
            reader.all(sql, params![user, limit]).await
        }
        (None, Some((Place { user, create_time, id }, direction))) => {
            let sql = match direction {
                Direction::Forward => owned!(
                    "where (user_id, create_time, id) > ($1, $2, $3) \
                     order by user_id, create_time, id limit $4"
                ),
                Direction::Backward => owned!(
                    "where (user_id, create_time, id) < ($1, $2, $3) \
                     order by user_id desc, create_time desc, id desc limit $4"
                ),
            };
            reader.all(sql, params![user, create_time, id, limit]).await
        }
        (Some(user), Some((Place { create_time, id, .. }, direction))) => {
            let sql = match direction {
                Direction::Forward => owned!(
                    "where user_id = $1 and (create_time, id) > ($2, $3) \
                     order by create_time, id limit $4"
                ),
                Direction::Backward => owned!(
                    "where user_id = $1 and (create_time, id) < ($2, $3) \
                     order by create_time desc, id desc limit $4"
                ),
            };
            reader.all(sql, params![user, create_time, id, limit]).await
        }
    };
    store.scan(steps).await
}

/// The notification with this id, whoever it is for.
pub async fn by_id(store: &Store, id: Uuid) -> Result<Option<OwnedRecord>, StoreError> {
    let steps = async move |reader: &mut Reader<'_>| {
        reader.optional(owned!("where id = $1"), params![id]).await
    };
    store.read(steps).await
}

/// Deletes the notification with this id, whoever it is for.
pub async fn delete_by_id(store: &Store, id: Uuid) -> Result<(), StoreError> {
    store.execute("delete from notification where id = $1", params![id]).await.map(drop)
}

/// Deletes those of the notifications that are the user's.
pub async fn delete(store: &Store, user: UserId, ids: &[Uuid]) -> Result<(), StoreError> {
    let sql = "delete from notification where user_id = $1 and id {in $2}";
    store.execute(sql, params![user, ids]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_an_insert_has_parameters_of_its_own() {
        let sql = insert_sql(2);
        let values = sql.split_once("values ").map(|(_, values)| values);
        assert_eq!(
            values,
            Some("($1, $2, $3, $4, $5, $6, {now}), ($7, $8, $9, $10, $11, $12, {now})")
        );
    }
}
