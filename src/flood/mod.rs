//! Floods: how many messages of a session, and requests and connections of an address, are served.
//!
//! A [`Meter`] is a token bucket that also knows for how long it has been asked for too much: who is
//! refused far more often than served is no hurried client any more, and loses its connection. A session
//! has a meter of its own; addresses share [`AddressTable`], one a shard.
//!
//! *Lives on* every shard, for the sessions and connections of that shard: nothing is shared, so an address
//! whose connections the kernel spreads over N shards is served up to N times its limits. *Bounds*: the
//! table's length; past it those that were quiet for longest are forgotten. Without a limit there is no
//! table, no clock is read, and the cost is one branch.

mod addresses;
mod meter;

pub use addresses::{AddressLimits, AddressTable, Refusal};
pub use meter::{Limit, Meter, Rate, Verdict};

use crate::config::Config;

/// What the configuration holds a session's messages to.
pub fn message_limit(config: &Config) -> Option<Limit> {
    let flood = &config.flood;
    let rate = Rate::new(flood.session_messages_per_sec, flood.session_messages_burst)?;
    Some(Limit { rate, refusals_max: flood.refusals_max })
}
