//! The embedded driver.
//!
//! One file in WAL mode. **Writes** of all shards go through one bounded queue to one writer thread,
//! which runs as many waiting units as it may in one transaction (a savepoint each), commits once, and
//! only then answers them: acknowledged means durable. **Reads** run on the shard itself over a
//! connection of its own, or on reader threads where a read may be long.

mod connection;
mod error;
mod open;
mod readers;
mod shard;
mod unit;
mod writer;

pub(super) use connection::{SqliteConnection, column};
pub use open::SqliteDatabase;
pub(super) use open::open_alone;
pub use shard::SqliteShard;
