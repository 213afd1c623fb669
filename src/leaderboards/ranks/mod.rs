//! Rank numbers: who stands where on a board.
//!
//! The ranks of a period of a board belong to one shard, which holds its records in order. They are loaded
//! from the store when somebody first asks, and follow every write from then on; what is written while they
//! load is not lost, and what comes late is told by its generation; an owner whose record was deleted is looked
//! up again, when nothing from before can arrive any more. They are soft: a shard that has no room
//! for them, or cannot read them, answers that it does not know, and a rank of 0 goes out.
//!
//! Bounds: [`RANKED_RECORDS_MAX`](crate::limits::RANKED_RECORDS_MAX) and
//! [`RANKED_PERIODS_MAX`](crate::limits::RANKED_PERIODS_MAX) on each shard, beyond which the periods that
//! nobody asked for the longest are forgotten; [`RANK_WAITERS_MAX`](crate::limits::RANK_WAITERS_MAX)
//! requests that wait for a period to load, beyond which they are answered at once;
//! [`RANK_DOUBTS_MAX`](crate::limits::RANK_DOUBTS_MAX) owners to be looked up again, beyond which they are not.

mod arena;
mod doubts;
pub mod message;
#[allow(clippy::module_inception)]
mod ranks;
mod service;
mod state;
mod tree;

pub use message::{Around, Ask, PeriodKey, RankReply, RankRequest};
pub use ranks::{Ranks, Score, share};
pub use service::RankOwner;
