//! What operators do to accounts beyond what players may: any identifier and the wallet.

use std::collections::BTreeMap;

use super::profiles::{self, ProfileChange};
use crate::{
    ids::UserId,
    params,
    store::{Param, Store, StoreError, Tx},
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
        match changed {
            0 if new.is_empty() => return Err(ChangeFailure::Last("device ID")),
            0 => return Err(ChangeFailure::NoDevice),
            _ => {}
        }
    }
    let (custom_id, email) =
        (change.custom_id.as_deref() == Some(""), change.email.as_deref() == Some(""));
    let removed = [
        (custom_id && email, "both custom ID and email address"),
        (custom_id, "custom ID"),
        (email, "email address"),
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
