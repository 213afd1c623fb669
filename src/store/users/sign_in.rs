//! Finding the account that signs in, and creating it the first time.

use super::identities::ExternalId;
use crate::{
    ids::UserId,
    params,
    store::{Columns, FromRow, Reader, Store, StoreError, Timestamp, Tx},
};

/// An account as sign-in needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    pub id: UserId,
    pub username: String,
    /// Set while the account is banned.
    pub disable_time: Timestamp,
}

/// An account that may have a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordUser {
    pub user: KnownUser,
    /// A bcrypt hash.
    pub password: Option<Vec<u8>>,
}

impl FromRow for KnownUser {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self { id: columns.take()?, username: columns.take()?, disable_time: columns.take()? })
    }
}

impl FromRow for PasswordUser {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self { user: KnownUser::from_row(columns)?, password: columns.take()? })
    }
}

const BY_DEVICE: &str = "select u.id, u.username, u.disable_time from user_device d \
                         join users u on u.id = d.user_id where d.id = $1";
const BY_ID: &str = "select id, username, disable_time from users where id = $1";
const BY_EMAIL: &str = "select id, username, disable_time, password from users where email = $1";
const BY_USERNAME: &str =
    "select id, username, disable_time, password from users where username = $1";

pub async fn by_device(store: &Store, device_id: &str) -> Result<Option<KnownUser>, StoreError> {
    let device_id = device_id.to_owned();
    store
        .read(async move |reader: &mut Reader<'_>| {
            reader.optional(BY_DEVICE, params![&device_id]).await
        })
        .await
}

pub async fn by_external(
    store: &Store,
    kind: ExternalId,
    id: &str,
) -> Result<Option<KnownUser>, StoreError> {
    let id = id.to_owned();
    store
        .read(async move |reader: &mut Reader<'_>| {
            reader.optional(kind.statements().find, params![&id]).await
        })
        .await
}

pub async fn by_id(store: &Store, id: UserId) -> Result<Option<KnownUser>, StoreError> {
    store.read(async move |reader: &mut Reader<'_>| reader.optional(BY_ID, params![id]).await).await
}

/// `email` in lower case.
pub async fn by_email(store: &Store, email: &str) -> Result<Option<PasswordUser>, StoreError> {
    with_password(store, BY_EMAIL, email).await
}

pub async fn by_username(store: &Store, name: &str) -> Result<Option<PasswordUser>, StoreError> {
    with_password(store, BY_USERNAME, name).await
}

async fn with_password(
    store: &Store,
    sql: &'static str,
    key: &str,
) -> Result<Option<PasswordUser>, StoreError> {
    let key = key.to_owned();
    store.read(async move |reader: &mut Reader<'_>| reader.optional(sql, params![&key]).await).await
}

/// Creates an account with a device. [`StoreError::Unique`] when the device or the username is taken;
/// nothing is left behind then.
pub async fn create_with_device(
    store: &Store,
    id: UserId,
    username: &str,
    device_id: &str,
) -> Result<(), StoreError> {
    let (username, device_id) = (username.to_owned(), device_id.to_owned());
    store
        .write(async move |tx: &mut Tx<'_>| {
            tx.execute(
                "insert into users (id, username, create_time, update_time) \
                 values ($1, $2, {now}, {now})",
                params![id, &username],
            )
            .await?;
            tx.execute(
                "insert into user_device (id, user_id) values ($1, $2)",
                params![&device_id, id],
            )
            .await?;
            Ok(())
        })
        .await
}

/// Creates an account with an id of another kind. [`StoreError::Unique`] as above.
pub async fn create_with_external(
    store: &Store,
    id: UserId,
    username: &str,
    kind: ExternalId,
    external_id: &str,
) -> Result<(), StoreError> {
    store.execute(kind.statements().create, params![id, username, external_id]).await.map(drop)
}

/// Creates an account with an email address, in lower case, and the hash of a password.
/// [`StoreError::Unique`] as above.
pub async fn create_with_email(
    store: &Store,
    id: UserId,
    username: &str,
    email: &str,
    password_hash: &[u8],
) -> Result<(), StoreError> {
    store
        .execute(
            "insert into users (id, username, email, password, create_time, update_time) \
             values ($1, $2, $3, $4, {now}, {now})",
            params![id, username, email, password_hash],
        )
        .await
        .map(drop)
}
