//! Linking and unlinking what an account signs in with. An account keeps at least one.

use crate::{
    ids::UserId,
    params,
    store::{Reader, Store, StoreError, Tx},
};

/// An id of an account that is a column of `users`, given by the game or by a third party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalId {
    Apple,
    Custom,
    Facebook,
    FacebookInstantGame,
    GameCenter,
    Google,
    Steam,
}

pub(super) struct Statements {
    pub find: &'static str,
    pub create: &'static str,
    link: &'static str,
    unlink: &'static str,
    unlink_named: &'static str,
    /// As operators do it: an id that is not there is not unlinked.
    unlink_held: &'static str,
}

macro_rules! statements {
    ($column:literal keeps $($other:literal)+) => {
        Statements {
            find: concat!("select id, username, disable_time from users where ", $column, " = $1"),
            create: concat!(
                "insert into users (id, username, ", $column, ", create_time, update_time) ",
                "values ($1, $2, $3, {now}, {now})",
            ),
            link: concat!(
                "update users set ", $column, " = $2, update_time = {now} where id = $1",
            ),
            unlink: concat!(
                "update users set ", $column, " = null, update_time = {now} where id = $1 ",
                "and (", $($other, " is not null or ",)+
                "exists (select 1 from user_device where user_id = $1))",
            ),
            unlink_named: concat!(
                "update users set ", $column, " = null, update_time = {now} where id = $1 ",
                "and (", $($other, " is not null or ",)+
                "exists (select 1 from user_device where user_id = $1)) and ", $column, " = $2",
            ),
            unlink_held: concat!(
                "update users set ", $column, " = null, update_time = {now} where id = $1 ",
                "and (", $($other, " is not null or ",)+
                "exists (select 1 from user_device where user_id = $1)) and ",
                $column, " is not null",
            ),
        }
    };
}

impl ExternalId {
    pub(super) fn statements(self) -> &'static Statements {
        match self {
            Self::Apple => {
                const {
                    &statements!("apple_id" keeps "custom_id" "facebook_id" "facebook_instant_game_id"
                    "gamecenter_id" "google_id" "steam_id" "email")
                }
            }
            Self::Custom => {
                const {
                    &statements!("custom_id" keeps "apple_id" "facebook_id" "facebook_instant_game_id"
                    "gamecenter_id" "google_id" "steam_id" "email")
                }
            }
            Self::Facebook => {
                const {
                    &statements!("facebook_id" keeps "apple_id" "custom_id" "facebook_instant_game_id"
                    "gamecenter_id" "google_id" "steam_id" "email")
                }
            }
            Self::FacebookInstantGame => {
                const {
                    &statements!("facebook_instant_game_id" keeps "apple_id" "custom_id" "facebook_id"
                    "gamecenter_id" "google_id" "steam_id" "email")
                }
            }
            Self::GameCenter => {
                const {
                    &statements!("gamecenter_id" keeps "apple_id" "custom_id" "facebook_id"
                    "facebook_instant_game_id" "google_id" "steam_id" "email")
                }
            }
            Self::Google => {
                const {
                    &statements!("google_id" keeps "apple_id" "custom_id" "facebook_id"
                    "facebook_instant_game_id" "gamecenter_id" "steam_id" "email")
                }
            }
            Self::Steam => {
                const {
                    &statements!("steam_id" keeps "apple_id" "custom_id" "facebook_id"
                    "facebook_instant_game_id" "gamecenter_id" "google_id" "email")
                }
            }
        }
    }
}

const EMAIL: Statements = statements!("email" keeps "apple_id" "custom_id" "facebook_id"
    "facebook_instant_game_id" "gamecenter_id" "google_id" "steam_id");

/// Sets the id; false when there is no such account. [`StoreError::Unique`] when another account has it.
pub async fn link_external(
    store: &Store,
    user: UserId,
    kind: ExternalId,
    id: &str,
) -> Result<bool, StoreError> {
    let linked = store.execute(kind.statements().link, params![user, id]).await?;
    Ok(linked > 0)
}

/// Which id is to be cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that there is, if any.
    Any,
    /// The one that there is; no change where there is none.
    Held,
    Named(String),
}

/// Clears the id, if it is the one that is meant, and something else is left to sign in with. False when
/// nothing was changed.
pub async fn unlink_external(
    store: &Store,
    user: UserId,
    kind: ExternalId,
    which: Which,
) -> Result<bool, StoreError> {
    store
        .write(async move |tx: &mut Tx<'_>| {
            Ok(unlink(tx, user, kind.statements(), &which).await? > 0)
        })
        .await
}

/// Two identifiers that are unlinked at once must not each count on the other one: the account is locked
/// first.
async fn unlink(
    tx: &mut Tx<'_>,
    user: UserId,
    statements: &Statements,
    which: &Which,
) -> Result<u64, StoreError> {
    if !lock(tx, user).await? {
        return Ok(0);
    }
    match which {
        Which::Any => tx.execute(statements.unlink, params![user]).await,
        Which::Held => tx.execute(statements.unlink_held, params![user]).await,
        Which::Named(id) => tx.execute(statements.unlink_named, params![user, id]).await,
    }
}

async fn lock(tx: &mut Tx<'_>, user: UserId) -> Result<bool, StoreError> {
    let sql = "select id from users where id = $1 {for update}";
    let locked: Option<(UserId,)> = tx.optional(sql, params![user]).await?;
    Ok(locked.is_some())
}

/// Sets address (in lower case) and password hash, as [`link_external`].
pub async fn link_email(
    store: &Store,
    user: UserId,
    email: &str,
    password_hash: &[u8],
) -> Result<bool, StoreError> {
    let linked = store
        .execute(
            "update users set email = $2, password = $3, update_time = {now} where id = $1",
            params![user, email, password_hash],
        )
        .await?;
    Ok(linked > 0)
}

/// Clears address and password, as [`unlink_external`].
pub async fn unlink_email(store: &Store, user: UserId, which: Which) -> Result<bool, StoreError> {
    store
        .write(async move |tx: &mut Tx<'_>| {
            let unlinked = unlink(tx, user, &EMAIL, &which).await?;
            if unlinked > 0 {
                tx.execute("update users set password = null where id = $1", params![user]).await?;
            }
            Ok(unlinked > 0)
        })
        .await
}

/// Adds a device; one that the account has already is no change. [`StoreError::Unique`] when another
/// account has it, [`StoreError::ForeignKey`] when there is no such account.
pub async fn link_device(store: &Store, user: UserId, device_id: &str) -> Result<(), StoreError> {
    let device_id = device_id.to_owned();
    store
        .write(async move |tx: &mut Tx<'_>| {
            if !has_device(tx, user, &device_id).await? {
                tx.execute(
                    "insert into user_device (id, user_id) values ($1, $2)",
                    params![&device_id, user],
                )
                .await?;
            }
            touch(tx, user).await
        })
        .await
}

async fn has_device(
    reader: &mut Reader<'_>,
    user: UserId,
    device_id: &str,
) -> Result<bool, StoreError> {
    let found: Option<(i64,)> = reader
        .optional(
            "select cast(1 as bigint) from user_device where id = $1 and user_id = $2",
            params![device_id, user],
        )
        .await?;
    Ok(found.is_some())
}

/// Removes a device of the account, if something else is left to sign in with. False when nothing was
/// changed.
pub async fn unlink_device(
    store: &Store,
    user: UserId,
    device_id: &str,
) -> Result<bool, StoreError> {
    let device_id = device_id.to_owned();
    store
        .write(async move |tx: &mut Tx<'_>| {
            if !lock(tx, user).await? {
                return Ok(false);
            }
            let unlinked = tx
                .execute(
                    "delete from user_device where id = $2 and user_id = $1 and (\
                     exists (select 1 from users where id = $1 and (apple_id is not null \
                       or custom_id is not null or facebook_id is not null \
                       or facebook_instant_game_id is not null or gamecenter_id is not null \
                       or google_id is not null or steam_id is not null or email is not null)) \
                     or exists (select 1 from user_device where user_id = $1 and id <> $2))",
                    params![user, &device_id],
                )
                .await?;
            if unlinked > 0 {
                touch(tx, user).await?;
            }
            Ok(unlinked > 0)
        })
        .await
}

async fn touch(tx: &mut Tx<'_>, user: UserId) -> Result<(), StoreError> {
    tx.execute("update users set update_time = {now} where id = $1", params![user]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whichever_is_unlinked_every_other_identity_keeps_the_account() {
        let kinds = [
            (ExternalId::Apple.statements(), "apple_id"),
            (ExternalId::Custom.statements(), "custom_id"),
            (ExternalId::Facebook.statements(), "facebook_id"),
            (ExternalId::FacebookInstantGame.statements(), "facebook_instant_game_id"),
            (ExternalId::GameCenter.statements(), "gamecenter_id"),
            (ExternalId::Google.statements(), "google_id"),
            (ExternalId::Steam.statements(), "steam_id"),
            (&EMAIL, "email"),
        ];
        for (statements, unlinked) in kinds {
            for sql in [statements.unlink, statements.unlink_named] {
                assert!(sql.contains(&format!(" set {unlinked} = null,")), "{sql}");
                assert!(
                    sql.contains("exists (select 1 from user_device where user_id = $1)"),
                    "{sql}"
                );
                for (_, other) in kinds {
                    let keeps = sql.contains(&format!("({other} is not null"))
                        || sql.contains(&format!(" {other} is not null"));
                    assert_eq!(keeps, other != unlinked, "{other} in: {sql}");
                }
            }
        }
    }
}
