//! Which unexpired tokens no longer count.
//!
//! Every shard holds the whole table, so that checking a token stays on the shard. A revocation is
//! applied by every shard before its caller is answered; a shard that starts later knows only what is
//! revoked from then on, and the store's `disable_time` catches what matters at the next refresh.
//!
//! Invalidation of all of a user's tokens works by time of issue, at one-second granularity: tokens of
//! the same second survive, as clients that sign in again at once expect.
//!
//! Bounds, of each shard: [`REVOKED_TOKENS_MAX`] single tokens, of one user
//! [`REVOKED_TOKENS_OF_USER_MAX`], and [`CUTOFFS_MAX`] users of whom everything is revoked, with
//! [`CUTOFFS_RESERVED`] more for bans and deletions. Beyond them a logout is refused; a sign-in that ends
//! older sessions (`session.single_session`) goes on and leaves them alive, which is counted. Entries go
//! when the tokens that they concern would have expired.

mod cutoffs;
pub mod message;
pub mod service;
pub mod state;
mod tokens;

pub use cutoffs::{CUTOFFS_MAX, CUTOFFS_RESERVED};
pub use message::{Revoke, RevokedToken, TokenId, Why};
pub use service::{Broadcast, SessionCache};
pub use state::Revocations;
pub use tokens::{REVOKED_TOKENS_MAX, REVOKED_TOKENS_OF_USER_MAX};
