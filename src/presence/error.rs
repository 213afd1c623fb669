//! What can go wrong with a stream.

use thiserror::Error;

use crate::error::{Error, ErrorKind};

/// Why a join failed. Whatever the variant, the session is not on the stream, unless it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JoinError {
    #[error("Stream not found.")]
    NotFound,
    #[error("This stream is full.")]
    StreamFull,
    #[error("Too many streams on this server.")]
    StreamsFull,
    #[error("The session has joined too many streams.")]
    SessionFull,
    #[error("The session follows too many users.")]
    FollowsFull,
    /// The session closed, or left the stream, before the answer came.
    #[error("The session left before it had joined.")]
    Left,
    /// The owner did not answer, or could not be asked.
    #[error("The server is too busy to join now.")]
    Unavailable,
    /// Another shard owns this stream: the two sides disagree on the ring.
    #[error("The stream has moved.")]
    NotOwner,
}

impl JoinError {
    pub fn kind(self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::StreamFull | Self::StreamsFull | Self::SessionFull | Self::FollowsFull => {
                ErrorKind::ResourceExhausted
            }
            Self::Left => ErrorKind::Cancelled,
            Self::Unavailable | Self::NotOwner => ErrorKind::Unavailable,
        }
    }
}

impl From<JoinError> for Error {
    fn from(error: JoinError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}
