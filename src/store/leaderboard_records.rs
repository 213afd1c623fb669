//! Table `leaderboard_record`.

use super::{error::StoreError, tx::Tx, value::Timestamp};
use crate::{ids::UserId, params};

/// Deletes all records of an owner; yields the leaderboard and expiry of each.
pub async fn delete_of_owner(
    tx: &mut Tx<'_>,
    owner: UserId,
) -> Result<Vec<(String, Timestamp)>, StoreError> {
    let sql = "delete from leaderboard_record where owner_id = $1 \
               returning leaderboard_id, expiry_time";
    tx.all(sql, params![owner]).await
}
