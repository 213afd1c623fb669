//! Why a call about tournaments failed. Nothing is changed by any of these.

use std::borrow::Cow;

use crate::{
    error::{Error, ErrorKind},
    leaderboards::LeaderboardError,
    store::{StoreError, leaderboards::attempts::Refused},
};

#[derive(Clone, Debug, thiserror::Error)]
pub enum TournamentError {
    #[error("Tournament not found.")]
    NotFound,
    #[error("Tournament not found or has ended.")]
    Over,
    /// It has ended; earlier periods can still be listed.
    #[error("Tournament has ended.")]
    Ended,
    #[error("Tournament is not active and cannot accept new joins.")]
    NotJoinable,
    #[error("Tournament cannot be joined as it has reached its max size.")]
    FullToJoin,
    #[error("Tournament is not active and cannot accept new scores.")]
    NotActive,
    #[error("Tournament has reached max size.")]
    Full,
    #[error("Reached allowed max number of score attempts.")]
    Spent,
    #[error("Must join tournament before attempting to write value.")]
    NotJoined,
    /// Only scripts and the console may do this; says what.
    #[error("Tournament only allows authoritative score {0}.")]
    Authoritative(&'static str),
    #[error("Cursor is invalid or expired.")]
    InvalidCursor,
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TournamentError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound | Self::Over | Self::Ended => ErrorKind::NotFound,
            Self::NotActive | Self::Full | Self::Spent | Self::NotJoined => {
                ErrorKind::FailedPrecondition
            }
            Self::Authoritative(_) => ErrorKind::PermissionDenied,
            Self::NotJoinable | Self::FullToJoin | Self::InvalidCursor | Self::Invalid(_) => {
                ErrorKind::InvalidArgument
            }
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<LeaderboardError> for TournamentError {
    fn from(error: LeaderboardError) -> Self {
        match error {
            LeaderboardError::NotFound => Self::NotFound,
            LeaderboardError::Authoritative(what) => Self::Authoritative(what),
            LeaderboardError::InvalidCursor => Self::InvalidCursor,
            LeaderboardError::Invalid(why) => Self::Invalid(why),
            LeaderboardError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Refused> for TournamentError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Self::Full,
            Refused::Spent => Self::Spent,
            Refused::NotJoined => Self::NotJoined,
            Refused::Store(error) => Self::Store(error),
        }
    }
}

impl From<TournamentError> for Error {
    fn from(error: TournamentError) -> Self {
        match error {
            TournamentError::Store(error) => error.into(),
            other => Self::new(other.kind(), other.to_string()),
        }
    }
}
