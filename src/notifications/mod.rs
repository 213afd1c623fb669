//! Notifications: what users are told by others, by the server and by scripts.
//!
//! A persistent notice is stored first, and listed until its user deletes it; then it goes live to every
//! session of the user, as one that is not persistent does without being stored. This module keeps no
//! state of its own; the notices about the end of a session are the session's.
//!
//! *Bounds*: [`BATCH_LEN`] notices are stored in one write, and batches follow one another; those to
//! everybody are on their way [`TO_EVERYBODY_MAX`] at a time; a page lists [`LIST_LIMIT_MAX`]. *On failure*: a batch is stored as a whole or not at all, and goes live only when it
//! is stored. Live delivery is best effort: a shard that takes no message is asked again
//! [`DELIVERY_TRIES`] times, and then the sessions miss what is in the store all the same.

pub mod codes;
mod error;
mod everybody;
mod live;
mod notice;
mod old_cursor;
mod oversight;
mod page;
mod service;

pub use error::NotificationError;
pub use everybody::TO_EVERYBODY_MAX;
pub use live::{Busy, Live, LiveSessions};
pub use notice::{Notice, SUBJECT_LEN_MAX};
pub use oversight::{PAGE_LEN_MAX, Page};
pub use page::LIST_LIMIT_MAX;
pub use service::{BATCH_LEN, DELIVERY_TRIES, Notifications};

#[cfg(test)]
mod tests;
