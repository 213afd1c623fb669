//! Fan-out: from one message of a stream's owner to the sockets of many sessions.
//!
//! The owner encodes a message at most once per wire format and frames it ([`Outgoing`]); each shard that
//! has members of the stream gets one [`Delivery`] and hands its frame to each local member's queue
//! ([`LocalMembers`]), with no encoding, no allocation and no lock per recipient.
//!
//! *Lives on* every shard, for the sessions of that shard. *Bounds*: a session's memberships (see
//! `presence`) bound the tables; the sessions' own queues bound what is queued. *On failure*: a session
//! whose queue is full is reported upward and closed; nobody waits for it.

mod delivery;
mod frames;
mod local;

pub use delivery::{Audience, Delivery, Targeted};
pub use frames::{Format, Formats, LazyFrames, Outgoing, frame};
pub use local::{LocalMembers, Sink, Slot, Slow};

#[cfg(test)]
mod tests;
