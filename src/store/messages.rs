//! Table `message`: the history of channels.

use uuid::Uuid;

use super::{
    error::StoreError,
    row::{Columns, FromRow},
    tx::Tx,
    value::Timestamp,
};
use crate::{
    ids::{GroupId, StreamMode, UserId},
    params,
};

/// A stored message, without its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    pub id: Uuid,
    /// What it is about, by the protocol's numbers.
    pub code: i32,
    pub sender: UserId,
    pub username: String,
    /// A JSON object.
    pub content: String,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

impl FromRow for MessageRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: columns.take()?,
            code: columns.take()?,
            sender: columns.take()?,
            username: columns.take()?,
            content: columns.take()?,
            create_time: columns.take()?,
            update_time: columns.take()?,
        })
    }
}

/// What a group's channel will tell of a member: chosen before the transaction that changes the
/// membership, stored by it ([`insert_note`]), published after it. Retries of a transaction store the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupNote {
    pub id: Uuid,
    /// What happened, by the protocol's numbers.
    pub code: i16,
    pub group: GroupId,
    /// Whom it happened to, whoever did it.
    pub user: UserId,
    pub time: Timestamp,
}

/// Stores a note in the transaction of the change that it tells of. Yields the user's name, with which the
/// note is to be published; `None`, with nothing stored, where there is no such user.
pub async fn insert_note(tx: &mut Tx<'_>, note: &GroupNote) -> Result<Option<String>, StoreError> {
    let sql = "insert into message (id, code, sender_id, username, stream_mode, stream_subject, \
               stream_descriptor, stream_label, content, create_time, update_time) \
               select $1, $2, u.id, u.username, $3, $4, $5, '', '{}', $6, $6 from users u \
               where u.id = $7 returning username";
    let GroupNote { id, code, group, user, time } = note;
    let params = params![*id, *code, mode(StreamMode::GROUP)?, *group, Uuid::nil(), *time, *user];
    let named: Option<(String,)> = tx.optional(sql, params).await?;
    Ok(named.map(|(username,)| username))
}

fn mode(mode: StreamMode) -> Result<i16, StoreError> {
    let number = mode.to_wire().map(i16::from);
    number.ok_or_else(|| StoreError::statement("a stream of the server's own has no history"))
}
