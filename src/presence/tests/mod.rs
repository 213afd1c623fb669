//! Presence over several shards.

pub(crate) mod client;
mod moved;
pub(crate) mod net;
mod property;
mod streams;
