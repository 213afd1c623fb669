//! Why a chat call is refused.

use thiserror::Error;

use crate::{
    error::{Error, ErrorKind, RealtimeCode},
    presence::JoinError,
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
    #[error("Invalid channel type")]
    ChannelType,
    #[error("Invalid channel identifier")]
    ChannelId,
    #[error("Invalid message identifier")]
    MessageId,
    #[error("Message content must be a valid JSON object")]
    Content,
    #[error("Must join channel before {0} messages")]
    NotJoined(&'static str),
    #[error("Channel history is not built yet in this server.")]
    HistoryNotBuilt,
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
            Self::HistoryNotBuilt => ErrorKind::Unimplemented,
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
