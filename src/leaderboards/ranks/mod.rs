//! Rank numbers.

mod arena;
#[allow(clippy::module_inception)]
mod ranks;
mod tree;

pub use ranks::{Ranks, Score};
