//! Why the matchmaker refuses.

use thiserror::Error;

/// Whatever the variant, the pool is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MatchmakerError {
    #[error("matchmaker query invalid")]
    Query,
    #[error("matchmaker duplicate session")]
    DuplicateSession,
    #[error("matchmaker too many tickets")]
    TooManyTickets,
    #[error("matchmaker ticket not found")]
    TicketNotFound,
    /// The pool is full, its owner did not answer, or the session is gone.
    #[error("matchmaker not available")]
    NotAvailable,
    #[error("matchmaker minimum count too large")]
    TooLarge,
}

/// Counts that no match can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CountError {
    #[error("Invalid minimum count, must be >= 2")]
    Min,
    #[error("Invalid maximum count, must be >= minimum count")]
    Max,
    #[error("Invalid count multiple, must be >= 1")]
    Multiple,
    #[error("Invalid count multiple for minimum count, must divide")]
    MinMultiple,
    #[error("Invalid count multiple for maximum count, must divide")]
    MaxMultiple,
}
