//! Why a call about leaderboards failed. Unless a variant says otherwise, nothing is changed by it.

use std::borrow::Cow;

use crate::{
    error::{Error, ErrorKind},
    store::StoreError,
};

#[derive(Clone, Debug, thiserror::Error)]
pub enum LeaderboardError {
    #[error("Leaderboard not found.")]
    NotFound,
    /// Only scripts and the console may do this to the board; says what.
    #[error("Leaderboard only allows authoritative score {0}.")]
    Authoritative(&'static str),
    #[error("Cursor is invalid or expired.")]
    InvalidCursor,
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LeaderboardError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Authoritative(_) => ErrorKind::PermissionDenied,
            Self::InvalidCursor | Self::Invalid(_) => ErrorKind::InvalidArgument,
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<LeaderboardError> for Error {
    fn from(error: LeaderboardError) -> Self {
        match error {
            LeaderboardError::Store(error) => error.into(),
            other => Self::new(other.kind(), other.to_string()),
        }
    }
}
