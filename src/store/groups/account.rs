//! What the deletion of an account does to its groups.

use super::super::{StoreError, locks, tx::Tx};
use crate::{
    ids::{GroupId, UserId},
    params,
};

/// Takes a user, who is being deleted and whose account is locked, out of every group. A group whose only
/// superadmin it was goes with it, whoever else is there.
///
/// Bans are one row, from the group; one of a user who is gone is in no list and in no count, and goes
/// with the group.
pub(in crate::store) async fn leave_all(tx: &mut Tx<'_>, user: UserId) -> Result<(), StoreError> {
    let of_user = "select destination_id from group_edge where source_id = $1";
    let groups: Vec<(GroupId,)> = tx.all(of_user, params![user]).await?;
    let groups: Vec<GroupId> = groups.into_iter().map(|(id,)| id).collect();
    if groups.is_empty() {
        return Ok(());
    }
    locks::groups(tx, &groups).await?;
    // What the groups look like from here on, for none of them changes any more.
    let orphaned: Vec<(GroupId,)> = tx
        .all(
            "select e.destination_id from group_edge e where e.source_id = $1 and e.state = 0 \
             and not exists (select 1 from group_edge o where o.source_id = e.destination_id \
             and o.state = 0 and o.destination_id <> $1)",
            params![user],
        )
        .await?;
    for (group,) in orphaned {
        super::delete(tx, group).await?;
    }
    // Requests to join are not counted as members.
    tx.execute(
        "update groups set edge_count = edge_count - 1, update_time = {now} where id in \
         (select destination_id from group_edge where source_id = $1 and state <= 2)",
        params![user],
    )
    .await?;
    tx.execute(
        "delete from group_edge where destination_id = $1 and source_id in \
         (select destination_id from group_edge where source_id = $1)",
        params![user],
    )
    .await?;
    tx.execute("delete from group_edge where source_id = $1", params![user]).await.map(drop)
}
