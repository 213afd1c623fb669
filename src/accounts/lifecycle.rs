//! Bans and deletion.

use std::sync::Arc;

use super::{AccountError, Accounts, live::Disconnect};
use crate::{
    ids::UserId,
    store::{leaderboards::scores, see_through, users::lifecycle},
};

impl Accounts {
    /// Bans the accounts, ends their sessions and closes their sockets. Unknown ids are ignored.
    ///
    /// Where the sessions could not be ended, the accounts are banned all the same, and what was issued
    /// before lives until it expires.
    pub async fn ban(&self, users: Vec<UserId>) -> Result<(), AccountError> {
        if users.contains(&UserId::NIL) {
            return Err(AccountError::SystemUser);
        }
        let this = self.clone();
        see_through("ban", async move {
            lifecycle::disable(&this.store, &users).await?;
            let ended = this.sessions.end_all(&users).await;
            this.live.disconnect(Arc::from(users), Disconnect::Banned).await;
            Ok(ended?)
        })
        .await
    }

    /// Lifts bans. Unknown ids are ignored.
    pub async fn unban(&self, users: &[UserId]) -> Result<(), AccountError> {
        Ok(lifecycle::enable(&self.store, users).await?)
    }

    /// Deletes the account and everything that hangs on it, ends its sessions and closes its sockets.
    /// With a tombstone its id is remembered. An account that is gone already is no error.
    pub async fn delete(&self, user: UserId, tombstone: bool) -> Result<(), AccountError> {
        if user == UserId::NIL {
            return Err(AccountError::SystemUser);
        }
        let this = self.clone();
        see_through("delete an account", async move {
            let periods = scores::periods_of(&this.store, user).await?;
            if lifecycle::delete(&this.store, user, tombstone).await? {
                this.leaderboards.forget_owner(user, &periods).await;
                let ended = this.sessions.end_all(&[user]).await;
                this.live.disconnect(Arc::from([user]), Disconnect::Deleted).await;
                ended?;
            }
            Ok(())
        })
        .await
    }
}
