//! Table `group_edge`: members of groups. Each membership is two rows, one from either side.

use uuid::Uuid;

use super::{error::StoreError, tx::Tx};
use crate::{ids::UserId, params};

/// Takes a user, who is being deleted, out of every group. A group whose only superadmin it was goes
/// with it.
pub(super) async fn leave_all(tx: &mut Tx<'_>, user: UserId) -> Result<(), StoreError> {
    let orphaned: Vec<(Uuid,)> = tx
        .all(
            "select e.destination_id from group_edge e where e.source_id = $1 and e.state = 0 \
             and not exists (select 1 from group_edge o where o.source_id = e.destination_id \
             and o.state = 0 and o.destination_id <> $1)",
            params![user],
        )
        .await?;
    if !orphaned.is_empty() {
        let ids: Vec<Uuid> = orphaned.into_iter().map(|(id,)| id).collect();
        // The other members' rows are found from the group's side, where the index is.
        tx.execute(
            "delete from group_edge where destination_id {in $1} and source_id in \
             (select destination_id from group_edge where source_id {in $1})",
            params![ids.as_slice()],
        )
        .await?;
        tx.execute("delete from group_edge where source_id {in $1}", params![ids.as_slice()])
            .await?;
        tx.execute("delete from groups where id {in $1}", params![ids.as_slice()]).await?;
    }
    // Requests to join (3) and bans (4) are not counted as members.
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
    tx.execute("delete from group_edge where source_id = $1", params![user]).await?;
    Ok(())
}
