//! Why a call about friends fails. Nothing has changed then.

use crate::{
    error::{Error, ErrorKind},
    store::StoreError,
};

#[derive(Clone, Debug, thiserror::Error)]
pub enum FriendError {
    /// Holds what was to be done: `Cannot block self.`
    #[error("{0}")]
    Oneself(&'static str),
    #[error("Invalid user ID '{0}'.")]
    Id(String),
    #[error("Username must not be empty.")]
    Username,
    /// None of the usernames is anybody's.
    #[error("No valid ID or username was provided.")]
    Nobody,
    /// The caller's own account.
    #[error("User account not found.")]
    Gone,
    #[error("Friend metadata must be a JSON object.")]
    Metadata,
    /// Holds the upper bound.
    #[error("Invalid limit - limit must be between 1 and {0}.")]
    Limit(i32),
    #[error("Invalid state - state must be between 0 and 3.")]
    State,
    #[error("Cursor is invalid.")]
    Cursor,
    /// The positions that were drawn were taken every time.
    #[error("Friends could not be changed, try again.")]
    Contended,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FriendError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Oneself(_)
            | Self::Id(_)
            | Self::Username
            | Self::Nobody
            | Self::Metadata
            | Self::Limit(_)
            | Self::State
            | Self::Cursor => ErrorKind::InvalidArgument,
            Self::Gone => ErrorKind::NotFound,
            Self::Contended => ErrorKind::Aborted,
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<FriendError> for Error {
    fn from(error: FriendError) -> Self {
        match error {
            // Its sentence for clients says nothing of the store's insides.
            FriendError::Store(error) => error.into(),
            error => Self::new(error.kind(), error.to_string()),
        }
    }
}
