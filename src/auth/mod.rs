//! Who is calling, and may they: tokens, sign-in, revocation, lockout, and the rules for identifiers.
//!
//! Everything here is stateless over the store, but for two small owners:
//!
//! - [`revocation`]: every shard holds the whole table of revoked tokens, so a check never leaves the
//!   shard. A revocation is broadcast and acknowledged by all shards before its caller is answered.
//! - [`attempts`]: failed sign-ins, owned by the shard that the ring gives the account or address.
//!
//! A failure leaves the account unchanged unless its error says otherwise.

pub mod attempts;
pub mod authorization;
pub mod error;
pub mod password;
pub mod revocation;
pub mod rules;
pub mod sessions;
pub mod sign_in;
pub mod token;

pub use authorization::SharedKey;
pub use error::AuthError;
pub use sessions::Sessions;
pub use sign_in::{SignIn, SignedIn};
pub use token::{Session, TokenKey, TokenPair, Tokens};
