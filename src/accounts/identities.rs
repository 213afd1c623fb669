//! Linking and unlinking what an account signs in with.

use super::{AccountError, Accounts};
use crate::{
    auth::{rules, sign_in::hash_password},
    ids::UserId,
    store::{
        StoreError,
        users::{
            ExternalId,
            identities::{self, Which},
        },
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
        let email = rules::in_lower_case(email);
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
        unlinked(identities::unlink_external(&self.store, user, kind, which(custom_id)).await)
    }

    /// Without an address, whichever the account has; the password goes with it.
    pub async fn unlink_email(&self, user: UserId, email: &str) -> Result<(), AccountError> {
        let email = rules::in_lower_case(email);
        unlinked(identities::unlink_email(&self.store, user, which(&email)).await)
    }

    /// Clears the id of a third party, whichever the account has.
    pub async fn unlink_external(
        &self,
        user: UserId,
        kind: ExternalId,
    ) -> Result<(), AccountError> {
        unlinked(identities::unlink_external(&self.store, user, kind, Which::Any).await)
    }

    /// As an operator does it: what is not there cannot be unlinked.
    pub async fn unlink_held(&self, user: UserId, held: Held<'_>) -> Result<(), AccountError> {
        let store = &self.store;
        let unlinked = match held {
            Held::Device("") => return Err(AccountError::Invalid("Requires a valid device ID.")),
            Held::Device(id) => identities::unlink_device(store, user, id).await?,
            Held::Email => identities::unlink_email(store, user, Which::Held).await?,
            Held::External(kind) => {
                identities::unlink_external(store, user, kind, Which::Held).await?
            }
        };
        if unlinked { Ok(()) } else { Err(AccountError::LastIdentifier(held.name())) }
    }
}

/// An identifier that an operator unlinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held<'a> {
    Device(&'a str),
    Email,
    External(ExternalId),
}

impl Held<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Device(_) => "device ID",
            Self::Email => "email address",
            Self::External(kind) => match kind {
                ExternalId::Apple => "Apple ID",
                ExternalId::Custom => "custom ID",
                ExternalId::Facebook | ExternalId::FacebookInstantGame => "Facebook ID",
                ExternalId::GameCenter => "Game Center ID",
                ExternalId::Google => "Google ID",
                ExternalId::Steam => "Steam ID",
            },
        }
    }
}

fn which(id: &str) -> Which {
    if id.is_empty() { Which::Any } else { Which::Named(id.to_owned()) }
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
