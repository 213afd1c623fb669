//! Online status, and those who follow it.
//!
//! A session that appears online is on its user's status stream, with the text of its status. Those who
//! follow the user are on the user's followers stream, which lives on the same shard, so that a snapshot
//! and the events after it come from one place. A user's own sessions see the user's status unasked.
//!
//! This module keeps no state of its own. *Bounds*: [`STATUS_LEN_MAX`], and the follows of a session as
//! `presence` limits them. *On failure*: a refused follow leaves the session following whom it did before.

mod error;
mod request;
mod service;

pub use error::StatusError;
pub use request::{STATUS_LEN_MAX, Wanted};
pub use service::Statuses;

#[cfg(test)]
mod tests;
