//! Signing in: finding the account that an identifier belongs to, or creating it.
//!
//! Several first sign-ins with one identifier at the same time all get the one account.

use kakera_shards::{Rng, runtime::offload};
use uuid::Uuid;

use super::{AuthError, password, rules};
use crate::{
    ids::UserId,
    store::{
        Store, StoreError,
        users::{self, ExternalId, KnownUser, PasswordUser},
    },
};

/// How often a creation that collides with another one is tried before it is given up as contended.
const CREATE_ATTEMPTS_MAX: usize = 3;

/// Who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    pub user: UserId,
    pub username: String,
    /// Whether the account is new.
    pub created: bool,
}

/// Sign-in over the store of one shard. Cheap to clone.
#[derive(Clone)]
pub struct SignIn {
    store: Store,
    rng: Rng,
}

impl SignIn {
    pub fn new(store: Store, rng: Rng) -> Self {
        Self { store, rng }
    }

    /// By the id of a device. An empty `username` lets the server choose one for a new account.
    pub async fn device(
        &self,
        device_id: &str,
        username: &str,
        create: bool,
    ) -> Result<SignedIn, AuthError> {
        rules::device_id(device_id)?;
        chosen_username(username)?;
        self.find_or_create(
            username,
            create,
            async || users::sign_in::by_device(&self.store, device_id).await,
            async |id, name| {
                users::sign_in::create_with_device(&self.store, id, name, device_id).await
            },
        )
        .await
    }

    /// By an id of the game's own.
    pub async fn custom(
        &self,
        custom_id: &str,
        username: &str,
        create: bool,
    ) -> Result<SignedIn, AuthError> {
        rules::custom_id(custom_id)?;
        chosen_username(username)?;
        let kind = ExternalId::Custom;
        self.find_or_create(
            username,
            create,
            async || users::sign_in::by_external(&self.store, kind, custom_id).await,
            async |id, name| {
                users::sign_in::create_with_external(&self.store, id, name, kind, custom_id).await
            },
        )
        .await
    }

    /// By email address and password; with an empty address by username and password, which never
    /// creates an account.
    pub async fn email(
        &self,
        email: &str,
        password: &str,
        username: &str,
        create: bool,
    ) -> Result<SignedIn, AuthError> {
        if !email.is_empty() {
            rules::email(email)?;
        }
        rules::password(password)?;
        if email.is_empty() && username.is_empty() {
            return Err(AuthError::Invalid(
                "Username is required when email address is not supplied.",
            ));
        }
        chosen_username(username)?;
        if email.is_empty() {
            let found = users::sign_in::by_username(&self.store, username).await?;
            return check_password(found.ok_or(AuthError::AccountNotFound)?, password).await;
        }

        let email = rules::in_lower_case(email);
        let found = users::sign_in::by_email(&self.store, &email).await?;
        if let Some(found) = found {
            return check_password(found, password).await;
        }
        if !create {
            return Err(AuthError::AccountNotFound);
        }
        let hash = hash_password(password).await?;
        let signed_in = self
            .find_or_create(
                username,
                create,
                async || {
                    let found = users::sign_in::by_email(&self.store, &email).await?;
                    Ok(found.map(|found| found.user))
                },
                async |id, name| {
                    users::sign_in::create_with_email(
                        &self.store,
                        id,
                        name,
                        &email,
                        hash.as_bytes(),
                    )
                    .await
                },
            )
            .await?;
        if signed_in.created {
            return Ok(signed_in);
        }
        // Somebody was quicker with this address: it takes their password.
        let found = users::sign_in::by_email(&self.store, &email).await?;
        check_password(found.ok_or(AuthError::AccountNotFound)?, password).await
    }

    async fn find_or_create(
        &self,
        username: &str,
        create: bool,
        find: impl AsyncFn() -> Result<Option<KnownUser>, StoreError>,
        insert: impl AsyncFn(UserId, &str) -> Result<(), StoreError>,
    ) -> Result<SignedIn, AuthError> {
        let mut username_taken = false;
        for _ in 0..CREATE_ATTEMPTS_MAX {
            if let Some(known) = find().await? {
                return admit(known);
            }
            if !create {
                return Err(AuthError::AccountNotFound);
            }
            if username_taken {
                return Err(AuthError::UsernameTaken);
            }
            let user = UserId(uuid::Builder::from_random_bytes(self.rng.bytes_16()).into_uuid());
            let name = if username.is_empty() {
                rules::generated_username(self.rng.next_u64())
            } else {
                username.to_owned()
            };
            match insert(user, &name).await {
                Ok(()) => return Ok(SignedIn { user, username: name, created: true }),
                // Either somebody else was quicker with the same identifier, which the next look
                // will tell, or the name is another account's.
                Err(StoreError::Unique(constraint)) => {
                    username_taken = !username.is_empty() && &*constraint == users::USERNAME_UNIQUE;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Contended.into())
    }
}

/// An empty name is none chosen.
fn chosen_username(username: &str) -> Result<(), AuthError> {
    if username.is_empty() { Ok(()) } else { rules::username(username) }
}

fn admit(known: KnownUser) -> Result<SignedIn, AuthError> {
    if known.disable_time.is_set() {
        return Err(AuthError::Banned);
    }
    Ok(SignedIn { user: known.id, username: known.username, created: false })
}

async fn check_password(found: PasswordUser, password: &str) -> Result<SignedIn, AuthError> {
    let signed_in = admit(found.user)?;
    let stored = found.password.ok_or(AuthError::BadCredentials)?;
    let password = password.to_owned();
    if offload(move || password::matches(&password, &stored)).await? {
        Ok(signed_in)
    } else {
        Err(AuthError::BadCredentials)
    }
}

/// Hashes a new password off the core.
pub async fn hash_password(password: &str) -> Result<String, AuthError> {
    let password = password.to_owned();
    offload(move || password::hash(&password)).await?
}

/// A new random token id.
pub fn token_id(rng: &Rng) -> String {
    let id: Uuid = uuid::Builder::from_random_bytes(rng.bytes_16()).into_uuid();
    id.to_string()
}
