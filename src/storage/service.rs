//! Reading, writing, deleting and listing objects.

use kakera_proto::{Timestamp, api};
use serde::{Deserialize, Serialize};

use super::{Authority, Key, ObjectDelete, ObjectDraft, ObjectId, Scope, Search, StorageError};
use crate::{
    cursor,
    ids::UserId,
    store::{
        self, Store, size,
        storage::{self, ObjectRecord, ObjectWrite, Page, SearchPage, WriteAck},
    },
};

/// Objects that a page may list.
pub const LIST_LIMIT_MAX: usize = 100;

const LIST_CURSOR: &str = "storage";
const SEARCH_CURSOR: &str = "storage search";

/// Where a page of a list begins.
#[derive(Serialize, Deserialize)]
struct Place {
    read: i32,
    key: String,
    owner: String,
}

/// Where a page of a search begins.
#[derive(Serialize, Deserialize)]
struct SearchPlace {
    collection: String,
    key: String,
    owner: String,
    read: i32,
}

/// The storage of one shard. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    store: Store,
}

impl Storage {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// All objects of an owner, by collection and key: for the export of its account.
    pub async fn all_of(&self, owner: UserId) -> Result<Vec<api::StorageObject>, StorageError> {
        let records = storage::of_user(&self.store, owner).await?;
        Ok(records.into_iter().map(shown).collect())
    }

    /// Writes all of the objects or none; one acknowledgement for each, in their order.
    pub async fn write(
        &self,
        by: Authority,
        drafts: Vec<ObjectDraft>,
    ) -> Result<Vec<api::StorageObjectAck>, StorageError> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let writes: Vec<ObjectWrite> =
            drafts.into_iter().map(ObjectDraft::checked).collect::<Result<_, _>>()?;
        let ids: Vec<ObjectId> = writes.iter().map(|write| write.id.clone()).collect();
        let acks = storage::write(&self.store, by, writes).await?;
        Ok(ids.into_iter().zip(acks).map(|(id, ack)| acknowledged(id, ack)).collect())
    }

    /// Those of the objects that exist and may be read, in the order of their names, each once.
    pub async fn read(
        &self,
        by: Authority,
        ids: Vec<ObjectId>,
    ) -> Result<Vec<api::StorageObject>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let records = storage::read(&self.store, by, ids).await?;
        Ok(records.into_iter().map(shown).collect())
    }

    /// Deletes all of the objects or none.
    pub async fn delete(
        &self,
        by: Authority,
        deletes: Vec<ObjectDelete>,
    ) -> Result<(), StorageError> {
        if deletes.is_empty() {
            return Ok(());
        }
        Ok(storage::delete(&self.store, by, deletes).await?)
    }

    /// A page of a collection: what may be read of it, by permission, key and owner.
    ///
    /// `limit` is at most [`LIST_LIMIT_MAX`] for players; the server may list more.
    pub async fn list(
        &self,
        by: Authority,
        (collection, scope): (&str, Scope),
        limit: usize,
        cursor: &str,
    ) -> Result<api::StorageObjectList, StorageError> {
        let after = page(cursor)?;
        if limit == 0 {
            return Ok(api::StorageObjectList::default());
        }
        let wanted = limit.saturating_add(1);
        let mut records =
            storage::list(&self.store, by, (collection, scope), wanted, after).await?;
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(|last| {
            let (key, owner) = (last.id.key.clone(), last.id.owner.to_string());
            cursor::encode(LIST_CURSOR, &Place { read: last.read, key, owner })
        });
        let objects = records.into_iter().map(shown).collect();
        Ok(api::StorageObjectList { objects, cursor: next.unwrap_or_default() })
    }

    /// A page of what an operator looks for, without values, in the order of [`storage::search`], and the
    /// cursor of the next.
    pub async fn search(
        &self,
        what: Search,
        limit: usize,
        cursor: &str,
    ) -> Result<(Vec<ObjectRecord>, String), StorageError> {
        let after = search_page(&what, cursor)?;
        let wanted = limit.saturating_add(1);
        let mut records = storage::search(&self.store, what, wanted, after).await?;
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(|last| {
            let ObjectId { collection, key, owner } = last.id.clone();
            let (owner, read) = (owner.to_string(), last.read);
            cursor::encode(SEARCH_CURSOR, &SearchPlace { collection, key, owner, read })
        });
        Ok((records, next.unwrap_or_default()))
    }

    /// About how many objects there are.
    pub async fn size(&self) -> i64 {
        size::about(&self.store, size::Table::Storage).await
    }

    /// The names of all collections.
    pub async fn collections(&self) -> Result<Vec<String>, StorageError> {
        Ok(storage::collections(&self.store).await?)
    }

    /// Deletes every object of everybody.
    pub async fn delete_all(&self) -> Result<(), StorageError> {
        storage::delete_all(&self.store).await?;
        Ok(())
    }
}

fn page(cursor: &str) -> Result<Option<Page>, StorageError> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let place: Place = cursor::decode(LIST_CURSOR, cursor).map_err(|_| StorageError::BadCursor)?;
    let owner = place.owner.parse().map_err(|_| StorageError::BadCursor)?;
    Ok(Some(Page { read: place.read, key: place.key, owner }))
}

/// A cursor belongs to what was looked for.
fn search_page(what: &Search, cursor: &str) -> Result<Option<SearchPage>, StorageError> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let SearchPlace { collection, key, owner, read } =
        cursor::decode(SEARCH_CURSOR, cursor).map_err(|_| StorageError::BadCursor)?;
    let owner = owner.parse().map_err(|_| StorageError::BadCursor)?;
    if what.collection.as_ref().is_some_and(|wanted| *wanted != collection) {
        let why = "Requires a matching cursor and collection filter property.";
        return Err(StorageError::Invalid(why));
    }
    if matches!(&what.key, Some(Key::Is(wanted)) if *wanted != key) {
        return Err(StorageError::Invalid("Requires a matching cursor and key filter property."));
    }
    if what.owner.is_some_and(|wanted| wanted != owner) {
        let why = "Requires a matching cursor and user ID filter property.";
        return Err(StorageError::Invalid(why));
    }
    Ok(Some(SearchPage { id: ObjectId { collection, key, owner }, read }))
}

/// An object as it is shown.
pub fn shown(record: ObjectRecord) -> api::StorageObject {
    let ObjectRecord { id, value, version, read, write, create_time, update_time } = record;
    api::StorageObject {
        collection: id.collection,
        key: id.key,
        user_id: id.owner.to_string(),
        value,
        version,
        permission_read: read,
        permission_write: write,
        create_time: Some(whole_seconds(create_time)),
        update_time: Some(whole_seconds(update_time)),
    }
}

/// A write's acknowledgement as it is shown. Its times are exact, where those of objects are whole
/// seconds.
pub fn acknowledged(id: ObjectId, ack: WriteAck) -> api::StorageObjectAck {
    api::StorageObjectAck {
        collection: id.collection,
        key: id.key,
        version: ack.version,
        user_id: id.owner.to_string(),
        create_time: Some(exact(ack.create_time)),
        update_time: Some(exact(ack.update_time)),
    }
}

fn whole_seconds(time: store::Timestamp) -> Timestamp {
    Timestamp { seconds: time.unix_sec(), nanos: 0 }
}

fn exact(time: store::Timestamp) -> Timestamp {
    let micros = time.0.rem_euclid(1_000_000);
    Timestamp { seconds: time.unix_sec(), nanos: i32::try_from(micros * 1000).unwrap_or_default() }
}
