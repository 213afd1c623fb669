//! Who exists, who blocks whom, and who is in which group: what realtime calls ask before they act.

use super::{Reader, StoreError};
use crate::{
    ids::{GroupId, UserId},
    params,
};

/// The state of a user's edge to somebody it has blocked (`user_edge.state`).
const EDGE_BLOCKED: i64 = 3;

/// The highest state of a group's edge that makes a member (`group_edge.state`); above it are those who
/// asked to join and those who are banned.
const EDGE_MEMBER_MAX: i64 = 2;

/// Whether `user` exists and has not blocked `by`.
pub async fn exists_and_does_not_block(
    reader: &mut Reader<'_>,
    user: UserId,
    by: UserId,
) -> Result<bool, StoreError> {
    let sql = "select count(*) from users where id = $1 and not exists \
               (select 1 from user_edge where source_id = $1 and destination_id = $2 and state = $3)";
    let found: (i64,) = reader.one(sql, params![user, by, EDGE_BLOCKED]).await?;
    Ok(found.0 > 0)
}

/// Whether `user` is a member of the group, in whatever role.
pub async fn is_member(
    reader: &mut Reader<'_>,
    group: GroupId,
    user: UserId,
) -> Result<bool, StoreError> {
    let sql = "select count(*) from group_edge \
               where source_id = $1 and destination_id = $2 and state >= 0 and state <= $3";
    let found: (i64,) = reader.one(sql, params![group, user, EDGE_MEMBER_MAX]).await?;
    Ok(found.0 > 0)
}

/// Those of the users, named by id or by username, who exist. A user named twice may come twice.
pub async fn existing(
    reader: &mut Reader<'_>,
    ids: &[UserId],
    usernames: &[String],
) -> Result<Vec<UserId>, StoreError> {
    let mut found: Vec<(UserId,)> = Vec::new();
    if !ids.is_empty() {
        found = reader.all("select id from users where id {in $1}", params![ids]).await?;
    }
    if !usernames.is_empty() {
        let sql = "select id from users where username {in $1}";
        let named: Vec<(UserId,)> = reader.all(sql, params![usernames]).await?;
        found.extend(named);
    }
    Ok(found.into_iter().map(|(id,)| id).collect())
}
