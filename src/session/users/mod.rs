//! A user's sessions, wherever they are.
//!
//! *Owns* the list of each user's open sessions. *Lives on* ring(user). *Bounds*: one entry a session, and
//! the listeners bound the sessions. *On failure*: the homes of sessions are the truth; a session whose
//! owner is lost is unknown here until the owner's shard is told again, and it stays open.

mod message;
mod state;

pub use message::{Close, Reply, Request};
pub use state::State;
