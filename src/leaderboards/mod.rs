//! Leaderboards.

pub mod cron;
pub mod ranks;

pub use crate::store::leaderboards::{Operator, SortOrder};
