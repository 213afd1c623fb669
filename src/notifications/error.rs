//! Why a notification call fails.

use thiserror::Error;

use crate::{
    error::{Error, ErrorKind},
    store::StoreError,
};

/// Whatever the variant, nothing was stored, nothing was deleted, and nobody was told, unless
/// [`super::Notifications::send`] was given more than one batch: those before the failed one are out.
#[derive(Clone, Debug, Error)]
pub enum NotificationError {
    #[error("Notification subject must have 255 characters or less.")]
    Subject,
    #[error("Notification content must be a JSON object.")]
    Content,
    #[error("Notification code is out of range.")]
    Code,
    /// A recipient has no account.
    #[error("Notification recipient not found.")]
    UnknownUser,
    /// As many notices to everybody are on their way as may be.
    #[error("Too many notifications to all users are being sent, try again later.")]
    TooMany,
    #[error("Invalid limit - limit must be between 1 and 100.")]
    Limit,
    /// A cursor that this call never gave out.
    #[error("Error retrieving notifications.")]
    Cursor,
    /// Likewise, of the listing for operators.
    #[error("Malformed cursor was used.")]
    PageCursor,
    #[error("Notification not found.")]
    Unknown,
    /// An id that is none.
    #[error("Error while deleting notifications.")]
    Ids,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotificationError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Subject | Self::Content | Self::Code | Self::Limit | Self::PageCursor => {
                ErrorKind::InvalidArgument
            }
            Self::UnknownUser | Self::Unknown => ErrorKind::NotFound,
            Self::TooMany => ErrorKind::ResourceExhausted,
            // What the reference answers, though the client is to blame.
            Self::Cursor | Self::Ids => ErrorKind::Internal,
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<NotificationError> for Error {
    fn from(error: NotificationError) -> Self {
        match error {
            // Its sentence for clients says nothing of the store's insides.
            NotificationError::Store(error) => error.into(),
            error => Self::new(error.kind(), error.to_string()),
        }
    }
}
