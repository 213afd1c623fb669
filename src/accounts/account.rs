//! One's own account.

use kakera_proto::{Timestamp, api};

use super::{AccountError, Accounts, users::shown};
use crate::{
    auth::rules,
    ids::UserId,
    store::{
        self, StoreError,
        users::{AccountRecord, ProfileChange, USERNAME_UNIQUE, profiles},
    },
};

impl Accounts {
    /// The account with everything that its owner may see.
    pub async fn get(&self, user: UserId) -> Result<api::Account, AccountError> {
        let record = profiles::account(&self.store, user).await?.ok_or(AccountError::NotFound)?;
        let online = self.live.online(vec![user]).await.first().copied().unwrap_or_default();
        Ok(whole(record, online))
    }

    /// Whether a change may be made of anybody's account.
    pub fn check(change: &ProfileChange) -> Result<(), AccountError> {
        if let Some(username) = &change.username {
            rules::username(username)?;
        }
        if *change == ProfileChange::default() {
            return Err(AccountError::Invalid("No fields to update."));
        }
        Ok(())
    }

    /// Changes what is named, and nothing where it is so already.
    pub async fn update(&self, user: UserId, change: &ProfileChange) -> Result<(), AccountError> {
        Self::check(change)?;
        profiles::change(&self.store, user, change).await.map_err(|error| match error {
            StoreError::Unique(name) if &*name == USERNAME_UNIQUE => AccountError::UsernameTaken,
            other => other.into(),
        })
    }
}

fn whole(record: AccountRecord, online: bool) -> api::Account {
    let AccountRecord { user, wallet, email, custom_id, verify_time, disable_time, devices } =
        record;
    let set = |time: store::Timestamp| time.is_set().then(|| seconds(time));
    api::Account {
        user: Some(shown(user, online)),
        wallet,
        email: email.unwrap_or_default(),
        devices: devices
            .into_iter()
            .map(|id| api::AccountDevice { id, ..Default::default() })
            .collect(),
        custom_id: custom_id.unwrap_or_default(),
        verify_time: set(verify_time),
        disable_time: set(disable_time),
    }
}

/// Clients see whole seconds.
pub(super) fn seconds(time: store::Timestamp) -> Timestamp {
    Timestamp { seconds: time.unix_sec(), nanos: 0 }
}
