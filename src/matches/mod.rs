//! Relayed matches: players who pass data to one another.
//!
//! A relayed match is a stream and nothing else: it is there while somebody is on it, whoever created it,
//! and gone when the last one leaves. A named match lives where the ring puts its id, which is drawn from
//! the name; an unnamed one on the shard that created it. On the wire its id is a UUID and a dot; a node's
//! name after the dot would make it an authoritative match, of which there are none yet.
//!
//! *Owns* an index of the shard's relayed matches by size, for listings; all else is presence's. *Bounds*:
//! those of `presence` and of the socket's messages; [`LIST_LIMIT_MAX`] matches a listing. *On failure*:
//! data that cannot be sent is refused; what is sent is best effort; a listing needs every shard.

mod error;
mod id;
mod index;
mod list;
mod message;
mod service;
mod token;

pub use error::MatchError;
pub use id::{MatchRef, named, unnamed};
pub use index::{Filter, Index};
pub use list::{LIST_LIMIT_MAX, ListError, MatchIndex, MatchLists, NoMatches};
pub use message::{Post, Reply, Request, SharedPost, Then, Unanswered};
pub use service::{Matches, Relay};
pub use token::{MatchTokens, TOKEN_LIFE_SEC};

#[cfg(test)]
mod tests;
