//! Presence over several shards.

pub(crate) mod client;
pub(crate) mod net;
mod property;
mod streams;
