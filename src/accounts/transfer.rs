//! Accounts into the server, with what belongs to them alone.

use kakera_proto::{Timestamp, api, console};

use super::{
    AccountError, Accounts,
    administer::{check_wallet, is_json_object},
};
use crate::{
    auth::rules,
    ids::UserId,
    storage::{ObjectDraft, ObjectId},
    store::{
        self, StoreError,
        leaderboards::fences,
        transfer::{self, Import, NewAccount},
        users::USERNAME_UNIQUE,
    },
};

impl Accounts {
    /// Brings metadata, wallet and objects of an account to what an export says. With `create` the
    /// account must not be there yet, and is made with its id, names, identifiers and devices.
    ///
    /// What others have a part in (friends, groups, messages, records) and the history (ledger,
    /// notifications) are not imported, as in the reference.
    pub async fn import(
        &self,
        user: Option<UserId>,
        data: &console::AccountExport,
    ) -> Result<UserId, AccountError> {
        let missing = || AccountError::Invalid("An import needs an account.");
        let account = data.account.as_ref().ok_or_else(missing)?;
        let profile = account.user.as_ref().ok_or_else(missing)?;
        // The nil id stands for the one in the export, as in the reference.
        let user = user.filter(|user| *user != UserId::NIL);
        let id = match user {
            Some(user) => user,
            None => profile.id.parse().map_err(|_| AccountError::InvalidId(profile.id.clone()))?,
        };
        let or_empty = |text: &str| if text.is_empty() { "{}".to_owned() } else { text.to_owned() };
        let (metadata, wallet) = (or_empty(&profile.metadata), or_empty(&account.wallet));
        if !is_json_object(&metadata) {
            return Err(AccountError::Invalid("Metadata must be a valid JSON object."));
        }
        check_wallet(&wallet)?;
        let new = match user {
            None if id != UserId::NIL => Some(new_account(account, profile)?),
            Some(_) | None => None,
        };
        let import = Import { user: id, new, metadata, wallet, objects: objects(id, data)? };
        let found = transfer::import(&self.store, import).await.map_err(|error| match error {
            StoreError::Unique(name) => match &*name {
                USERNAME_UNIQUE => AccountError::UsernameTaken,
                "users_pkey" => AccountError::InUse("User identifier already exists."),
                _ => AccountError::InUse("An identifier or object stands twice."),
            },
            other => other.into(),
        })?;
        if found { Ok(id) } else { Err(AccountError::NotFound) }
    }
}

type TimedObject = (store::storage::ObjectWrite, store::Timestamp, store::Timestamp);

fn objects(owner: UserId, data: &console::AccountExport) -> Result<Vec<TimedObject>, AccountError> {
    let object = |object: &api::StorageObject| {
        let draft = ObjectDraft {
            id: ObjectId { collection: object.collection.clone(), key: object.key.clone(), owner },
            value: object.value.clone(),
            version: String::new(),
            read: Some(object.permission_read),
            write: Some(object.permission_write),
        };
        let mut write =
            draft.checked().map_err(|error| AccountError::Refused(error.to_string()))?;
        if !object.version.is_empty() {
            // Clients go on from the version that they know.
            write.version.clone_from(&object.version);
        }
        Ok((write, stored(object.create_time), stored(object.update_time)))
    };
    // What the server keeps for itself is no part of an account.
    let own = |object: &&api::StorageObject| {
        owner != UserId::NIL || !fences::COLLECTIONS.contains(&object.collection.as_str())
    };
    data.objects.iter().filter(own).map(object).collect()
}

fn new_account(account: &api::Account, user: &api::User) -> Result<NewAccount, AccountError> {
    rules::username(&user.username)?;
    Ok(NewAccount {
        username: user.username.clone(),
        display_name: user.display_name.clone(),
        avatar_url: user.avatar_url.clone(),
        lang_tag: user.lang_tag.clone(),
        location: user.location.clone(),
        timezone: user.timezone.clone(),
        email: rules::in_lower_case(&account.email),
        custom_id: account.custom_id.clone(),
        facebook_id: user.facebook_id.clone(),
        facebook_instant_game_id: user.facebook_instant_game_id.clone(),
        google_id: user.google_id.clone(),
        gamecenter_id: user.gamecenter_id.clone(),
        steam_id: user.steam_id.clone(),
        apple_id: user.apple_id.clone(),
        create_time: stored(user.create_time),
        update_time: stored(user.update_time),
        verify_time: stored(account.verify_time),
        disable_time: stored(account.disable_time),
        devices: account.devices.iter().map(|device| device.id.clone()).collect(),
    })
}

fn stored(time: Option<Timestamp>) -> store::Timestamp {
    store::Timestamp::from_unix_sec(time.map_or(0, |time| time.seconds))
}
