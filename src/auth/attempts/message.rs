//! What the owner of a key can be asked.

use std::net::IpAddr;

use futures_util::future::LocalBoxFuture;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttemptKey {
    Account(Box<str>),
    Address(IpAddr),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptRequest {
    /// May this key try now?
    Check(AttemptKey),
    /// It tried and failed.
    Failed(AttemptKey),
    /// It signed in: what was counted is forgotten, a lock too.
    Succeeded(AttemptKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// Unix milliseconds at which it may try again.
    LockedUntil(i64),
}

/// The way to the owners of all keys.
pub trait AskAttempts {
    /// Asks the owner of the key. An owner that does not answer allows nothing: `None`.
    fn attempt(&self, request: AttemptRequest) -> LocalBoxFuture<'_, Option<Verdict>>;
}
