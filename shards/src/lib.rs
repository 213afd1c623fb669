//! The shard runtime: one executor per core, messages between them, and the ring that says who owns
//! what. It knows nothing of games.

#![deny(unsafe_code)] // The files that need it say so, each block with its `SAFETY:` comment.

mod address;
pub mod clock;
pub mod counters;
pub mod rng;
pub mod runtime;
pub mod socket;
pub mod timers;

pub use address::{Address, NodeId, ShardId};
pub use clock::Clock;
pub use counters::{Counter, Counters};
pub use rng::Rng;
pub use timers::Timers;
