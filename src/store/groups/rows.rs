//! Groups themselves.

use crate::{
    ids::{GroupId, UserId},
    params,
    store::{Columns, FromRow, Param, StoreError, Timestamp, Tx},
};

/// A group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRecord {
    pub id: GroupId,
    pub creator: UserId,
    pub name: String,
    pub description: Option<String>,
    pub avatar_url: Option<String>,
    pub lang_tag: String,
    /// A JSON object.
    pub metadata: String,
    /// Whether anybody may join without being let in.
    pub open: bool,
    pub edge_count: i32,
    pub max_count: i32,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

macro_rules! group_columns {
    () => {
        "g.id, g.creator_id, g.name, g.description, g.avatar_url, g.lang_tag, g.metadata, g.state, \
         g.edge_count, g.max_count, g.create_time, g.update_time"
    };
}
pub(super) use group_columns;

impl FromRow for GroupRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: columns.take()?,
            creator: columns.take()?,
            name: columns.take()?,
            description: columns.take()?,
            avatar_url: columns.take()?,
            lang_tag: columns.take()?,
            metadata: columns.take()?,
            open: columns.take::<i16>()? != 1,
            edge_count: columns.take()?,
            max_count: columns.take()?,
            create_time: columns.take()?,
            update_time: columns.take()?,
        })
    }
}

/// A group to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGroup {
    pub id: GroupId,
    pub creator: UserId,
    /// At most 255 characters.
    pub name: String,
    /// At most 255 characters.
    pub description: String,
    /// At most 512 characters.
    pub avatar_url: String,
    /// At most 18 characters.
    pub lang_tag: String,
    /// A JSON object.
    pub metadata: String,
    pub open: bool,
    /// At least 1.
    pub max_count: i32,
}

/// `groups.state` of an open group is 0, of a closed one 1.
fn state(open: bool) -> i16 {
    i16::from(!open)
}

/// Inserts a group that counts one member, whose edges are to follow. [`StoreError::Unique`] of
/// [`super::NAME_UNIQUE`] when the name is taken, [`StoreError::Check`] when a text is too long.
pub async fn create(tx: &mut Tx<'_>, group: &NewGroup) -> Result<GroupRecord, StoreError> {
    let sql = "insert into groups (id, creator_id, name, description, avatar_url, lang_tag, metadata, \
               state, edge_count, max_count, create_time, update_time) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, {now}, {now}) \
               returning id, creator_id, name, description, avatar_url, lang_tag, metadata, state, \
               edge_count, max_count, create_time, update_time";
    let NewGroup { id, creator, name, description, avatar_url, lang_tag, metadata, .. } = group;
    let params = params![
        *id,
        *creator,
        name,
        description,
        avatar_url,
        lang_tag,
        Param::json(metadata),
        state(group.open),
        group.max_count,
    ];
    tx.one(sql, params).await
}

/// The group; `None` when there is none, or it is disabled.
pub async fn get(tx: &mut Tx<'_>, group: GroupId) -> Result<Option<GroupRecord>, StoreError> {
    let sql = concat!(
        "select ",
        group_columns!(),
        " from groups g where g.id = $1 and g.disable_time = {epoch}"
    );
    tx.optional(sql, params![group]).await
}

/// What to change; `None` leaves a column as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupChange {
    pub name: Option<String>,
    pub lang_tag: Option<String>,
    /// An empty text clears it.
    pub description: Option<String>,
    /// An empty text clears it.
    pub avatar_url: Option<String>,
    pub open: Option<bool>,
    /// A JSON object. Only scripts and the console change this and the next ones.
    pub metadata: Option<String>,
    pub max_count: Option<i32>,
    pub creator: Option<UserId>,
}

/// Changes what is named; false when there is no such group, or it is disabled. Errors as [`create`], and
/// [`StoreError::Check`] when there are more members than the new `max_count`.
pub async fn change(
    tx: &mut Tx<'_>,
    group: GroupId,
    change: &GroupChange,
) -> Result<bool, StoreError> {
    let text = |text: &Option<String>| text.clone().map(Param::from);
    let clearable = |text: &Option<String>| {
        text.clone().map(|text| if text.is_empty() { Param::Null } else { Param::from(text) })
    };
    let columns = [
        ("name", text(&change.name)),
        ("lang_tag", text(&change.lang_tag)),
        ("description", clearable(&change.description)),
        ("avatar_url", clearable(&change.avatar_url)),
        ("state", change.open.map(|open| Param::from(state(open)))),
        ("metadata", change.metadata.clone().map(|json| Param::Json(json.into()))),
        ("max_count", change.max_count.map(Param::from)),
        ("creator_id", change.creator.map(Param::from)),
    ];
    let mut params = vec![Param::from(group)];
    let mut sql = String::from("update groups set update_time = {now}");
    for (column, param) in columns {
        let Some(param) = param else { continue };
        params.push(param);
        sql.extend([", ", column, " = $", &params.len().to_string()]);
    }
    sql.push_str(" where id = $1 and disable_time = {epoch}");
    Ok(tx.execute(&sql, &params).await? > 0)
}

/// Deletes the group with all edges of its members and of those who asked.
pub async fn delete(tx: &mut Tx<'_>, group: GroupId) -> Result<(), StoreError> {
    // The others' rows are found from the group's side, where the index is.
    let sql = "delete from group_edge where destination_id = $1 and source_id in \
               (select destination_id from group_edge where source_id = $1)";
    tx.execute(sql, params![group]).await?;
    tx.execute("delete from group_edge where source_id = $1", params![group]).await?;
    tx.execute("delete from groups where id = $1", params![group]).await.map(drop)
}

/// Adds to the count of members. The caller has made sure that it stays between 1 and the maximum;
/// [`StoreError::Check`] when it does not.
pub async fn add_to_edge_count(
    tx: &mut Tx<'_>,
    group: GroupId,
    members: i32,
) -> Result<(), StoreError> {
    let sql = "update groups set edge_count = edge_count + $2, update_time = {now} where id = $1";
    tx.execute(sql, params![group, members]).await.map(drop)
}
