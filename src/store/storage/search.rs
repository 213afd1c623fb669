//! Objects as operators look for them. What the server keeps there for itself is not shown, not taken along
//! and not deleted.

use super::{ObjectId, ObjectRecord, object_columns};
use crate::{
    ids::UserId,
    params,
    store::{Param, Reader, Store, StoreError, leaderboards::fences},
};

/// Objects that one statement deletes or exports.
const BATCH_LEN: i64 = 5_000;

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

/// Where a page of a search begins: behind this object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPage {
    pub id: ObjectId,
    pub read: i32,
}

/// At most `limit` objects that an operator looks for, without their values: by collection, permission,
/// key and owner; without the permission where a key is named.
pub async fn search(
    store: &Store,
    what: Search,
    limit: usize,
    after: Option<SearchPage>,
) -> Result<Vec<ObjectRecord>, StoreError> {
    store
        .scan(async move |reader: &mut Reader<'_>| {
            let (sql, values) = search_statement(&what, limit, after.as_ref());
            reader.all(&sql, &values).await
        })
        .await
}

/// The statement of [`search`], for those who ask the database how it would go about it.
pub fn search_statement<'a>(
    what: &'a Search,
    limit: usize,
    after: Option<&'a SearchPage>,
) -> (String, Vec<Param<'a>>) {
    let mut values = vec![
        Param::from(i64::try_from(limit).unwrap_or(i64::MAX)),
        UserId::NIL.into(),
        server_collections(),
    ];
    let mut conditions = vec!["not (user_id = $2 and collection {in $3})".to_owned()];
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
    // Columns that the search holds to one value are left out, so that the database sees where in its
    // index the page begins.
    let columns = match (&what.collection, &what.key, what.owner) {
        (None, None, _) => "collection, read, key, user_id",
        (None, Some(_), _) => "collection, key, user_id",
        (Some(_), None, None) => "read, key, user_id",
        (Some(_), None, Some(_)) => "read, key",
        (Some(_), Some(Key::Is(_)), None) => "user_id",
        (Some(_), Some(Key::Begins(_)), None) => "key, user_id",
        (Some(_), Some(_), Some(_)) => "key",
    };
    if let Some(SearchPage { id, read }) = after {
        let mut places = Vec::new();
        for column in columns.split(", ") {
            values.push(match column {
                "collection" => (&id.collection).into(),
                "read" => (*read).into(),
                "key" => (&id.key).into(),
                _ => id.owner.into(),
            });
            places.push(format!("${}", values.len()));
        }
        let places = places.join(", ");
        conditions.push(if columns.contains(',') {
            format!("({columns}) > ({places})")
        } else {
            format!("{columns} > {places}")
        });
    }
    let sql = format!(
        "select collection, key, user_id, cast('' as text), version, read, write, create_time, \
         update_time from storage where {} order by {columns} limit $1",
        conditions.join(" and ")
    );
    (sql, values)
}

fn server_collections() -> Param<'static> {
    fences::COLLECTIONS.map(str::to_owned).to_vec().into()
}

/// The names of the collections, in their order, each found by a step in the index.
pub async fn collections(store: &Store) -> Result<Vec<String>, StoreError> {
    let found: Vec<(String,)> = store
        .scan(async |reader: &mut Reader<'_>| {
            let sql = "with recursive t as (\
                       select min(collection) as collection from storage \
                       union all select (select min(s.collection) from storage s \
                       where s.collection > t.collection) from t where t.collection is not null) \
                       select collection from t where collection is not null \
                       and (not (collection {in $2}) or exists (select 1 from storage o \
                       where o.collection = t.collection and o.user_id <> $1))";
            reader.all(sql, &[UserId::NIL.into(), server_collections()]).await
        })
        .await?;
    Ok(found.into_iter().map(|(collection,)| collection).collect())
}

/// Everything of one owner, for an export, by collection and key.
pub async fn of_user(store: &Store, user: UserId) -> Result<Vec<ObjectRecord>, StoreError> {
    let mut found: Vec<ObjectRecord> = Vec::new();
    loop {
        let last = found.last().map(|last| (last.id.collection.clone(), last.id.key.clone()));
        let (collection, key) = last.unwrap_or_default();
        let batch: Vec<ObjectRecord> = store
            .scan(async move |reader: &mut Reader<'_>| {
                let sql = concat!(
                    "select ",
                    object_columns!(),
                    " from storage where user_id = $1 and (collection, key) > ($2, $3) \
                     and not (user_id = $4 and collection {in $5}) \
                     order by collection, key limit $6"
                );
                let (nil, server) = (UserId::NIL, server_collections());
                reader.all(sql, params![user, &collection, &key, nil, server, BATCH_LEN]).await
            })
            .await?;
        let whole = batch.len() as i64 == BATCH_LEN;
        found.extend(batch);
        if !whole {
            return Ok(found);
        }
    }
}

/// Deletes every object of everybody, a batch at a time; yields how many. What is written meanwhile may
/// stay, and so does the rest after an error.
pub async fn delete_all(store: &Store) -> Result<u64, StoreError> {
    let mut deleted = 0;
    let mut after = ObjectId { collection: String::new(), key: String::new(), owner: UserId::NIL };
    loop {
        let from = after.clone();
        let last: Option<(String, String, UserId)> = store
            .scan(async move |reader: &mut Reader<'_>| {
                let sql = "select collection, key, user_id from storage \
                           where (collection, key, user_id) > ($1, $2, $3) \
                           order by collection, key, user_id limit 1 offset $4";
                let params = params![&from.collection, &from.key, from.owner, BATCH_LEN - 1];
                reader.optional(sql, params).await
            })
            .await?;
        let (server, nil) = (server_collections(), UserId::NIL);
        let ObjectId { collection, key, owner } = &after;
        let Some((to_collection, to_key, to_owner)) = last else {
            let sql = "delete from storage where (collection, key, user_id) > ($1, $2, $3) \
                       and not (user_id = $4 and collection {in $5})";
            let params = params![collection, key, *owner, nil, server];
            return Ok(deleted + store.execute(sql, params).await?);
        };
        let sql = "delete from storage where (collection, key, user_id) > ($1, $2, $3) \
                   and (collection, key, user_id) <= ($6, $7, $8) \
                   and not (user_id = $4 and collection {in $5})";
        let params =
            params![collection, key, *owner, nil, server, &to_collection, &to_key, to_owner];
        deleted += store.execute(sql, params).await?;
        after = ObjectId { collection: to_collection, key: to_key, owner: to_owner };
    }
}
