//! Storage objects: JSON documents of players and of the server, by collection, key and owner.
//!
//! Stateless services over the store; nobody owns an object. A batch of writes or deletions happens as a
//! whole or not at all. An object's version is the MD5 of its value as it was sent, so a client can tell
//! it before the server does.
//!
//! *Bounds*: a page lists [`LIST_LIMIT_MAX`] objects; a batch is bounded by the size of a request.

mod draft;
mod error;
mod service;

pub use draft::ObjectDraft;
pub use error::StorageError;
pub use service::{LIST_LIMIT_MAX, Storage, acknowledged, shown};

pub use crate::store::storage::{Authority, Key, ObjectDelete, ObjectId, Scope, Search};
