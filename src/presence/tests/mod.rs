//! Presence over several shards.

pub(crate) mod client;
mod first;
mod moved;
pub(crate) mod net;
mod property;
mod streams;
