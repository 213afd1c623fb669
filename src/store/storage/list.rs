//! Listing objects.

use super::{Authority, ObjectId, ObjectRecord, object_columns};
use crate::{
    ids::UserId,
    params,
    store::{Param, Reader, Store, StoreError},
};

/// Objects of a page that is read on the shard itself, where the store is embedded.
const SHORT_PAGE_LEN: usize = 10;

/// Which objects of a collection are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    All,
    /// One owner's.
    Owner(UserId),
}

/// Where a page begins: behind this object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub read: i32,
    pub key: String,
    pub owner: UserId,
}

macro_rules! select {
    ($where:literal) => {
        concat!("select ", object_columns!(), " from storage where ", $where)
    };
}

/// At most `limit` objects of a collection that may be read, by permission, key and owner.
pub async fn list(
    store: &Store,
    by: Authority,
    (collection, scope): (&str, Scope),
    limit: usize,
    after: Option<Page>,
) -> Result<Vec<ObjectRecord>, StoreError> {
    let collection = collection.to_owned();
    let steps = async move |reader: &mut Reader<'_>| {
        let (sql, values) = list_statement((&collection, scope), by, limit, after.as_ref());
        reader.all(sql, &values).await
    };
    if limit <= SHORT_PAGE_LEN { store.read(steps).await } else { store.scan(steps).await }
}

/// The statement of [`list`], for those who ask the database how it would go about it.
pub fn list_statement<'a>(
    (collection, scope): (&'a str, Scope),
    by: Authority,
    limit: usize,
    after: Option<&'a Page>,
) -> (&'static str, Vec<Param<'a>>) {
    let mut values =
        vec![Param::from(collection), Param::from(i64::try_from(limit).unwrap_or(i64::MAX))];
    let sql = match (scope, by) {
        (Scope::All, Authority::Server) => match after {
            None => select!("collection = $1 order by read, key, user_id limit $2"),
            Some(page) => {
                values.extend([page.read.into(), (&page.key).into(), page.owner.into()]);
                select!(
                    "collection = $1 and (read, key, user_id) > ($3, $4, $5) \
                     order by read, key, user_id limit $2"
                )
            }
        },
        (Scope::All, Authority::Player(_)) => match after {
            None => select!("collection = $1 and read = 2 order by key, user_id limit $2"),
            Some(page) => {
                values.extend([(&page.key).into(), page.owner.into()]);
                select!(
                    "collection = $1 and read = 2 and (key, user_id) > ($3, $4) \
                     order by key, user_id limit $2"
                )
            }
        },
        (Scope::Owner(owner), by) => {
            values.push(owner.into());
            // Others see what is public; owners all but what only the server reads.
            let least = match by {
                Authority::Server => 0,
                Authority::Player(user) if user == owner => 1,
                Authority::Player(_) => 2,
            };
            // One lower bound, for SQLite seeks by one and looks at all that lie before the other.
            match after.filter(|page| page.read >= least) {
                None => {
                    values.push(least.into());
                    select!(
                        "collection = $1 and user_id = $3 and read >= $4 \
                         order by read, key limit $2"
                    )
                }
                Some(page) => {
                    values.extend([page.read.into(), (&page.key).into()]);
                    select!(
                        "collection = $1 and user_id = $3 and (read, key) > ($4, $5) \
                         order by read, key limit $2"
                    )
                }
            }
        }
    };
    (sql, values)
}

/// Everything of one owner, for an export.
pub async fn of_user(store: &Store, user: UserId) -> Result<Vec<ObjectRecord>, StoreError> {
    store
        .scan(async move |reader: &mut Reader<'_>| {
            reader.all(select!("user_id = $1 order by collection, key"), params![user]).await
        })
        .await
}

/// What an operator looks for; nothing named means everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    pub collection: Option<String>,
    pub key: Option<Key>,
    pub owner: Option<UserId>,
}

/// Which keys an operator looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Is(String),
    Begins(String),
}

/// At most `limit` objects that an operator looks for, without their values, by collection, key and
/// owner.
pub async fn search(
    store: &Store,
    what: Search,
    limit: usize,
    after: Option<ObjectId>,
) -> Result<Vec<ObjectRecord>, StoreError> {
    store
        .scan(async move |reader: &mut Reader<'_>| {
            let (sql, values) = search_statement(&what, limit, after.as_ref());
            reader.all(&sql, &values).await
        })
        .await
}

fn search_statement<'a>(
    what: &'a Search,
    limit: usize,
    after: Option<&'a ObjectId>,
) -> (String, Vec<Param<'a>>) {
    let mut values = vec![Param::from(i64::try_from(limit).unwrap_or(i64::MAX))];
    let mut conditions = Vec::new();
    let mut holds = |text: &str, value: Param<'a>| {
        values.push(value);
        conditions.push(text.replace('?', &format!("${}", values.len())));
    };
    if let Some(collection) = &what.collection {
        holds("collection = ?", collection.into());
    }
    match &what.key {
        None => {}
        Some(Key::Is(key)) => holds("key = ?", key.into()),
        Some(Key::Begins(key)) => holds("substr(key, 1, length(?)) = ?", key.into()),
    }
    if let Some(owner) = what.owner {
        holds("user_id = ?", owner.into());
    }
    if let Some(after) = after {
        values.extend([(&after.collection).into(), (&after.key).into(), after.owner.into()]);
        let n = values.len();
        conditions.push(format!("(collection, key, user_id) > (${}, ${}, ${n})", n - 2, n - 1));
    }
    let mut sql = String::from(
        "select collection, key, user_id, cast('' as text), version, read, write, create_time, \
         update_time from storage",
    );
    if !conditions.is_empty() {
        sql.push_str(" where ");
        sql.push_str(&conditions.join(" and "));
    }
    sql.push_str(" order by collection, key, user_id limit $1");
    (sql, values)
}

/// How many objects there are.
pub async fn count(store: &Store) -> Result<i64, StoreError> {
    let count: (i64,) = store
        .scan(async |reader: &mut Reader<'_>| reader.one("select count(*) from storage", &[]).await)
        .await?;
    Ok(count.0)
}

/// The names of the collections, in their order, each found by a step in the index.
pub async fn collections(store: &Store) -> Result<Vec<String>, StoreError> {
    let found: Vec<(String,)> = store
        .scan(async |reader: &mut Reader<'_>| {
            let sql = "with recursive t as (\
                       select min(collection) as collection from storage \
                       union all select (select min(s.collection) from storage s \
                       where s.collection > t.collection) from t where t.collection is not null) \
                       select collection from t where collection is not null";
            reader.all(sql, &[]).await
        })
        .await?;
    Ok(found.into_iter().map(|(collection,)| collection).collect())
}
