//! The shard runtime: one executor per core, messages between them, and the ring that says who owns
//! what. It knows nothing of games.

#![deny(unsafe_code)] // The files that need it say so, each block with its `SAFETY:` comment.

mod address;

pub use address::{Address, NodeId, ShardId};
