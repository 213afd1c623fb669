//! What an account shows of itself.

use hashbrown::HashSet;

use crate::{
    ids::UserId,
    params,
    store::{Columns, FromRow, Param, Reader, Store, StoreError, Timestamp, Tx},
};

/// More users than this in one look-up are read apart from the shard.
const SHORT_LOOKUP_LEN: usize = 100;

/// An account as others see it.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRecord {
    pub id: UserId,
    pub username: String,
    pub display_name: Option<String>,
    pub avatar_url: Option<String>,
    pub lang_tag: String,
    pub location: Option<String>,
    pub timezone: Option<String>,
    /// A JSON object.
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

/// An account as its owner sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountRecord {
    pub user: UserRecord,
    /// A JSON object.
    pub wallet: String,
    pub email: Option<String>,
    pub custom_id: Option<String>,
    pub verify_time: Timestamp,
    pub disable_time: Timestamp,
    pub devices: Vec<String>,
}

macro_rules! user_columns {
    () => {
        "u.id, u.username, u.display_name, u.avatar_url, u.lang_tag, u.location, u.timezone, \
         u.metadata, u.apple_id, u.facebook_id, u.facebook_instant_game_id, u.google_id, \
         u.gamecenter_id, u.steam_id, u.edge_count, u.create_time, u.update_time"
    };
}
pub(in crate::store) use user_columns;

const ACCOUNT: &str = concat!(
    "select ",
    user_columns!(),
    ", u.wallet, u.email, u.custom_id, u.verify_time, u.disable_time, \
     {array id from user_device where user_id = u.id order by id} \
     from users u where u.id = $1",
);

/// The users that one list names. A list of one, as most are, is a plain comparison: SQLite builds a
/// table for `in`.
macro_rules! users_where {
    ($column:literal, $one:expr) => {
        if $one {
            concat!("select ", user_columns!(), " from users u where u.", $column, " = $1")
        } else {
            concat!("select ", user_columns!(), " from users u where u.", $column, " {in $1}")
        }
    };
}

impl FromRow for UserRecord {
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

impl FromRow for AccountRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            user: UserRecord::from_row(columns)?,
            wallet: columns.take()?,
            email: columns.take()?,
            custom_id: columns.take()?,
            verify_time: columns.take()?,
            disable_time: columns.take()?,
            devices: columns.take()?,
        })
    }
}

pub async fn account(store: &Store, user: UserId) -> Result<Option<AccountRecord>, StoreError> {
    store
        .read(async move |reader: &mut Reader<'_>| reader.optional(ACCOUNT, params![user]).await)
        .await
}

/// The accounts that any of the three lists names, each once, in no order.
pub async fn users(
    store: &Store,
    ids: Vec<UserId>,
    usernames: Vec<String>,
    facebook_ids: Vec<String>,
) -> Result<Vec<UserRecord>, StoreError> {
    let short = ids.len() + usernames.len() + facebook_ids.len() <= SHORT_LOOKUP_LEN;
    // Each list has an index of its own: a statement a list, instead of one that no planner likes.
    let steps = async move |reader: &mut Reader<'_>| {
        let mut found: Vec<UserRecord> = match ids.as_slice() {
            [] => Vec::new(),
            [id] => reader.all(users_where!("id", true), params![*id]).await?,
            ids => reader.all(users_where!("id", false), params![ids]).await?,
        };
        for (texts, one, many) in [
            (&usernames, users_where!("username", true), users_where!("username", false)),
            (&facebook_ids, users_where!("facebook_id", true), users_where!("facebook_id", false)),
        ] {
            let more: Vec<UserRecord> = match texts.as_slice() {
                [] => continue,
                [text] => reader.all(one, params![text]).await?,
                texts => reader.all(many, params![texts]).await?,
            };
            let known: HashSet<UserId> = found.iter().map(|user| user.id).collect();
            found.extend(more.into_iter().filter(|user| !known.contains(&user.id)));
        }
        Ok(found)
    };
    if short { store.read(steps).await } else { store.scan(steps).await }
}

/// What to change; `None` leaves a column as it is, an empty text clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// Never empty.
    pub username: Option<String>,
    pub display_name: Option<String>,
    pub timezone: Option<String>,
    pub location: Option<String>,
    pub lang_tag: Option<String>,
    pub avatar_url: Option<String>,
    /// A JSON object. Only scripts and the console change it.
    pub metadata: Option<String>,
}

/// Writes what differs; the update time moves only if something does. [`StoreError::Unique`] when the
/// username is another account's, [`StoreError::Check`] when a text is too long.
pub async fn change(store: &Store, user: UserId, change: &ProfileChange) -> Result<(), StoreError> {
    let Some((sql, params)) = statement(user, change) else { return Ok(()) };
    store.execute(sql, &params).await.map(drop)
}

/// The same within a transaction.
pub async fn change_in(
    tx: &mut Tx<'_>,
    user: UserId,
    change: &ProfileChange,
) -> Result<(), StoreError> {
    let Some((sql, params)) = statement(user, change) else { return Ok(()) };
    tx.execute(&sql, &params).await.map(drop)
}

/// The statement for exactly the columns that are named; `None` when there are none.
fn statement(user: UserId, change: &ProfileChange) -> Option<(String, Vec<Param<'_>>)> {
    let texts: [(&str, &Option<String>); 6] = [
        ("username", &change.username),
        ("display_name", &change.display_name),
        ("timezone", &change.timezone),
        ("location", &change.location),
        ("lang_tag", &change.lang_tag),
        ("avatar_url", &change.avatar_url),
    ];
    let texts = texts.into_iter().filter_map(|(column, text)| {
        let param = match text.as_deref()? {
            // The one text that is never null goes back to what a new account has.
            "" if column == "lang_tag" => Param::from("en"),
            "" => Param::Null,
            text => Param::from(text),
        };
        Some((column, param))
    });
    let metadata = change.metadata.iter().map(|json| ("metadata", Param::json(json)));

    let mut params = vec![Param::from(user)];
    let (mut sets, mut differs) = (String::new(), Vec::new());
    for (column, param) in texts.chain(metadata) {
        params.push(param);
        let n = params.len();
        sets.extend([", ", column, " = $", &n.to_string()]);
        differs.push(format!("{column} is distinct from ${n}"));
    }
    if differs.is_empty() {
        return None;
    }
    let differs = differs.join(" or ");
    let sql = format!("update users set update_time = {{now}}{sets} where id = $1 and ({differs})");
    Some((sql, params))
}
