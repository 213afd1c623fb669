//! Table `storage`: objects by collection, key and owner.
//!
//! A write is one statement, whatever it is conditional on: the statement changes the row only if the
//! condition holds and yields the row if it did. Only a refusal asks again, to learn why. A batch is one
//! transaction whose rows are locked in the order of collection, key and owner, so that batches that
//! overlap never wait for each other in a circle.

mod list;
mod read;
mod search;
mod write;

pub use list::{Page, Scope, list, list_statement};
pub use read::read;
pub(super) use read::{OBJECTS_OF_KEYS, READABLE_OF_KEYS};
pub use search::{
    Key, Search, SearchPage, collections, delete_all, of_user, search, search_statement,
};
pub use write::{delete, delete_in, write, write_in};

use super::{Columns, FromRow, StoreError, Timestamp};
use crate::ids::UserId;

/// What is known of an object, in the order that [`ObjectRecord`] reads.
macro_rules! object_columns {
    () => {
        "collection, key, user_id, value, version, read, write, create_time, update_time"
    };
}
use object_columns;

/// Who is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The server itself: permissions do not bind it.
    Server,
    /// A player, bound by the permissions of each object.
    Player(UserId),
}

/// Which object is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// At most 128 characters.
    pub collection: String,
    /// At most 128 characters.
    pub key: String,
    /// Nil for what belongs to nobody.
    pub owner: UserId,
}

/// What must hold of the object for a change to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    None,
    /// There is none yet.
    Absent,
    /// It has this version.
    Version(String),
}

impl Condition {
    /// As requests write it: empty, `*`, or a version.
    pub fn of(text: &str) -> Self {
        match text {
            "" => Self::None,
            "*" => Self::Absent,
            version => Self::Version(version.to_owned()),
        }
    }
}

/// An object to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectWrite {
    pub id: ObjectId,
    /// A JSON object.
    pub value: String,
    /// The version that it is going to have.
    pub version: String,
    pub read: i32,
    pub write: i32,
    pub condition: Condition,
}

/// An object to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDelete {
    pub id: ObjectId,
    /// The version that it must have, if that matters.
    pub version: Option<String>,
}

/// What a write left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteAck {
    pub version: String,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

/// An object as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRecord {
    pub id: ObjectId,
    pub value: String,
    pub version: String,
    pub read: i32,
    pub write: i32,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

/// Why a write or a deletion did not happen. The database is unchanged, by the others of its batch too.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageFailure {
    #[error("Storage write rejected - version check failed.")]
    Version,
    #[error("Storage write rejected - permission denied.")]
    Permission,
    #[error("Storage delete rejected - not found, version check failed, or permission denied.")]
    NotDeleted,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FromRow for WriteAck {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            version: columns.take()?,
            create_time: columns.take()?,
            update_time: columns.take()?,
        })
    }
}

impl FromRow for ObjectRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: ObjectId {
                collection: columns.take()?,
                key: columns.take()?,
                owner: columns.take()?,
            },
            value: columns.take()?,
            version: columns.take()?,
            read: columns.take()?,
            write: columns.take()?,
            create_time: columns.take()?,
            update_time: columns.take()?,
        })
    }
}
