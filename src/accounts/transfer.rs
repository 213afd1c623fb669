//! Accounts out of the server and into it, with everything that belongs to them.

use kakera_proto::{Timestamp, api, console};
use uuid::Uuid;

use super::{
    AccountError, Accounts,
    administer::{check_wallet, is_json_object},
};
use crate::{
    auth::rules,
    ids::UserId,
    storage::{ObjectDraft, ObjectId, shown},
    store::{
        self, StoreError,
        transfer::{self, Belongings, Import, NewAccount, NoticeRow, ScoreRow},
        users::USERNAME_UNIQUE,
        wallet::LedgerRecord,
    },
};

impl Accounts {
    /// The account with all that belongs to it alone; its friends, groups and messages are their modules'
    /// to add.
    pub async fn export(&self, user: UserId) -> Result<console::AccountExport, AccountError> {
        let account = self.get(user).await?;
        let Belongings { objects, scores, notices, ledger } =
            transfer::belongings(&self.store, user).await?;
        Ok(console::AccountExport {
            account: Some(account),
            objects: objects.into_iter().map(shown).collect(),
            leaderboard_records: scores.into_iter().map(|row| score(user, row)).collect(),
            notifications: notices.into_iter().map(notice).collect(),
            wallet_ledgers: ledger.into_iter().map(entry).collect(),
            ..console::AccountExport::default()
        })
    }

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
    data.objects.iter().map(object).collect()
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
        email: account.email.to_lowercase(),
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

fn told(time: store::Timestamp) -> Timestamp {
    Timestamp { seconds: time.unix_sec(), nanos: 0 }
}

fn score(owner: UserId, row: ScoreRow) -> api::LeaderboardRecord {
    api::LeaderboardRecord {
        leaderboard_id: row.leaderboard,
        owner_id: owner.to_string(),
        username: row.username,
        score: row.score,
        subscore: row.subscore,
        num_score: row.num_score,
        metadata: row.metadata,
        create_time: Some(told(row.create_time)),
        update_time: Some(told(row.update_time)),
        expiry_time: row.expiry_time.is_set().then(|| told(row.expiry_time)),
        rank: 0,
        max_num_score: u32::try_from(row.max_num_score).unwrap_or_default(),
    }
}

fn notice(row: NoticeRow) -> api::Notification {
    let sender = row.sender != UserId::NIL;
    api::Notification {
        id: row.id.to_string(),
        subject: row.subject,
        content: row.content,
        code: row.code,
        sender_id: if sender { row.sender.to_string() } else { String::new() },
        create_time: Some(told(row.create_time)),
        persistent: true,
    }
}

/// An entry of the ledger as it is shown to operators.
pub fn entry(record: LedgerRecord) -> console::WalletLedger {
    let LedgerRecord { id, user, changes, metadata, create_time, update_time } = record;
    let id: Uuid = id;
    console::WalletLedger {
        id: id.to_string(),
        user_id: user.to_string(),
        changeset: changes,
        metadata,
        create_time: Some(told(create_time)),
        update_time: Some(told(update_time)),
    }
}
