//! Chat: rooms, direct messages and group channels.
//!
//! A channel is a stream of mode room, direct or group; its presences and its fan-out are `presence`'s.
//! This module knows what may be joined ([`Target`]), what a message must look like ([`Draft`]), what is
//! kept and listed ([`History`]), and what the protocol answers. It owns no state but the time of the
//! shard's last message.
//!
//! ```text
//! draft -> History::keep: stored, committed -> publish: everybody on the channel, then the sender's ack
//! ```
//!
//! *Bounds*: [`ROOM_NAME_LEN_MAX`], [`HISTORY_LIMIT_MAX`]; a message is bounded by the socket's own limit,
//! and a session has one under way at a time. *On failure*: a message that is refused, or that cannot be
//! kept, reaches nobody. One that was kept may be missed live, where the owner of its channel is too busy
//! to send it; the history has it.

mod channel;
mod draft;
mod error;
mod group;
mod history;
mod listing;
mod old_cursor;
mod service;

pub use channel::{Access, ROOM_NAME_LEN_MAX, Target, stream_of};
pub use draft::{Code, Deed, Draft};
pub use error::{ChatError, HistoryError};
pub use group::GroupEvent;
pub use history::History;
pub use listing::{HISTORY_LIMIT_MAX, Listing};
pub use service::{ChannelJoined, Chat};

#[cfg(test)]
mod tests;
