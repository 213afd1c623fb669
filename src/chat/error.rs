//! Why a chat call is refused.

use thiserror::Error;

use super::Deed;
use crate::{
    error::{Error, ErrorKind, RealtimeCode},
    presence::JoinError,
    store::StoreError,
};

/// Whatever the variant, nothing was changed and nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ChatError {
    #[error("Invalid channel target")]
    TargetMissing,
    #[error("Channel name is required and must be 1-64 chars: Invalid channel target")]
    RoomNameLength,
    #[error("Channel name must not contain control chars: Invalid channel target")]
    RoomNameControl,
    #[error("Invalid user ID in direct message join: Invalid channel target")]
    DirectTarget,
    #[error("User ID not found: Invalid channel target")]
    UserNotFound,
    #[error("Invalid group ID in group channel join: Invalid channel target")]
    GroupTarget,
    #[error("Group not found: Invalid channel target")]
    GroupNotFound,
    /// The store failed, asked for this.
    #[error("Failed to look up {0}")]
    NotChecked(&'static str),
    #[error("Invalid channel type")]
    ChannelType,
    #[error("Invalid channel identifier")]
    ChannelId,
    #[error("Invalid message identifier")]
    MessageId,
    #[error("Message content must be a valid JSON object")]
    Content,
    #[error("Must join channel before {} messages", .0.doing())]
    NotJoined(Deed),
    /// The channel has no such message of the sender's; which was to be changed so.
    #[error("Could not find message to {} in channel history", .0.verb())]
    NoMessage(Deed),
    /// The store failed.
    #[error("Could not persist {} to channel history", .0.object())]
    NotKept(Deed),
    #[error("Error joining channel: {0}")]
    Join(JoinError),
    #[error("The server is too busy to send this message.")]
    Busy,
}

impl ChatError {
    pub fn kind(self) -> ErrorKind {
        match self {
            Self::TargetMissing
            | Self::RoomNameLength
            | Self::RoomNameControl
            | Self::DirectTarget
            | Self::UserNotFound
            | Self::GroupTarget
            | Self::GroupNotFound
            | Self::ChannelType
            | Self::ChannelId
            | Self::MessageId
            | Self::Content
            | Self::NotJoined(_) => ErrorKind::InvalidArgument,
            Self::NoMessage(_) => ErrorKind::NotFound,
            Self::NotChecked(_) | Self::NotKept(_) => ErrorKind::Internal,
            Self::Join(error) => error.kind(),
            Self::Busy => ErrorKind::Unavailable,
        }
    }

    /// The code of the realtime error envelope.
    pub fn code(self) -> RealtimeCode {
        self.kind().into()
    }
}

impl From<ChatError> for Error {
    fn from(error: ChatError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

/// Why a history is not listed.
#[derive(Clone, Debug, Error)]
pub enum HistoryError {
    #[error("Invalid channel ID.")]
    ChannelId,
    #[error("Invalid limit - limit must be between 1 and 100.")]
    Limit,
    #[error("Cursor is invalid or expired.")]
    Cursor,
    /// Or the caller is no member.
    #[error("Group not found.")]
    GroupNotFound,
    /// The caller is neither of the two who talk.
    #[error("Channel not found.")]
    ChannelNotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HistoryError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::ChannelId
            | Self::Limit
            | Self::Cursor
            | Self::GroupNotFound
            | Self::ChannelNotFound => ErrorKind::InvalidArgument,
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<HistoryError> for Error {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Store(error) => error.into(),
            other => Self::new(other.kind(), other.to_string()),
        }
    }
}
