//! Accounts: a user with its devices and what only its owner sees. Over `users`, `user_device` and
//! `user_tombstone`.

use super::{
    database::Store,
    error::StoreError,
    group_edges, leaderboard_records,
    row::{Columns, FromRow},
    tx::{Reader, Tx},
    users::{self, Identity, USERNAME_KEY, User, user_columns},
    value::Timestamp,
};
use crate::{ids::UserId, params};

/// An account as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub user: User,
    /// JSON.
    pub wallet: String,
    pub email: Option<String>,
    pub custom_id: Option<String>,
    pub verify_time: Timestamp,
    pub disable_time: Timestamp,
    pub devices: Vec<String>,
}

impl FromRow for Account {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            user: User::from_row(columns)?,
            wallet: columns.take()?,
            email: columns.take()?,
            custom_id: columns.take()?,
            verify_time: columns.take()?,
            disable_time: columns.take()?,
            devices: columns.take()?,
        })
    }
}

macro_rules! select_account {
    ($where:literal) => {
        concat!(
            "select ",
            user_columns!(),
            ", u.wallet, u.email, u.custom_id, u.verify_time, u.disable_time, \
             {array id from user_device where user_id = u.id order by id} from users u where ",
            $where
        )
    };
}

/// An account by its user's id.
pub async fn by_id(reader: &mut Reader<'_>, id: UserId) -> Result<Option<Account>, StoreError> {
    reader.optional(select_account!("u.id = $1"), params![id]).await
}

/// Accounts by user ids, in no particular order. Unknown ones are left out.
pub async fn by_ids(reader: &mut Reader<'_>, ids: &[UserId]) -> Result<Vec<Account>, StoreError> {
    reader.all(select_account!("u.id {in $1}"), params![ids]).await
}

/// Accounts by device ids, in no particular order.
pub async fn by_devices(
    reader: &mut Reader<'_>,
    device_ids: &[String],
) -> Result<Vec<Account>, StoreError> {
    let sql = select_account!("u.id in (select user_id from user_device where id {in $1})");
    reader.all(sql, params![device_ids]).await
}

/// What a new account signs in by.
#[derive(Clone, Debug)]
pub enum SignInKey {
    Device(String),
    Custom(String),
    /// The address in lower case, and the password's bcrypt hash.
    Email {
        address: String,
        password: Vec<u8>,
    },
}

#[derive(Clone, Debug)]
pub struct NewAccount {
    pub id: UserId,
    pub username: String,
    pub key: SignInKey,
}

/// How a sign-up ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignUp {
    Created,
    /// Another sign-up with the same key was faster; this is its account. By email, the caller still
    /// has to check the password.
    Existing(Identity),
}

/// Creates an account. Of parallel first sign-ups with one key one creates it, and all get it.
///
/// A username that another account has is [`StoreError::Unique`] of [`USERNAME_KEY`].
pub async fn sign_up(store: &Store, account: NewAccount) -> Result<SignUp, StoreError> {
    let key = account.key.clone();
    let refused = match insert(store, account).await {
        Err(error @ StoreError::Unique(_)) => error,
        other => return other.map(|()| SignUp::Created),
    };
    // Whoever won has committed, or there would have been no conflict. The username is not asked
    // first: two sign-ups by one key mostly bring the same one.
    let existing = store
        .read(async move |reader: &mut Reader<'_>| match &key {
            SignInKey::Device(id) => users::by_device(reader, id).await,
            SignInKey::Custom(id) => users::by_custom_id(reader, id).await,
            SignInKey::Email { address, .. } => {
                Ok(users::by_email(reader, address).await?.map(|found| found.identity))
            }
        })
        .await?;
    existing.map(SignUp::Existing).ok_or(refused)
}

async fn insert(store: &Store, account: NewAccount) -> Result<(), StoreError> {
    let NewAccount { id, username, key } = account;
    match key {
        SignInKey::Device(device_id) => {
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
        SignInKey::Custom(custom_id) => {
            let sql = "insert into users (id, username, custom_id, create_time, update_time) \
                       values ($1, $2, $3, {now}, {now})";
            store.execute(sql, params![id, username, custom_id]).await.map(|_| ())
        }
        SignInKey::Email { address, password } => {
            let sql = "insert into users (id, username, email, password, create_time, update_time) \
                       values ($1, $2, $3, $4, {now}, {now})";
            store.execute(sql, params![id, username, address, password]).await.map(|_| ())
        }
    }
}

/// Whether a failed [`sign_up`] or update was refused because of the username.
pub fn is_username_taken(error: &StoreError) -> bool {
    error.is_unique(USERNAME_KEY)
}

/// What was deleted with an account, for those who keep ranks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Leaderboard and expiry of each record.
    pub records: Vec<(String, Timestamp)>,
}

/// Deletes an account with all that is its own, `None` if there is none. Friends' and groups' counts
/// stay right. With `tombstone` the id is remembered as deleted. The system user cannot be deleted.
pub async fn delete(
    tx: &mut Tx<'_>,
    id: UserId,
    tombstone: bool,
) -> Result<Option<Deleted>, StoreError> {
    if id == UserId::NIL {
        return Err(StoreError::Check("the system user cannot be deleted".into()));
    }
    tx.execute(
        "update users set edge_count = edge_count - 1, update_time = {now} \
         where id in (select source_id from user_edge where destination_id = $1)",
        params![id],
    )
    .await?;
    if tx.execute("delete from users where id = $1", params![id]).await? == 0 {
        return Ok(None);
    }
    let records = leaderboard_records::delete_of_owner(tx, id).await?;
    group_edges::leave_all(tx, id).await?;
    if tombstone {
        tx.execute(
            "insert into user_tombstone (user_id, create_time) values ($1, {now}) \
             on conflict (user_id) do nothing",
            params![id],
        )
        .await?;
    }
    Ok(Some(Deleted { records }))
}
