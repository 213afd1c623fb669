//! Storage objects, as operators see and change them. Permissions do not bind them.

use kakera_proto::{Timestamp, api, console};

use super::{Console, Operator, account::requested};
use crate::{
    accounts::is_json_object,
    error::Error,
    storage::{Authority, Key, ObjectDelete, ObjectDraft, ObjectId, Search},
};

const PAGE_LEN: usize = 100;
/// An owner's objects are listed in one page; more than these are cut.
const OWNER_PAGE_LEN: usize = 10_000;

impl Console {
    pub(super) async fn list_storage(
        &self,
        _: &Operator,
        request: &console::ListStorageRequest,
    ) -> Result<console::StorageList, Error> {
        let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let owner = match request.user_id.as_str() {
            "" => None,
            id => Some(
                id.parse()
                    .map_err(|_| Error::invalid("Requires a valid user ID when provided."))?,
            ),
        };
        let key = named(&request.key).map(|key| match key.strip_suffix('%') {
            Some(beginning) if !beginning.contains('%') => Key::Begins(beginning.to_owned()),
            Some(_) | None => Key::Is(key),
        });
        let what = Search { collection: named(&request.collection), key, owner };
        if what.key.is_some() && what.collection.is_none() {
            return Err(Error::invalid("Requires a valid combination of filters."));
        }
        let owner_alone = what.owner.is_some() && what.collection.is_none();
        if owner_alone && !request.cursor.is_empty() {
            return Err(Error::invalid("Cursor not allowed when filter only contains user ID."));
        }
        let one = matches!(what.key, Some(Key::Is(_))) && what.owner.is_some();
        if one && !request.cursor.is_empty() {
            let why = "Cursor not allowed when filter only contains collection, key, and user ID.";
            return Err(Error::invalid(why));
        }
        let limit = if owner_alone { OWNER_PAGE_LEN } else { PAGE_LEN };
        let storage = &self.services.storage;
        let (found, next_cursor) = storage.search(what, limit, &request.cursor).await?;
        let objects = found.into_iter().map(|object| console::StorageListObject {
            collection: object.id.collection,
            key: object.id.key,
            user_id: object.id.owner.to_string(),
            version: object.version,
            permission_read: object.read,
            permission_write: object.write,
            create_time: Some(Timestamp { seconds: object.create_time.unix_sec(), nanos: 0 }),
            update_time: Some(Timestamp { seconds: object.update_time.unix_sec(), nanos: 0 }),
        });
        Ok(console::StorageList {
            objects: objects.collect(),
            total_count: i32::try_from(storage.size().await).unwrap_or(i32::MAX),
            next_cursor,
        })
    }

    pub(super) async fn list_storage_collections(
        &self,
        _: &Operator,
        (): &(),
    ) -> Result<console::StorageCollectionsList, Error> {
        let collections = self.services.storage.collections().await?;
        Ok(console::StorageCollectionsList { collections })
    }

    pub(super) async fn get_storage(
        &self,
        _: &Operator,
        request: &api::ReadStorageObjectId,
    ) -> Result<api::StorageObject, Error> {
        let id = named(&request.collection, &request.key, &request.user_id)?;
        let found = self.services.storage.read(Authority::Server, vec![id]).await?;
        found.into_iter().next().ok_or_else(|| Error::not_found("Storage object not found."))
    }

    pub(super) async fn write_storage_object(
        &self,
        _: &Operator,
        request: &console::WriteStorageObjectRequest,
    ) -> Result<api::StorageObjectAck, Error> {
        let draft = ObjectDraft {
            id: writable(request)?,
            value: request.value.clone(),
            version: request.version.clone(),
            read: request.permission_read,
            write: request.permission_write,
        };
        let acks = self.services.storage.write(Authority::Server, vec![draft]).await?;
        let missing = || Error::internal("a write was not acknowledged");
        acks.into_iter().next().ok_or_else(missing)
    }

    pub(super) async fn delete_storage_object(
        &self,
        _: &Operator,
        request: &console::DeleteStorageObjectRequest,
    ) -> Result<(), Error> {
        let id = named(&request.collection, &request.key, &request.user_id)?;
        let version = Some(request.version.clone()).filter(|version| !version.is_empty());
        let delete = ObjectDelete { id, version };
        Ok(self.services.storage.delete(Authority::Server, vec![delete]).await?)
    }

    pub(super) async fn delete_storage(&self, _: &Operator, (): &()) -> Result<(), Error> {
        Ok(self.services.storage.delete_all().await?)
    }
}

fn writable(request: &console::WriteStorageObjectRequest) -> Result<ObjectId, Error> {
    let id = named(&request.collection, &request.key, &request.user_id)?;
    if !(0..=2).contains(&request.permission_read.unwrap_or_default()) {
        let why = "Requires a valid read permission read if supplied (0-2).";
        return Err(Error::invalid(why));
    }
    if !(0..=1).contains(&request.permission_write.unwrap_or_default()) {
        return Err(Error::invalid("Requires a valid write permission if supplied (0-1)."));
    }
    if !is_json_object(&request.value) {
        return Err(Error::invalid("Requires a valid JSON object value."));
    }
    Ok(id)
}

fn named(collection: &str, key: &str, owner: &str) -> Result<ObjectId, Error> {
    if collection.is_empty() {
        return Err(Error::invalid("Requires a valid collection."));
    }
    if key.is_empty() {
        return Err(Error::invalid("Requires a valid key."));
    }
    let owner = requested(owner)?;
    Ok(ObjectId { collection: collection.to_owned(), key: key.to_owned(), owner })
}
