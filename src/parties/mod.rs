//! Parties: a few players and the one who leads them.
//!
//! *Owns* each party's settings, its leader, the order in which its members came, those who ask to join,
//! and places held for those on the way. Its members are the presences of its stream, which has the same
//! owner. *Lives on* the shard that created it, which stands in its id.
//!
//! A session that may join an open party is given a place and enters the stream by itself, so that the
//! reply comes before what the party says; one that the leader accepts is put there. Whoever comes onto
//! the stream is a member from then on, and whoever is off it is none. When the leader goes, the oldest
//! member leads; when the last one goes, the party is over.
//!
//! A leader may have the matchmaker look for others; whenever a member comes or goes, that ends.
//!
//! *Bounds*: `party.max_parties` a shard, `party.max_size` members and as many requests a party, [`LABEL_LEN_MAX`],
//! [`LOOKED_AT_MAX`] parties that a page looks at on a shard. *On failure*: what is refused changes
//! nothing; a place that nobody takes is given up after [`PLACE_LIFE_MS`], and a party that is only such
//! places at the next [`Parties::sweep`]; what the party tells is never dropped, what members send is best
//! effort.

mod counters;
mod error;
mod id;
mod label;
mod list;
mod message;
mod owner;
mod party;
mod player;
mod post;
mod seek;
mod service;
mod state;

pub use error::PartyError;
pub use id::PartyRef;
pub use label::{LABEL_LEN_MAX, Label, Query, Unsearchable};
pub use list::{LIST_LIMIT_MAX, ListError, NoParties, PartyLists};
pub use message::{Answer, Ask, Asked, Filter, Page, Place, Reply, Request, Seek, Sought};
pub use party::{Effect, PLACE_LIFE_MS, Party, Settings};
pub use player::{Named, Player};
pub use post::{Post, SharedPost, Then, Unanswered};
pub use service::{Parties, PartySettings};
pub use state::{LOOKED_AT_MAX, State};

#[cfg(test)]
mod tests;
