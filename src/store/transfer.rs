//! What belongs to one account, into its tables.

use super::{Param, Store, StoreError, Timestamp, Tx, leaderboards::fences, storage::ObjectWrite};
use crate::{ids::UserId, params};

/// An account that is created by an import. Texts may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewAccount {
    pub username: String,
    pub display_name: String,
    pub avatar_url: String,
    pub lang_tag: String,
    pub location: String,
    pub timezone: String,
    pub email: String,
    pub custom_id: String,
    pub facebook_id: String,
    pub facebook_instant_game_id: String,
    pub google_id: String,
    pub gamecenter_id: String,
    pub steam_id: String,
    pub apple_id: String,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub verify_time: Timestamp,
    pub disable_time: Timestamp,
    pub devices: Vec<String>,
}

/// What an import writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub user: UserId,
    /// Absent where the account is there already.
    pub new: Option<NewAccount>,
    /// A JSON object.
    pub metadata: String,
    /// A JSON object of amounts.
    pub wallet: String,
    /// All objects that the account is going to have, with their times.
    pub objects: Vec<(ObjectWrite, Timestamp, Timestamp)>,
}

/// Writes the account and replaces its objects, or does nothing. False when there is no such account.
/// [`StoreError::Unique`] when an id, a name or a device is another account's.
pub async fn import(store: &Store, import: Import) -> Result<bool, StoreError> {
    store
        .write(async move |tx: &mut Tx<'_>| {
            let user = import.user;
            if let Some(new) = &import.new {
                create(tx, &import, new).await?;
            } else {
                let sql = "update users set metadata = $2, wallet = $3 where id = $1";
                let (metadata, wallet) =
                    (Param::json(&import.metadata), Param::json(&import.wallet));
                if tx.execute(sql, params![user, metadata, wallet]).await? == 0 {
                    return Ok(false);
                }
                let sql = "delete from storage where user_id = $1 \
                           and not (user_id = $2 and collection {in $3})";
                let server = fences::COLLECTIONS.map(str::to_owned).to_vec();
                tx.execute(sql, params![user, UserId::NIL, server]).await?;
            }
            let sql = "insert into storage (collection, key, user_id, value, version, read, write, \
                       create_time, update_time) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
            let rows: Vec<_> = import
                .objects
                .iter()
                .map(|(object, created, updated)| {
                    let values = vec![
                        (&object.id.collection).into(),
                        (&object.id.key).into(),
                        user.into(),
                        Param::json(&object.value),
                        (&object.version).into(),
                        object.read.into(),
                        object.write.into(),
                        (*created).into(),
                        (*updated).into(),
                    ];
                    (sql, values)
                })
                .collect();
            tx.pipeline(&rows).await?;
            Ok(true)
        })
        .await
}

async fn create(tx: &mut Tx<'_>, import: &Import, new: &NewAccount) -> Result<(), StoreError> {
    fn set(text: &str) -> Param<'_> {
        if text.trim().is_empty() { Param::Null } else { Param::from(text.trim()) }
    }
    // Of several things that are taken, the databases name different ones.
    let taken: Option<(UserId,)> =
        tx.optional("select id from users where id = $1", params![import.user]).await?;
    if taken.is_some() {
        return Err(StoreError::Unique("users_pkey".into()));
    }
    let lang_tag = if new.lang_tag.is_empty() { "en" } else { &new.lang_tag };
    let values = [
        import.user.into(),
        Param::from(&new.username),
        set(&new.display_name),
        set(&new.avatar_url),
        Param::from(lang_tag),
        set(&new.location),
        set(&new.timezone),
        Param::json(&import.metadata),
        Param::json(&import.wallet),
        set(&new.email),
        set(&new.custom_id),
        set(&new.facebook_id),
        set(&new.facebook_instant_game_id),
        set(&new.google_id),
        set(&new.gamecenter_id),
        set(&new.steam_id),
        set(&new.apple_id),
        new.create_time.into(),
        new.update_time.into(),
        new.verify_time.into(),
        new.disable_time.into(),
    ];
    let sql = "insert into users (id, username, display_name, avatar_url, lang_tag, location, \
               timezone, metadata, wallet, email, custom_id, facebook_id, \
               facebook_instant_game_id, google_id, gamecenter_id, steam_id, apple_id, \
               create_time, update_time, verify_time, disable_time) values ($1, $2, $3, $4, $5, \
               $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";
    tx.execute(sql, &values).await?;
    for device in &new.devices {
        let sql = "insert into user_device (id, user_id) values ($1, $2)";
        tx.execute(sql, params![device, import.user]).await?;
    }
    Ok(())
}
