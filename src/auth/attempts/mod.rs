//! Failed sign-ins with a password, and who is locked out because of them.
//!
//! The ring gives every key, an account name or a client address, one owner shard. Bounds: at most
//! [`KEYS_MAX`](state::KEYS_MAX) keys a shard, each with at most as many attempts as lock it; when full,
//! the key whose last failure is oldest makes room, so that a flood of names cannot grow the table.

pub mod message;
pub mod state;

pub use message::{AskAttempts, AttemptKey, AttemptRequest, Verdict};
pub use state::Attempts;
