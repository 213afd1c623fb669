//! Linking and unlinking what an account signs in with.

use super::{AccountError, Accounts};
use crate::{
    auth::{rules, sign_in::hash_password},
    ids::UserId,
    store::{
        StoreError,
        users::{ExternalId, identities},
    },
};

impl Accounts {
    pub async fn link_device(&self, user: UserId, device_id: &str) -> Result<(), AccountError> {
        rules::device_id(device_id)?;
        identities::link_device(&self.store, user, device_id).await.map_err(|error| match error {
            StoreError::Unique(_) => AccountError::InUse("Device ID already in use."),
            StoreError::ForeignKey(_) => AccountError::NotFound,
            other => other.into(),
        })
    }

    pub async fn link_custom(&self, user: UserId, custom_id: &str) -> Result<(), AccountError> {
        rules::linked_custom_id(custom_id)?;
        let linked =
            identities::link_external(&self.store, user, ExternalId::Custom, custom_id).await;
        linked_or(linked, "Custom ID is already in use.")
    }

    /// Sets address and password, also where the account has others.
    pub async fn link_email(
        &self,
        user: UserId,
        email: &str,
        password: &str,
    ) -> Result<(), AccountError> {
        if email.is_empty() || password.is_empty() {
            return Err(AccountError::Invalid("Email address and password is required."));
        }
        rules::linked_email(email, password)?;
        let hash = hash_password(password).await?;
        let email = email.to_lowercase();
        let linked = identities::link_email(&self.store, user, &email, hash.as_bytes()).await;
        linked_or(linked, "Email is already in use.")
    }

    pub async fn unlink_device(&self, user: UserId, device_id: &str) -> Result<(), AccountError> {
        if device_id.is_empty() {
            return Err(AccountError::Invalid("A device ID must be supplied."));
        }
        unlinked(identities::unlink_device(&self.store, user, device_id).await)
    }

    /// Without an id, whichever the account has.
    pub async fn unlink_custom(&self, user: UserId, custom_id: &str) -> Result<(), AccountError> {
        let kind = ExternalId::Custom;
        unlinked(identities::unlink_external(&self.store, user, kind, named(custom_id)).await)
    }

    /// Clears the id of a third party, whichever the account has.
    pub async fn unlink_external(
        &self,
        user: UserId,
        kind: ExternalId,
    ) -> Result<(), AccountError> {
        unlinked(identities::unlink_external(&self.store, user, kind, None).await)
    }

    /// Without an address, whichever the account has; the password goes with it.
    pub async fn unlink_email(&self, user: UserId, email: &str) -> Result<(), AccountError> {
        let email = email.to_lowercase();
        unlinked(identities::unlink_email(&self.store, user, named(&email)).await)
    }
}

fn named(id: &str) -> Option<&str> {
    (!id.is_empty()).then_some(id)
}

fn linked_or(linked: Result<bool, StoreError>, in_use: &'static str) -> Result<(), AccountError> {
    match linked {
        Ok(true) => Ok(()),
        Ok(false) => Err(AccountError::NotFound),
        Err(StoreError::Unique(_)) => Err(AccountError::InUse(in_use)),
        Err(other) => Err(other.into()),
    }
}

fn unlinked(unlinked: Result<bool, StoreError>) -> Result<(), AccountError> {
    if unlinked? { Ok(()) } else { Err(AccountError::NotUnlinked) }
}
