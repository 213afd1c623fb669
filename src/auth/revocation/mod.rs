//! Which unexpired tokens no longer count.
//!
//! Every shard holds the whole table, so that checking a token stays on the shard. A revocation is
//! applied by every shard before its caller is answered; a shard that starts later knows only what is
//! revoked from then on, and the store's `disable_time` catches what matters at the next refresh.
//!
//! Invalidation of all of a user's tokens works by time of issue, at one-second granularity: tokens of
//! the same second survive, as clients that sign in again at once expect.
//!
//! Bounds: [`REVOKED_TOKENS_MAX`](state::REVOKED_TOKENS_MAX), of one user
//! [`REVOKED_TOKENS_OF_USER_MAX`](state::REVOKED_TOKENS_OF_USER_MAX), and
//! [`REVOKED_USERS_MAX`](state::REVOKED_USERS_MAX) per shard; beyond them a revocation is refused.
//! Entries go when the tokens that they concern would have expired.

pub mod message;
pub mod service;
pub mod state;

pub use message::{Revoke, RevokedToken};
pub use service::{Broadcast, SessionCache};
pub use state::Revocations;
