//! The shard runtime: one executor per core, messages between them, and the ring that says who owns
//! what. It knows nothing of games.

#![deny(unsafe_code)] // The files that need it say so, each block with its `SAFETY:` comment.

mod address;
pub mod boot;
mod call;
pub mod clock;
pub mod counters;
mod envelope;
mod lane;
mod mailbox;
mod mesh;
mod owner;
pub mod ring;
pub mod rng;
pub mod runtime;
pub mod sim;
pub mod socket;
mod stable_hash;
pub mod timers;

pub use address::{Address, NodeId, ShardId};
pub use boot::ShardContext;
pub use call::{CallError, Deadline};
pub use clock::Clock;
pub use counters::{Counter, Counters};
pub use envelope::{Protocol, assert_size};
pub use mailbox::MailboxLimits;
pub use mesh::{Call, Loss, Mesh, MeshLimits, Refused};
pub use owner::{Handler, ReplyTo};
pub use ring::Ring;
pub use rng::Rng;
pub use stable_hash::StableHash;
pub use timers::Timers;
