//! What happens to boards by itself: resets of leaderboards and tournaments, and ends of tournaments.
//!
//! Each board's schedule is kept by one shard of the cluster. An event is carried out by whoever claims it
//! in the store, where the claim and what the event changes are one transaction: once, whichever node comes
//! first, and not again after a restart. What fell due while nothing ran is carried out at the next start.
//! What others are to do about an event ([`Effects`]) follows the claim; a node that dies in between leaves it
//! undone.
//!
//! Bounds: [`MISSED_MAX`] missed events of a kind are made up for on each board, then the
//! latest one; those between are counted.

mod agenda;
mod effects;
mod service;

pub use agenda::MISSED_MAX;
pub use effects::{Effects, Event};
pub use service::Scheduler;
