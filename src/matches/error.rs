//! Why a match call is refused.

use thiserror::Error;

use crate::{error::RealtimeCode, presence::JoinError};

/// Whatever the variant, nothing was changed and nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MatchError {
    #[error("Invalid match ID")]
    Id,
    #[error("Invalid match token")]
    Token,
    #[error("No match ID or token found")]
    IdMissing,
    #[error("Match not found")]
    NotFound,
    #[error("Error joining match: {0}")]
    Join(JoinError),
    #[error("The server is too busy to send this data.")]
    Busy,
}

impl MatchError {
    /// The code of the realtime error envelope.
    pub fn code(self) -> RealtimeCode {
        match self {
            Self::Id | Self::Token | Self::IdMissing => RealtimeCode::BadInput,
            Self::NotFound => RealtimeCode::MatchNotFound,
            Self::Join(_) | Self::Busy => RealtimeCode::RuntimeException,
        }
    }
}

impl From<JoinError> for MatchError {
    fn from(error: JoinError) -> Self {
        if error == JoinError::NotFound { Self::NotFound } else { Self::Join(error) }
    }
}
