//! Table `users`: who somebody is.

use super::{
    error::StoreError,
    row::{Columns, FromRow},
    tx::{Reader, Tx},
    value::{Param, Timestamp},
};
use crate::{ids::UserId, params};

/// The unique constraint on usernames.
pub const USERNAME_KEY: &str = "users_username_key";

/// What a sign-in needs to know of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub id: UserId,
    pub username: String,
    /// Set (not the epoch) on a banned account.
    pub disable_time: Timestamp,
}

impl FromRow for Identity {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self { id: columns.take()?, username: columns.take()?, disable_time: columns.take()? })
    }
}

/// An account that may sign in by password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub identity: Identity,
    /// The bcrypt hash; `None` if the account has no password.
    pub password: Option<Vec<u8>>,
}

impl FromRow for Credentials {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self { identity: Identity::from_row(columns)?, password: columns.take()? })
    }
}

/// What others may see of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub display_name: Option<String>,
    pub avatar_url: Option<String>,
    pub lang_tag: String,
    pub location: Option<String>,
    pub timezone: Option<String>,
    /// JSON.
    pub metadata: String,
    pub apple_id: Option<String>,
    pub facebook_id: Option<String>,
    pub facebook_instant_game_id: Option<String>,
    pub google_id: Option<String>,
    pub gamecenter_id: Option<String>,
    pub steam_id: Option<String>,
    pub edge_count: i32,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

impl FromRow for User {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: columns.take()?,
            username: columns.take()?,
            display_name: columns.take()?,
            avatar_url: columns.take()?,
            lang_tag: columns.take()?,
            location: columns.take()?,
            timezone: columns.take()?,
            metadata: columns.take()?,
            apple_id: columns.take()?,
            facebook_id: columns.take()?,
            facebook_instant_game_id: columns.take()?,
            google_id: columns.take()?,
            gamecenter_id: columns.take()?,
            steam_id: columns.take()?,
            edge_count: columns.take()?,
            create_time: columns.take()?,
            update_time: columns.take()?,
        })
    }
}

/// The columns of [`User`], of a table called `u`.
macro_rules! user_columns {
    () => {
        "u.id, u.username, u.display_name, u.avatar_url, u.lang_tag, u.location, u.timezone, \
         u.metadata, u.apple_id, u.facebook_id, u.facebook_instant_game_id, u.google_id, \
         u.gamecenter_id, u.steam_id, u.edge_count, u.create_time, u.update_time"
    };
}
pub(super) use user_columns;

/// Finds the account of a device. One indexed query: it is the busiest of all.
pub async fn by_device(
    reader: &mut Reader<'_>,
    device_id: &str,
) -> Result<Option<Identity>, StoreError> {
    let sql = "select u.id, u.username, u.disable_time from user_device d \
               join users u on u.id = d.user_id where d.id = $1";
    reader.optional(sql, params![device_id]).await
}

/// Finds the account of a custom id.
pub async fn by_custom_id(
    reader: &mut Reader<'_>,
    custom_id: &str,
) -> Result<Option<Identity>, StoreError> {
    let sql = "select id, username, disable_time from users where custom_id = $1";
    reader.optional(sql, params![custom_id]).await
}

/// Finds the account of an email address, which is kept in lower case.
pub async fn by_email(
    reader: &mut Reader<'_>,
    email: &str,
) -> Result<Option<Credentials>, StoreError> {
    let sql = "select id, username, disable_time, password from users where email = $1";
    reader.optional(sql, params![email]).await
}

/// Finds the account of a username.
pub async fn by_username(
    reader: &mut Reader<'_>,
    username: &str,
) -> Result<Option<Credentials>, StoreError> {
    let sql = "select id, username, disable_time, password from users where username = $1";
    reader.optional(sql, params![username]).await
}

/// Finds an account by its id.
pub async fn by_id(reader: &mut Reader<'_>, id: UserId) -> Result<Option<Identity>, StoreError> {
    let sql = "select id, username, disable_time from users where id = $1";
    reader.optional(sql, params![id]).await
}

/// Which users to list: those that any of the three name. Bounds are the caller's.
#[derive(Clone, Debug, Default)]
pub struct UserQuery {
    pub ids: Vec<UserId>,
    pub usernames: Vec<String>,
    pub facebook_ids: Vec<String>,
}

/// Lists users, each once, in no particular order. Unknown ones are left out.
pub async fn list(reader: &mut Reader<'_>, query: &UserQuery) -> Result<Vec<User>, StoreError> {
    // Each list has its own unique index, and most calls use one list: three statements at most
    // instead of one that no planner likes.
    let mut found: Vec<User> = Vec::new();
    let mut add = |users: Vec<User>| {
        for user in users {
            if !found.iter().any(|known| known.id == user.id) {
                found.push(user);
            }
        }
    };
    if !query.ids.is_empty() {
        let sql = concat!("select ", user_columns!(), " from users u where u.id {in $1}");
        add(reader.all(sql, params![query.ids.as_slice()]).await?);
    }
    if !query.usernames.is_empty() {
        let sql = concat!("select ", user_columns!(), " from users u where u.username {in $1}");
        add(reader.all(sql, params![query.usernames.as_slice()]).await?);
    }
    if !query.facebook_ids.is_empty() {
        let sql = concat!("select ", user_columns!(), " from users u where u.facebook_id {in $1}");
        add(reader.all(sql, params![query.facebook_ids.as_slice()]).await?);
    }
    Ok(found)
}

/// The ids of usernames; unknown ones are left out.
pub async fn ids_of_usernames(
    reader: &mut Reader<'_>,
    usernames: &[String],
) -> Result<Vec<(String, UserId)>, StoreError> {
    reader.all("select username, id from users where username {in $1}", params![usernames]).await
}

/// Up to `count` users from a random place (`from`) in the order of ids.
pub async fn random(
    reader: &mut Reader<'_>,
    from: UserId,
    count: i64,
) -> Result<Vec<User>, StoreError> {
    let after =
        concat!("select ", user_columns!(), " from users u where u.id > $1 order by u.id limit $2");
    let mut users: Vec<User> = reader.all(after, params![from, count]).await?;
    let rest = count - users.len() as i64;
    if rest > 0 {
        // Round the corner; the system user, whose id is nil, is nobody to be drawn.
        let before = concat!(
            "select ",
            user_columns!(),
            " from users u where u.id > $1 and u.id <= $2 order by u.id limit $3"
        );
        users.extend(reader.all::<User>(before, params![UserId::NIL, from, rest]).await?);
    }
    Ok(users)
}

/// Changes to an account. `None` leaves a field as it is; an empty text clears it (the language goes
/// back to `en`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserUpdate {
    pub username: Option<String>,
    pub display_name: Option<String>,
    pub avatar_url: Option<String>,
    pub lang_tag: Option<String>,
    pub location: Option<String>,
    pub timezone: Option<String>,
    /// JSON.
    pub metadata: Option<String>,
}

/// Updates an account, and its `update_time` if anything differs. Whether it did. A username that is
/// taken is [`StoreError::Unique`] of [`USERNAME_KEY`].
pub async fn update(tx: &mut Tx<'_>, id: UserId, update: &UserUpdate) -> Result<bool, StoreError> {
    let fields: [(&str, Option<Param<'_>>); 7] = [
        ("username", update.username.as_deref().map(Param::from)),
        ("display_name", update.display_name.as_deref().map(text_or_null)),
        ("avatar_url", update.avatar_url.as_deref().map(text_or_null)),
        (
            "lang_tag",
            update.lang_tag.as_deref().map(|tag| if tag.is_empty() { "en" } else { tag }.into()),
        ),
        ("location", update.location.as_deref().map(text_or_null)),
        ("timezone", update.timezone.as_deref().map(text_or_null)),
        ("metadata", update.metadata.as_deref().map(Param::json)),
    ];
    let mut set = String::from("update users set update_time = {now}");
    let mut differs = String::new();
    let mut values = vec![Param::from(id)];
    for (column, value) in fields {
        let Some(value) = value else { continue };
        values.push(value);
        let n = values.len();
        set.push_str(&format!(", {column} = ${n}"));
        let or = if differs.is_empty() { "" } else { " or " };
        differs.push_str(&format!("{or}{column} is distinct from ${n}"));
    }
    if differs.is_empty() {
        return Ok(false);
    }
    let sql = format!("{set} where id = $1 and ({differs})");
    Ok(tx.execute(&sql, &values).await? > 0)
}

fn text_or_null(text: &str) -> Param<'_> {
    if text.is_empty() { Param::Null } else { text.into() }
}

/// Bans accounts from now on; those that were banned keep their time. How many it changed.
pub async fn ban(tx: &mut Tx<'_>, ids: &[UserId]) -> Result<u64, StoreError> {
    let sql = "update users set disable_time = {now} where id {in $1} and disable_time = {epoch}";
    tx.execute(sql, params![ids]).await
}

/// Lifts bans. How many it changed.
pub async fn unban(tx: &mut Tx<'_>, ids: &[UserId]) -> Result<u64, StoreError> {
    let sql =
        "update users set disable_time = {epoch} where id {in $1} and disable_time <> {epoch}";
    tx.execute(sql, params![ids]).await
}
