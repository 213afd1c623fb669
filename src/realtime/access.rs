//! What envelopes have to ask of the store before they are carried out.

use crate::{
    chat::{Access, ChatError},
    ids::UserId,
    status::Wanted,
    store::{Store, StoreError, relations},
};

/// Questions to the store. Clones are the same.
#[derive(Clone)]
pub(super) struct AccessCheck {
    store: Store,
}

impl AccessCheck {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Whether `me` may join a channel.
    pub(super) async fn channel(&self, me: UserId, access: Access) -> Result<(), ChatError> {
        let (allowed, otherwise) = match access {
            Access::Open => return Ok(()),
            Access::User(other) => {
                let ask = async move |reader: &mut crate::store::Reader<'_>| {
                    relations::exists_and_does_not_block(reader, other, me).await
                };
                (self.store.read(ask).await, ChatError::UserNotFound)
            }
            Access::Group(group) => {
                let ask = async move |reader: &mut crate::store::Reader<'_>| {
                    relations::is_member(reader, group, me).await
                };
                (self.store.read(ask).await, ChatError::GroupNotFound)
            }
        };
        match allowed {
            Ok(true) => Ok(()),
            Ok(false) => Err(otherwise),
            Err(error) => {
                tracing::error!(%error, "A channel's access could not be checked.");
                Err(ChatError::NotChecked(access.what()))
            }
        }
    }

    /// The users that a follow means; those who do not exist are left out.
    pub(super) async fn users(&self, wanted: Wanted) -> Result<Vec<UserId>, StoreError> {
        let ids: Vec<UserId> = wanted.users.into_iter().collect();
        let names: Vec<String> = wanted.usernames.into_iter().collect();
        self.store
            .read(async move |reader: &mut crate::store::Reader<'_>| {
                relations::existing(reader, &ids, &names).await
            })
            .await
    }
}
