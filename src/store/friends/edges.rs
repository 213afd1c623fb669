//! Reading and changing edges, in the transaction of the change.

use super::FriendState;
use crate::{
    ids::UserId,
    params,
    store::{Param, StoreError, Tx},
};

/// An edge between a user and `other`, in one of the two directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    pub other: UserId,
    pub state: FriendState,
    /// What the edge's source noted of it, a JSON object.
    pub metadata: String,
}

/// The user's edges to these others.
pub async fn edges_from(
    tx: &mut Tx<'_>,
    user: UserId,
    others: &[UserId],
) -> Result<Vec<Edge>, StoreError> {
    let sql = "select destination_id, state, metadata from user_edge \
               where source_id = $1 and destination_id {in $2}";
    edges(tx, sql, user, others).await
}

/// The edges of these others to the user.
pub async fn edges_to(
    tx: &mut Tx<'_>,
    user: UserId,
    others: &[UserId],
) -> Result<Vec<Edge>, StoreError> {
    let sql = "select source_id, state, metadata from user_edge \
               where destination_id = $1 and source_id {in $2}";
    edges(tx, sql, user, others).await
}

async fn edges(
    tx: &mut Tx<'_>,
    sql: &str,
    user: UserId,
    others: &[UserId],
) -> Result<Vec<Edge>, StoreError> {
    let found: Vec<(UserId, FriendState, String)> = tx.all(sql, params![user, others]).await?;
    let edge = |(other, state, metadata)| Edge { other, state, metadata };
    Ok(found.into_iter().map(edge).collect())
}

/// A request to be friends, to be inserted.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub from: UserId,
    pub to: UserId,
    /// Where the edges stand in the lists of both: unique among the edges of each.
    pub position: i64,
    /// A JSON object, kept on the asker's edge.
    pub metadata: &'a str,
}

/// Inserts both edges of a request. There must be none. [`StoreError::Unique`] of [`super::POSITION_UNIQUE`] when
/// the position is taken.
pub async fn insert_request(tx: &mut Tx<'_>, request: Request<'_>) -> Result<(), StoreError> {
    let sql = "insert into user_edge \
               (source_id, destination_id, state, position, update_time, metadata) \
               values ($1, $2, 1, $3, {now}, $4), ($2, $1, 2, $3, {now}, '{}')";
    let Request { from, to, position, metadata } = request;
    tx.execute(sql, params![from, to, position, Param::json(metadata)]).await.map(drop)
}

/// Makes friends of two with a request; `metadata` is what `user`'s edge holds from now on.
pub async fn accept(
    tx: &mut Tx<'_>,
    (user, other): (UserId, UserId),
    metadata: &str,
) -> Result<(), StoreError> {
    let sql = "update user_edge set state = 0, update_time = {now}, metadata = $3 \
               where source_id = $1 and destination_id = $2";
    tx.execute(sql, params![user, other, Param::json(metadata)]).await?;
    let sql = "update user_edge set state = 0, update_time = {now} \
               where source_id = $1 and destination_id = $2";
    tx.execute(sql, params![other, user]).await.map(drop)
}

/// Makes a block of the user's edge to the other one.
pub async fn block(tx: &mut Tx<'_>, user: UserId, other: UserId) -> Result<(), StoreError> {
    let sql = "update user_edge set state = 3, update_time = {now} \
               where source_id = $1 and destination_id = $2";
    tx.execute(sql, params![user, other]).await.map(drop)
}

/// Inserts a block where there is no edge. Errors as [`insert_request`].
pub async fn insert_block(
    tx: &mut Tx<'_>,
    (user, other): (UserId, UserId),
    position: i64,
) -> Result<(), StoreError> {
    let sql = "insert into user_edge (source_id, destination_id, state, position, update_time) \
               values ($1, $2, 3, $3, {now})";
    tx.execute(sql, params![user, other, position]).await.map(drop)
}

/// Removes the edge from the one to the other.
pub async fn remove(tx: &mut Tx<'_>, from: UserId, to: UserId) -> Result<(), StoreError> {
    let sql = "delete from user_edge where source_id = $1 and destination_id = $2";
    tx.execute(sql, params![from, to]).await.map(drop)
}

/// Adds to the counts of edges; none falls below zero, wherever it came from.
pub async fn add_to_edge_counts(
    tx: &mut Tx<'_>,
    users: &[UserId],
    edges: i32,
) -> Result<(), StoreError> {
    if users.is_empty() || edges == 0 {
        return Ok(());
    }
    let sql = "update users set update_time = {now}, edge_count = \
               case when edge_count + $2 < 0 then 0 else edge_count + $2 end where id {in $1}";
    tx.execute(sql, params![users, edges]).await.map(drop)
}

/// Replaces what the user noted of the other one. False when there is no edge.
pub async fn set_metadata(
    tx: &mut Tx<'_>,
    (user, other): (UserId, UserId),
    metadata: &str,
) -> Result<bool, StoreError> {
    let sql = "update user_edge set metadata = $3 where source_id = $1 and destination_id = $2";
    Ok(tx.execute(sql, params![user, other, Param::json(metadata)]).await? > 0)
}
