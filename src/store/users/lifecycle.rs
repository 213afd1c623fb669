//! Bans and deletion.

use crate::{
    ids::UserId,
    params,
    store::{Store, StoreError, Tx, groups, leaderboards::scores, locks},
};

/// Bans the accounts from now on.
pub async fn disable(store: &Store, users: &[UserId]) -> Result<(), StoreError> {
    store
        .execute("update users set disable_time = {now} where id {in $1}", params![users])
        .await
        .map(drop)
}

/// Lifts their bans.
pub async fn enable(store: &Store, users: &[UserId]) -> Result<(), StoreError> {
    store
        .execute("update users set disable_time = {epoch} where id {in $1}", params![users])
        .await
        .map(drop)
}

/// How often a deletion locks the account and its friends anew because there are more friends by then.
const LOCK_ATTEMPTS: u32 = 16;

/// Deletes the account with everything that hangs on it, groups that only it led included; with a tombstone, its id is remembered.
/// False when there is no such account.
pub async fn delete(store: &Store, user: UserId, tombstone: bool) -> Result<bool, StoreError> {
    for attempt in 1..=LOCK_ATTEMPTS {
        if let Some(deleted) =
            delete_locked(store, user, tombstone, attempt == LOCK_ATTEMPTS).await?
        {
            return Ok(deleted);
        }
    }
    Err(StoreError::Contended)
}

/// `None` where new friends came in between, unless that is to be taken at the risk of waiting in a circle.
async fn delete_locked(
    store: &Store,
    user: UserId,
    tombstone: bool,
    at_any_rate: bool,
) -> Result<Option<bool>, StoreError> {
    store
        .write(async move |tx: &mut Tx<'_>| {
            if !locks::account_and_friends(tx, user).await? && !at_any_rate {
                return Ok(None);
            }
            // Nobody can become a friend from here on. The others' edges to the account go with it, so
            // their counts go down.
            tx.execute(
                "update users set edge_count = edge_count - 1 where edge_count > 0 \
                 and id in (select source_id from user_edge where destination_id = $1)",
                params![user],
            )
            .await?;
            let deleted = tx.execute("delete from users where id = $1", params![user]).await?;
            if deleted == 0 {
                return Ok(Some(false));
            }
            scores::delete_all(tx, user).await?;
            groups::account::leave_all(tx, user).await?;
            if tombstone {
                tx.execute(
                    "insert into user_tombstone (user_id) values ($1) \
                     on conflict (user_id) do nothing",
                    params![user],
                )
                .await?;
            }
            Ok(Some(true))
        })
        .await
}
