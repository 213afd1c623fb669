//! Presence: which sessions are on which streams, and who is told.
//!
//! A stream is named by a [`StreamId`] and owned by one shard, by the ring or by the home inside its id.
//! The owner ([`Owner`]) keeps the stream's presences and how many members each shard has per wire format.
//! A session's home shard ([`Home`]) is the truth about what the session has joined, and keeps which local
//! sessions are on which stream, so that a message for a stream crosses to each shard once.
//!
//! A join goes to the owner; its answer travels in one lane with the stream's messages and is handled in
//! their order, so a session gets its snapshot first and everything after it. Joins and leaves of one turn
//! of the owner are one event. A snapshot leaves out whom the turn's event will announce: an observer sees
//! each join once. A join carries a counter ([`JoinCounter`]) and a leave the counter of the join that it
//! ends, so a late leave ends nothing newer.
//!
//! *Lives on* every shard. *Bounds*: [`Limits`], [`HELD_FRAMES_MAX`]. *On failure*: a refused join changes
//! nothing; a refused leave is owed and sent again; a join whose answer is lost is taken back. Presence
//! events are never dropped; other messages for a stream are when the lane to a shard is over its bound.

mod counters;
mod dispatch;
mod error;
mod follow;
mod hold;
mod home;
mod keeper;
mod message;
mod moved;
mod owner;
mod post;
mod record;
mod service;
mod spread;
mod streams;
pub mod wire;

pub use error::JoinError;
pub use hold::HELD_FRAMES_MAX;
pub use home::{Home, HomeLimits, JoinOptions, Member, Membership};
pub use message::{
    Find, Follow, Join, Leave, List, RemoveUser, Reply, Request, Send, SendTo, Track, Untrack,
};
pub use moved::Moved;
pub use owner::{Entry, HomeCount, Joined, Owner, OwnerLimits, Snapshot, StreamEvent};
pub use post::{Answer, Post, PostError, SharedPost, Then};
pub use record::{Departure, JoinCounter, Presence, Reason};
pub use service::{Limits, Presences, Sessions};
pub use streams::{Appearance, StreamError, Streams};

pub use crate::ids::{StreamId, StreamMode};

#[cfg(test)]
pub(crate) mod tests;
