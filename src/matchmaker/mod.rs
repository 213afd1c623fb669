//! The matchmaker: players who look for others, brought together.
//!
//! *Owns* the tickets of one pool: who looks, for how many, by which query and with which properties. *Lives
//! on* the shard that the ring gives the pool; sessions' homes, and the homes of parties, send it what comes
//! and goes. A home knows which of its sessions look, so that those that end are taken out.
//!
//! Every `matchmaker.interval_sec` a round begins ([`Round`]): each ticket that is still active searches the
//! pool, oldest first, and takes what it finds, best first, until the match is full; in its last round its
//! least count is enough. Who is matched leaves the pool at once and is told by its home.
//!
//! *Bounds*: `matchmaker.max_tickets` of a session or party, [`TICKETS_MAX`] of the pool, [`PLAYERS_MAX`] of
//! a match; a search keeps [`HITS_MAX`] and [`COMBINATIONS_MAX`]; a round costs each active ticket a look at
//! those of the pool that have what its query demands (all of them, where it demands no exact value), and
//! yields to the shard after [`SLICE_COST`] clauses. *On failure*: tickets are soft state: they are gone with
//! their shard, and clients ask again; a call that gets no answer takes its ticket back.

mod counters;
mod entry;
mod error;
mod formed;
mod home;
mod index;
mod message;
mod owner;
mod round;
mod search;
mod seats;
mod service;
mod state;
mod stats;
mod wanted;

pub use entry::{Entry, Player, Seeker};
pub use error::{CountError, MatchmakerError};
pub use formed::{Announcement, Formed};
pub use message::{Gone, Post, Reply, Request, SharedPost, Then, Unanswered};
pub use owner::SLICE_COST;
pub use round::Round;
pub use search::{COMBINATIONS_MAX, HITS_MAX};
pub use service::{Matchmaker, Settings, Tell, Tools};
pub use state::{Rules, State, TICKETS_MAX};
pub use stats::{MatchmakerStats, NoMatchmaker, Stats, StatsError};
pub use wanted::{PLAYERS_MAX, Wanted};

#[cfg(test)]
mod tests;
