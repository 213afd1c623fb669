//! Table `message`: the history of channels.

use uuid::Uuid;

use super::{
    Store,
    error::StoreError,
    row::{Columns, FromRow, Row},
    tx::{Reader, Tx},
    value::{Param, Timestamp},
};
use crate::{
    ids::{GroupId, StreamId, StreamMode, UserId},
    params,
};

/// Whether the sender ($3) is a member of the group ($2), in whatever role.
macro_rules! sender_is_member {
    () => {
        "exists (select 1 from group_edge where source_id = $2 and destination_id = $3 \
         and state >= 0 and state <= 2)"
    };
}

macro_rules! in_channel {
    () => {
        "stream_mode = $1 and stream_subject = $2 and stream_descriptor = $4 and stream_label = $5"
    };
}

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

/// Stores a new message. On a group's channel its sender must be a member: false, with nothing stored,
/// where it is not.
pub async fn insert(
    store: &Store,
    stream: &StreamId,
    message: &MessageRecord,
) -> Result<bool, StoreError> {
    macro_rules! insert {
        () => {
            "insert into message (stream_mode, stream_subject, sender_id, stream_descriptor, \
             stream_label, id, code, username, content, create_time, update_time) \
             select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11"
        };
    }
    let sql = match stream.mode {
        StreamMode::GROUP => concat!(insert!(), " where ", sender_is_member!()),
        _ => insert!(),
    };
    let MessageRecord { id, code, sender, username, content, create_time, update_time } = message;
    let params = params![
        mode(stream.mode)?,
        stream.subject,
        *sender,
        stream.subcontext,
        stream.label(),
        *id,
        *code,
        username,
        Param::json(content),
        *create_time,
        *update_time,
    ];
    Ok(store.execute(sql, params).await? > 0)
}

/// Replaces the content of the sender's own message; yields when that was created. `None`, with nothing
/// changed, where the channel has no such message of the sender's, or the sender is no longer a member of
/// the group whose channel it is.
pub async fn update(
    store: &Store,
    stream: &StreamId,
    message: &MessageRecord,
) -> Result<Option<Timestamp>, StoreError> {
    macro_rules! update {
        () => {
            concat!(
                "update message set update_time = $7, username = $8, content = $9 \
                 where id = $6 and sender_id = $3 and ",
                in_channel!()
            )
        };
    }
    let sql = match stream.mode {
        StreamMode::GROUP => {
            concat!(update!(), " and ", sender_is_member!(), " returning create_time")
        }
        _ => concat!(update!(), " returning create_time"),
    };
    let params = params![
        mode(stream.mode)?,
        stream.subject,
        message.sender,
        stream.subcontext,
        stream.label(),
        message.id,
        message.update_time,
        &message.username,
        Param::json(&message.content),
    ];
    let found: Vec<(Timestamp,)> = store.returning(sql, params).await?;
    Ok(found.first().map(|(created,)| *created))
}

/// Deletes the sender's own message; yields when it was created and last changed. `None` as for [`update`].
pub async fn remove(
    store: &Store,
    stream: &StreamId,
    id: Uuid,
    sender: UserId,
) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    macro_rules! remove {
        () => {
            concat!("delete from message where id = $6 and sender_id = $3 and ", in_channel!())
        };
    }
    let sql = match stream.mode {
        StreamMode::GROUP => {
            concat!(remove!(), " and ", sender_is_member!(), " returning create_time, update_time")
        }
        _ => concat!(remove!(), " returning create_time, update_time"),
    };
    let (subject, subcontext, label) = (stream.subject, stream.subcontext, stream.label());
    let params = params![mode(stream.mode)?, subject, sender, subcontext, label, id];
    let found: Vec<(Timestamp, Timestamp)> = store.returning(sql, params).await?;
    Ok(found.first().copied())
}

/// A place in a channel's history: the message before or after which a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub create_time: Timestamp,
    pub id: Uuid,
}

/// At most `limit` messages of a channel, beyond `from` or from the end: the oldest first where
/// `ascending`, else the newest. Walks the primary key.
pub async fn page(
    reader: &mut Reader<'_>,
    stream: &StreamId,
    from: Option<Place>,
    ascending: bool,
    limit: i64,
) -> Result<Vec<MessageRecord>, StoreError> {
    let sql = page_statement(from.is_some(), ascending);
    let (subject, subcontext, label) = (stream.subject, stream.subcontext, stream.label());
    let mode = mode(stream.mode)?;
    match from {
        None => reader.all(sql, params![mode, subject, subcontext, label, limit]).await,
        Some(Place { create_time, id }) => {
            let params = params![mode, subject, subcontext, label, limit, create_time, id];
            reader.all(sql, params).await
        }
    }
}

/// The statement of [`page`], for those who ask the database how it would go about it.
pub fn page_statement(beyond: bool, ascending: bool) -> &'static str {
    macro_rules! page {
        ($beyond:literal, $order:literal) => {
            concat!(
                "select id, code, sender_id, username, content, create_time, update_time \
                 from message where stream_mode = $1 and stream_subject = $2 \
                 and stream_descriptor = $3 and stream_label = $4",
                $beyond,
                " order by create_time ",
                $order,
                ", id ",
                $order,
                " limit $5"
            )
        };
    }
    match (beyond, ascending) {
        (false, true) => page!("", "asc"),
        (false, false) => page!("", "desc"),
        (true, true) => page!(" and (create_time, id) > ($6, $7)", "asc"),
        (true, false) => page!(" and (create_time, id) < ($6, $7)", "desc"),
    }
}

/// Messages that an export reads at once.
const BATCH_LEN: i64 = 10_000;

/// Everything that a user has sent and that is kept, with its channel, in no order that says anything.
pub async fn of_sender(
    reader: &mut Reader<'_>,
    sender: UserId,
) -> Result<Vec<(StreamId, MessageRecord)>, StoreError> {
    let sql = "select id, code, sender_id, username, content, create_time, update_time, \
               stream_mode, stream_subject, stream_descriptor, stream_label \
               from message where sender_id = $1 and id > $2 order by id limit $3";
    let read = |row: &Row| {
        let columns = &mut row.columns();
        let record = MessageRecord::from_row(columns)?;
        let mode = u8::try_from(columns.take::<i16>()?).map_err(StoreError::statement)?;
        let (subject, subcontext): (Uuid, Uuid) = (columns.take()?, columns.take()?);
        let label: String = columns.take()?;
        Ok::<_, StoreError>((
            StreamId::new(StreamMode::from_wire(mode), subject, subcontext, &label),
            record,
        ))
    };
    let mut found: Vec<(StreamId, MessageRecord)> = Vec::new();
    loop {
        let after = found.last().map_or(Uuid::nil(), |(_, record)| record.id);
        let rows = reader.rows(sql, params![sender, after, BATCH_LEN]).await?;
        for row in &rows {
            found.push(read(row)?);
        }
        if (rows.len() as i64) < BATCH_LEN {
            return Ok(found);
        }
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
