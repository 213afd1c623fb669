//! Leaderboards: boards of scores, their records and ranks, and when they are reset.
//!
//! Records belong to nobody: they are read from and written to the store, each write by one statement, so
//! that no concurrent one is lost. Two things are kept in memory. Every shard knows all boards
//! ([`Definitions`]); whoever changes one tells all shards. The ranks of a period belong to one shard
//! ([`ranks`]); without them everything works but the numbers.
//!
//! A board that another program put into the database is found when somebody asks for it by its id, or at
//! the next start.

pub mod board;
pub mod cron;
pub mod definitions;
pub mod error;
pub mod listing;
pub mod peers;
mod ranking;
pub mod ranks;
pub mod records;
pub mod service;

pub use crate::store::leaderboards::{Operator, SortOrder};
pub use board::{Board, Period};
pub use cron::Cron;
pub use definitions::{Change, Definitions};
pub use error::LeaderboardError;
pub use listing::Listing;
pub use peers::Peers;
pub use records::{Authority, Submission};
pub use service::{Leaderboards, NewLeaderboard, Unranked};
