//! Leaderboards.

pub mod board;
pub mod cron;
pub mod definitions;
pub mod ranks;

pub use crate::store::leaderboards::{Operator, SortOrder};
pub use board::{Board, Period};
pub use cron::Cron;
pub use definitions::{Change, Definitions};
