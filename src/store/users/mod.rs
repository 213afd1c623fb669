//! The tables `users` and `user_device`: accounts and what they sign in with.
//!
//! `sign_in` finds and creates, `identities` links and unlinks, `profiles` reads and changes what others
//! see, `lifecycle` bans and deletes, `administer` and `find` are for operators.

pub mod administer;
pub mod find;
pub mod identities;
pub mod lifecycle;
pub mod profiles;
pub mod sign_in;

pub use identities::ExternalId;
pub use profiles::{AccountRecord, ProfileChange, UserRecord};
pub use sign_in::{KnownUser, PasswordUser};

/// Name of the constraint that keeps usernames apart.
pub const USERNAME_UNIQUE: &str = "users_username_key";
