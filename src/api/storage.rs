//! Storage objects.

use kakera_proto::api;

use super::{Api, Context};
use crate::{
    error::Error,
    ids::UserId,
    storage::{Authority, LIST_LIMIT_MAX, ObjectDelete, ObjectDraft, ObjectId, Scope},
};

const BAD_NAME: &str = "Invalid collection or key value supplied. They must be set.";
const BAD_USER: &str = "Invalid user ID - make sure user ID is a valid UUID.";

impl Api {
    pub(super) async fn list_storage_objects(
        &self,
        context: &Context,
        request: &api::ListStorageObjectsRequest,
    ) -> Result<api::StorageObjectList, Error> {
        let by = Authority::Player(context.player()?.user_id);
        let limit = match request.limit {
            None => 1,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| (1..=LIST_LIMIT_MAX).contains(limit))
                .ok_or_else(|| {
                    Error::invalid("Invalid limit - limit must be between 1 and 100.")
                })?,
        };
        let scope = match request.user_id.as_str() {
            "" => Scope::All,
            id => Scope::Owner(id.parse().map_err(|_| Error::invalid(BAD_USER))?),
        };
        let which = (request.collection.as_str(), scope);
        Ok(self.services.storage.list(by, which, limit, &request.cursor).await?)
    }

    pub(super) async fn read_storage_objects(
        &self,
        context: &Context,
        request: &api::ReadStorageObjectsRequest,
    ) -> Result<api::StorageObjects, Error> {
        let by = Authority::Player(context.player()?.user_id);
        let wanted = |id: &api::ReadStorageObjectId| {
            let owner = match id.user_id.as_str() {
                "" => UserId::NIL,
                text => text
                    .parse()
                    .ok()
                    .filter(|owner| *owner != UserId::NIL)
                    .ok_or_else(|| Error::invalid(BAD_USER))?,
            };
            named(&id.collection, &id.key, owner)
        };
        let ids = request.object_ids.iter().map(wanted).collect::<Result<_, _>>()?;
        Ok(api::StorageObjects { objects: self.services.storage.read(by, ids).await? })
    }

    pub(super) async fn write_storage_objects(
        &self,
        context: &Context,
        request: &api::WriteStorageObjectsRequest,
    ) -> Result<api::StorageObjectAcks, Error> {
        let owner = context.player()?.user_id;
        let draft = |object: &api::WriteStorageObject| ObjectDraft {
            id: ObjectId { collection: object.collection.clone(), key: object.key.clone(), owner },
            value: object.value.clone(),
            version: object.version.clone(),
            read: object.permission_read,
            write: object.permission_write,
        };
        let drafts = request.objects.iter().map(draft).collect();
        let acks = self.services.storage.write(Authority::Player(owner), drafts).await?;
        Ok(api::StorageObjectAcks { acks })
    }

    pub(super) async fn delete_storage_objects(
        &self,
        context: &Context,
        request: &api::DeleteStorageObjectsRequest,
    ) -> Result<(), Error> {
        let owner = context.player()?.user_id;
        let delete = |object: &api::DeleteStorageObjectId| {
            let version = Some(object.version.clone()).filter(|version| !version.is_empty());
            Ok(ObjectDelete { id: named(&object.collection, &object.key, owner)?, version })
        };
        let deletes = request.object_ids.iter().map(delete).collect::<Result<_, Error>>()?;
        Ok(self.services.storage.delete(Authority::Player(owner), deletes).await?)
    }
}

fn named(collection: &str, key: &str, owner: UserId) -> Result<ObjectId, Error> {
    if collection.is_empty() || key.is_empty() {
        return Err(Error::invalid(BAD_NAME));
    }
    Ok(ObjectId { collection: collection.to_owned(), key: key.to_owned(), owner })
}
