//! Relayed matches: players who pass data to one another.
//!
//! A relayed match is a stream and nothing else: it is there while somebody is on it, whoever created it,
//! and gone when the last one leaves. A named match lives where the ring puts its id, which is drawn from
//! the name; an unnamed one on the shard that created it. On the wire its id is a UUID and a dot; a node's
//! name after the dot would make it an authoritative match, of which there are none yet.
//!
//! This module keeps no state of its own. *Bounds*: those of `presence` and of the socket's messages. *On
//! failure*: data that cannot be sent is refused; what is sent is best effort.

mod error;
mod id;
mod service;

pub use error::MatchError;
pub use id::{MatchRef, named, unnamed};
pub use service::{Matches, Relay};

#[cfg(test)]
mod tests;
