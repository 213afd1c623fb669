//! What operators do to accounts beyond what players may: any identifier, the wallet, and finding them.

use std::collections::BTreeMap;

use super::profiles::{self, ProfileChange, UserRecord, user_columns};
use crate::{
    ids::UserId,
    params,
    store::{Param, Reader, Store, StoreError, Timestamp, Tx},
};

/// What to change; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    pub profile: ProfileChange,
    /// Empty removes it.
    pub custom_id: Option<String>,
    /// In lower case; empty removes it, with the password.
    pub email: Option<String>,
    /// A hash.
    pub password: Option<Vec<u8>>,
    /// A JSON object of amounts.
    pub wallet: Option<String>,
    /// Devices by what becomes of them: empty removes them.
    pub devices: BTreeMap<String, String>,
}

/// Why an account was not changed. Nothing of it is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChangeFailure {
    /// Nothing would be left to sign in with.
    #[error("Cannot unlink {0} when there are no other identifiers.")]
    Last(&'static str),
    #[error("Device ID is already linked to a different user.")]
    NoDevice,
    #[error("Cannot set a password on an account with no email address.")]
    NoEmail,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes all of the changes or none.
pub async fn change(
    store: &Store,
    user: UserId,
    change: AccountChange,
) -> Result<(), ChangeFailure> {
    store.write(async move |tx: &mut Tx<'_>| change_in(tx, user, &change).await).await
}

async fn change_in(
    tx: &mut Tx<'_>,
    user: UserId,
    change: &AccountChange,
) -> Result<(), ChangeFailure> {
    // Whoever removes an identifier at the same time must not count on this one.
    let locked: Option<(UserId,)> =
        tx.optional("select id from users where id = $1 {for update}", params![user]).await?;
    if locked.is_none() {
        return Ok(());
    }
    profiles::change_in(tx, user, &change.profile).await?;
    for (column, text) in [("custom_id", &change.custom_id), ("email", &change.email)] {
        if let Some(text) = text {
            let sql =
                format!("update users set {column} = $2, update_time = {{now}} where id = $1");
            let value = if text.is_empty() { Param::Null } else { Param::from(text) };
            tx.execute(&sql, &[user.into(), value]).await?;
        }
    }
    if change.email.as_deref() == Some("") {
        tx.execute("update users set password = null where id = $1", params![user]).await?;
    }
    for (old, new) in &change.devices {
        let changed = if new.is_empty() {
            let sql = "delete from user_device where id = $2 and user_id = $1";
            tx.execute(sql, params![user, old]).await?
        } else {
            let sql = "update user_device set id = $3 where id = $2 and user_id = $1";
            tx.execute(sql, params![user, old, new]).await?
        };
        if changed == 0 {
            return Err(ChangeFailure::NoDevice);
        }
    }
    let removed = [
        (change.custom_id.as_deref() == Some(""), "custom ID"),
        (change.email.as_deref() == Some(""), "email address"),
        (change.devices.values().any(String::is_empty), "device ID"),
    ];
    if let Some((_, what)) = removed.iter().find(|(removed, _)| *removed)
        && !signs_in(tx, user).await?
    {
        return Err(ChangeFailure::Last(what));
    }
    if let Some(hash) = &change.password {
        let sql = "update users set password = $2, update_time = {now} \
                   where id = $1 and email is not null";
        if tx.execute(sql, params![user, hash.as_slice()]).await? == 0 {
            return Err(ChangeFailure::NoEmail);
        }
    }
    if let Some(wallet) = &change.wallet {
        let sql = "update users set wallet = $2, update_time = {now} where id = $1";
        tx.execute(sql, params![user, Param::json(wallet)]).await?;
    }
    if !change.devices.is_empty() {
        tx.execute("update users set update_time = {now} where id = $1", params![user]).await?;
    }
    Ok(())
}

/// Whether anything is left to sign in with.
async fn signs_in(tx: &mut Tx<'_>, user: UserId) -> Result<bool, StoreError> {
    let sql = "select count(*) from users u where u.id = $1 and (u.apple_id is not null \
               or u.custom_id is not null or u.facebook_id is not null \
               or u.facebook_instant_game_id is not null or u.gamecenter_id is not null \
               or u.google_id is not null or u.steam_id is not null or u.email is not null \
               or exists (select 1 from user_device d where d.user_id = u.id))";
    let left: (i64,) = tx.one(sql, params![user]).await?;
    Ok(left.0 > 0)
}

/// What an operator looks for among accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Everybody behind this id, in the order of ids.
    After(UserId),
    Id(UserId),
    /// A username or any other identifier.
    Named {
        name: String,
        display_names: bool,
    },
    /// A pattern with `%` of usernames and display names.
    Like {
        pattern: String,
        display_names: bool,
    },
}

/// At most `limit` accounts.
pub async fn find(
    store: &Store,
    filter: Filter,
    limit: usize,
) -> Result<Vec<UserRecord>, StoreError> {
    const SELECT: &str = concat!("select ", user_columns!(), " from users u where ");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    store
        .scan(async move |reader: &mut Reader<'_>| match &filter {
            Filter::After(id) => {
                let sql = format!("{SELECT} u.id > $1 order by u.id limit $2");
                reader.all(&sql, params![*id, limit]).await
            }
            Filter::Id(id) => reader.all(&format!("{SELECT} u.id = $1"), params![*id]).await,
            Filter::Named { name, display_names } => {
                let display = if *display_names { "or u.display_name = $1 " } else { "" };
                let sql = format!(
                    "{SELECT} u.username = $1 or u.email = $1 or u.custom_id = $1 \
                     or u.facebook_id = $1 or u.facebook_instant_game_id = $1 or u.google_id = $1 \
                     or u.gamecenter_id = $1 or u.steam_id = $1 or u.apple_id = $1 {display}\
                     or u.id in (select user_id from user_device where id = $1) \
                     order by u.id limit $2"
                );
                reader.all(&sql, params![name, limit]).await
            }
            Filter::Like { pattern, display_names } => {
                let display = if *display_names { "or u.display_name {like} $1 " } else { "" };
                let sql =
                    format!("{SELECT} u.username {{like}} $1 {display}order by u.id limit $2");
                reader.all(&sql, params![pattern, limit]).await
            }
        })
        .await
}

/// How many accounts there are, the system's own among them.
pub async fn count(store: &Store) -> Result<i64, StoreError> {
    let count: (i64,) = store
        .scan(async |reader: &mut Reader<'_>| reader.one("select count(*) from users", &[]).await)
        .await?;
    Ok(count.0)
}

/// What remains of deleted accounts: the one that is named or the oldest, at most `limit`, with when they
/// were deleted; and how many there are of them.
pub async fn tombstones(
    store: &Store,
    named: Option<UserId>,
    limit: usize,
) -> Result<(Vec<(UserId, Timestamp)>, i64), StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    store
        .scan(async move |reader: &mut Reader<'_>| {
            if let Some(user) = named {
                let sql = "select user_id, create_time from user_tombstone where user_id = $1";
                let found: Vec<(UserId, Timestamp)> = reader.all(sql, params![user]).await?;
                let count = found.len() as i64;
                return Ok((found, count));
            }
            let sql = "select user_id, create_time from user_tombstone \
                       order by create_time, user_id limit $1";
            let found = reader.all(sql, params![limit]).await?;
            let count: (i64,) = reader.one("select count(*) from user_tombstone", &[]).await?;
            Ok((found, count.0))
        })
        .await
}
