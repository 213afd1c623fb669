//! Why signing in, refreshing or logging out failed. Nothing is changed by any of these.

use kakera_shards::runtime::OffloadError;

use crate::{
    error::{Error, ErrorKind},
    store::StoreError,
};

#[derive(Clone, Debug, thiserror::Error)]
pub enum AuthError {
    /// An identifier, name, address or password breaks a rule; the sentence says which.
    #[error("{0}")]
    Invalid(&'static str),
    #[error("User account not found.")]
    AccountNotFound,
    #[error("User account banned.")]
    Banned,
    /// Wrong password, or an account without one: told apart to nobody.
    #[error("Invalid credentials.")]
    BadCredentials,
    #[error("Username is already in use.")]
    UsernameTaken,
    #[error("Refresh token invalid or expired.")]
    RefreshTokenRefused,
    /// A logout names a session token that is not the caller's own valid one.
    #[error("Session token invalid.")]
    SessionTokenInvalid,
    /// Likewise for the refresh token.
    #[error("Refresh token invalid.")]
    RefreshTokenInvalid,
    /// The shards could not all be told of a revocation in time; it may hold on some of them.
    #[error("Error processing session logout.")]
    NotRevoked,
    /// The revocation table is at its bound.
    #[error("Too many revoked sessions, try again later.")]
    RevocationsFull,
    /// The threads that hash passwords are busy and their queue is full.
    #[error("The server is busy, try again later.")]
    Busy,
    /// A password could not be hashed, or a token not signed.
    #[error("Error finding or creating user account.")]
    Crypto,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AuthError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) | Self::SessionTokenInvalid | Self::RefreshTokenInvalid => {
                ErrorKind::InvalidArgument
            }
            Self::AccountNotFound => ErrorKind::NotFound,
            Self::Banned => ErrorKind::PermissionDenied,
            Self::BadCredentials | Self::RefreshTokenRefused => ErrorKind::Unauthenticated,
            Self::UsernameTaken => ErrorKind::AlreadyExists,
            Self::RevocationsFull | Self::Busy => ErrorKind::ResourceExhausted,
            Self::NotRevoked => ErrorKind::Unavailable,
            Self::Crypto => ErrorKind::Internal,
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid(sentence) => Self::invalid(sentence),
            AuthError::Store(error) => error.into(),
            other => Self::new(other.kind(), other.to_string()),
        }
    }
}

impl From<OffloadError> for AuthError {
    fn from(error: OffloadError) -> Self {
        match error {
            OffloadError::Overloaded => Self::Busy,
            OffloadError::Panicked => Self::Crypto,
        }
    }
}

impl From<jsonwebtoken::errors::Error> for AuthError {
    fn from(_: jsonwebtoken::errors::Error) -> Self {
        Self::Crypto
    }
}
