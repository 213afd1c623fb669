//! Why a status call is refused.

use thiserror::Error;

use crate::{error::RealtimeCode, presence::JoinError};

/// Whatever the variant, nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StatusError {
    #[error("Invalid user identifier")]
    UserId,
    #[error("Invalid username")]
    Username,
    #[error("Status must be 2048 characters or less")]
    StatusLength,
    #[error("Could not check users")]
    Users,
    #[error("Error tracking status update")]
    Update(JoinError),
    #[error("Error following users: {0}")]
    Follow(JoinError),
}

impl StatusError {
    /// The code of the realtime error envelope.
    pub fn code(self) -> RealtimeCode {
        match self {
            Self::UserId | Self::Username | Self::StatusLength => RealtimeCode::BadInput,
            Self::Users | Self::Update(_) | Self::Follow(_) => RealtimeCode::RuntimeException,
        }
    }
}
