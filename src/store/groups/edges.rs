//! Reading and changing the edges between a group and users, in the transaction of the change.

use super::MemberState;
use crate::{
    ids::{GroupId, UserId},
    params,
    store::{Reader, StoreError, Tx},
};

/// How these users stand to the group; those who do not are left out.
pub async fn edges_of(
    tx: &mut Tx<'_>,
    group: GroupId,
    users: &[UserId],
) -> Result<Vec<(UserId, MemberState)>, StoreError> {
    let sql = "select destination_id, state from group_edge \
               where source_id = $1 and destination_id {in $2}";
    tx.all(sql, params![group, users]).await
}

/// How many superadmins and how many members in all the group has.
pub async fn members(tx: &mut Tx<'_>, group: GroupId) -> Result<(i64, i64), StoreError> {
    let sql = "select count(case when state = 0 then 1 end), count(*) from group_edge \
               where source_id = $1 and state >= 0 and state <= 2";
    tx.one(sql, params![group]).await
}

/// Those who may let others in.
pub async fn admins(reader: &mut Reader<'_>, group: GroupId) -> Result<Vec<UserId>, StoreError> {
    let sql = "select destination_id from group_edge \
               where source_id = $1 and state >= 0 and state <= 1";
    let found: Vec<(UserId,)> = reader.all(sql, params![group]).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// The names of these users.
pub async fn usernames(
    tx: &mut Tx<'_>,
    users: &[UserId],
) -> Result<Vec<(UserId, String)>, StoreError> {
    tx.all("select id, username from users where id {in $1}", params![users]).await
}

/// An edge to be inserted, from both sides.
#[derive(Clone, Copy, Debug)]
pub struct NewEdge {
    pub group: GroupId,
    pub user: UserId,
    pub state: MemberState,
    /// Where the edges stand in the lists of both: unique among the edges of each.
    pub position: i64,
}

/// Inserts the edges of a membership or a request. There must be none. [`StoreError::Unique`] of
/// [`super::POSITION_UNIQUE`] when the position is taken.
pub async fn insert(tx: &mut Tx<'_>, edge: NewEdge) -> Result<(), StoreError> {
    let sql = "insert into group_edge (source_id, destination_id, state, position, update_time) \
               values ($1, $2, $3, $4, {now}), ($2, $1, $3, $4, {now})";
    let NewEdge { group, user, state, position } = edge;
    tx.execute(sql, params![group.0, user.0, state as i16, position]).await.map(drop)
}

/// Inserts the one edge of a ban. There must be none. Errors as [`insert`].
pub async fn ban(
    tx: &mut Tx<'_>,
    (group, user): (GroupId, UserId),
    position: i64,
) -> Result<(), StoreError> {
    let sql = "insert into group_edge (source_id, destination_id, state, position, update_time) \
               values ($1, $2, 4, $3, {now})";
    tx.execute(sql, params![group, user, position]).await.map(drop)
}

/// Changes how a user stands to the group. Letting in shows as the time of the edges' change.
pub async fn set_state(
    tx: &mut Tx<'_>,
    (group, user): (GroupId, UserId),
    state: MemberState,
    lets_in: bool,
) -> Result<(), StoreError> {
    let sql = if lets_in {
        "update group_edge set state = $3, update_time = {now} \
         where (source_id = $1 and destination_id = $2) or (source_id = $2 and destination_id = $1)"
    } else {
        "update group_edge set state = $3 \
         where (source_id = $1 and destination_id = $2) or (source_id = $2 and destination_id = $1)"
    };
    tx.execute(sql, params![group.0, user.0, state as i16]).await.map(drop)
}

/// Removes the edges of both sides.
pub async fn remove(tx: &mut Tx<'_>, group: GroupId, user: UserId) -> Result<(), StoreError> {
    let sql = "delete from group_edge \
               where (source_id = $1 and destination_id = $2) or (source_id = $2 and destination_id = $1)";
    tx.execute(sql, params![group.0, user.0]).await.map(drop)
}
