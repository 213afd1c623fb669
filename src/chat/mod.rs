//! Chat: rooms, direct messages and group channels.
//!
//! A channel is a stream of mode room, direct or group; its presences and its fan-out are `presence`'s.
//! This module knows what may be joined ([`Target`]), what a message must look like ([`Draft`]) and what
//! the protocol answers. It keeps no state of its own.
//!
//! *Bounds*: [`ROOM_NAME_LEN_MAX`]; a message is bounded by the socket's own limit. *On failure*: a message
//! that is refused reaches nobody.
//!
//! History is not built yet: a message of a persistent join says so and is delivered live, and cannot be
//! updated or removed afterwards.

mod channel;
mod draft;
mod error;
mod group;
mod service;

pub use channel::{Access, ROOM_NAME_LEN_MAX, Target, stream_of};
pub use draft::{Code, Draft};
pub use error::ChatError;
pub use group::GroupEvent;
pub use service::{ChannelJoined, Chat};

#[cfg(test)]
mod tests;
