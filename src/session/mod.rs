//! A session: one open socket of a signed-in user.
//!
//! *Owns* the sessions whose sockets this shard accepted ([`Sessions`]), and, for the users that the ring
//! gives to this shard, the list of their sessions anywhere ([`users`]). *Bounds*: sessions of a shard
//! ([`Settings::sessions_max`]), envelopes that wait for their turn ([`inbox::INBOX_LEN_MAX`], then the
//! socket is not read), frames that wait for the client (the line's queue, then the session is closed).
//! *At the end* what its client sent before it closed, or before it sent nonsense, is still handled; a
//! server that closes does so at once.
//! *On failure*: a session whatever happens to it leaves everything it joined exactly once ([`Phase`]).
//!
//! ```text
//! Opening ──announced──▶ Open ──close──▶ Closing ──socket gone──▶ Closed
//!    └───────────────────────┴────────── socket gone ────────────────▲
//! ```

mod cause;
mod heartbeat;
mod identity;
pub mod inbox;
mod life;
mod line;
mod message;
mod phase;
#[allow(clippy::module_inception, reason = "the session of the module of sessions")]
mod session;
mod table;
pub mod users;

pub use cause::{CloseCause, codes};
pub use heartbeat::{Beat, Heartbeat, KeepAlive};
pub use identity::Identity;
pub use inbox::Inbox;
pub use life::{Change, LifeWatch, SessionEvent};
pub use line::{Line, LineFull};
pub use message::{ForAll, Post, Reply, Request, SharedPost, Then, Unanswered};
pub use phase::{Duty, Phase, Step};
pub use session::{Payload, Session, Turn};
pub use table::{Dispatch, Refused, SessionCounters, Sessions, Settings, Watch};

#[cfg(test)]
mod tests;
