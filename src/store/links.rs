//! What an account signs in by: devices in `user_device`, the others in columns of `users`.

use super::{database::Store, error::StoreError, tx::Tx};
use crate::{ids::UserId, params};

/// A key that stands in a column of `users`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    Apple,
    Custom,
    Email,
    Facebook,
    FacebookInstantGame,
    GameCenter,
    Google,
    Steam,
}

impl LinkKind {
    const ALL: [Self; 8] = [
        Self::Apple,
        Self::Custom,
        Self::Email,
        Self::Facebook,
        Self::FacebookInstantGame,
        Self::GameCenter,
        Self::Google,
        Self::Steam,
    ];

    fn column(self) -> &'static str {
        match self {
            Self::Apple => "apple_id",
            Self::Custom => "custom_id",
            Self::Email => "email",
            Self::Facebook => "facebook_id",
            Self::FacebookInstantGame => "facebook_instant_game_id",
            Self::GameCenter => "gamecenter_id",
            Self::Google => "google_id",
            Self::Steam => "steam_id",
        }
    }
}

/// How linking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    Yes,
    /// Another account has this key.
    InUse,
    /// There is no such account.
    NoAccount,
}

/// Sets an account's key of a kind, in place of the one it had. For email, see [`link_email`].
pub async fn link(
    store: &Store,
    user: UserId,
    kind: LinkKind,
    key: &str,
) -> Result<Linked, StoreError> {
    let column = kind.column();
    let sql = format!("update users set {column} = $2, update_time = {{now}} where id = $1");
    linked(store.execute(sql, params![user, key]).await)
}

/// Sets an account's email address (in lower case) and the hash of its password.
pub async fn link_email(
    store: &Store,
    user: UserId,
    address: &str,
    password: &[u8],
) -> Result<Linked, StoreError> {
    let sql = "update users set email = $2, password = $3, update_time = {now} where id = $1";
    linked(store.execute(sql, params![user, address, password]).await)
}

fn linked(result: Result<u64, StoreError>) -> Result<Linked, StoreError> {
    match result {
        Ok(0) => Ok(Linked::NoAccount),
        Ok(_) => Ok(Linked::Yes),
        Err(StoreError::Unique(_)) => Ok(Linked::InUse),
        Err(error) => Err(error),
    }
}

/// Adds a device to an account. A device that the account has already is no error.
pub async fn link_device(
    store: &Store,
    user: UserId,
    device_id: String,
) -> Result<Linked, StoreError> {
    store
        .write(async move |tx: &mut Tx<'_>| {
            let sql = "update users set update_time = {now} where id = $1";
            if tx.execute(sql, params![user]).await? == 0 {
                return Ok(Linked::NoAccount);
            }
            let sql = "insert into user_device (id, user_id) values ($1, $2) \
                       on conflict (id) do nothing";
            if tx.execute(sql, params![&device_id, user]).await? == 1 {
                return Ok(Linked::Yes);
            }
            let sql = "select user_id from user_device where id = $1";
            let owner: Option<(UserId,)> = tx.optional(sql, params![&device_id]).await?;
            if owner == Some((user,)) { Ok(Linked::Yes) } else { Err(Refusal::InUse) }
        })
        .await
        .or_else(Refusal::into_linked)
}

/// Why a link transaction is rolled back.
enum Refusal {
    InUse,
    Store(StoreError),
}

impl Refusal {
    fn into_linked(self) -> Result<Linked, StoreError> {
        match self {
            Self::InUse => Ok(Linked::InUse),
            Self::Store(error) => Err(error),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Takes a key of a kind from an account: that one, or whichever it has. `false` if the account does
/// not have it or would be left without any.
pub async fn unlink(
    store: &Store,
    user: UserId,
    kind: LinkKind,
    key: Option<&str>,
) -> Result<bool, StoreError> {
    let column = kind.column();
    let password = if kind == LinkKind::Email { ", password = null" } else { "" };
    let others = LinkKind::ALL
        .iter()
        .filter(|other| **other != kind)
        .map(|other| format!("{} is not null", other.column()))
        .collect::<Vec<_>>()
        .join(" or ");
    let sql = format!(
        "update users set {column} = null{password}, update_time = {{now}} \
         where id = $1 and ($2 is null or {column} = $2) \
         and ({others} or exists (select 1 from user_device where user_id = $1))"
    );
    Ok(store.execute(sql, params![user, key]).await? > 0)
}

/// Takes a device from an account. `false` if the account does not have it or would be left without
/// any key.
pub async fn unlink_device(
    store: &Store,
    user: UserId,
    device_id: String,
) -> Result<bool, StoreError> {
    store
        .write(async move |tx: &mut Tx<'_>| {
            // Holds the account's row, so that two unlinks cannot each count on the other's key.
            let held: Option<(UserId,)> = tx
                .optional("select id from users where id = $1 {for update}", params![user])
                .await?;
            if held.is_none() {
                return Ok(false);
            }
            let others = LinkKind::ALL
                .iter()
                .map(|other| format!("{} is not null", other.column()))
                .collect::<Vec<_>>()
                .join(" or ");
            let sql = format!(
                "delete from user_device where id = $2 and user_id = $1 and (\
                 exists (select 1 from users where id = $1 and ({others})) \
                 or exists (select 1 from user_device where user_id = $1 and id <> $2))"
            );
            if tx.execute(&sql, params![user, &device_id]).await? == 0 {
                return Ok(false);
            }
            let sql = "update users set update_time = {now} where id = $1";
            tx.execute(sql, params![user]).await?;
            Ok::<_, StoreError>(true)
        })
        .await
}
