//! Why a call about groups fails. Nothing has changed then.

use crate::{
    error::{Error, ErrorKind},
    store::StoreError,
};

#[derive(Clone, Debug, thiserror::Error)]
pub enum GroupError {
    /// What the request holds is not to be had.
    #[error("{0}")]
    Invalid(&'static str),
    #[error("Group name is in use.")]
    NameInUse,
    /// To clients a new name that is taken has always been a bad argument.
    #[error("Group name is in use.")]
    RenamedInUse,
    #[error("Group not found.")]
    NotFound,
    /// The caller does not lead the group; whether there is one is not told.
    #[error("Group not found or permission denied.")]
    Denied,
    #[error("Group not found or you're not allowed to update.")]
    UpdateDenied,
    #[error("Group not found or you're not allowed to delete.")]
    DeleteDenied,
    #[error("Group is full.")]
    Full,
    /// The caller's own account.
    #[error("User account not found.")]
    Gone,
    #[error("One or more users not found.")]
    UserNotFound,
    #[error("Cannot leave group when you are the last superadmin.")]
    LastSuperadmin,
    #[error("Invalid limit - limit must be between 1 and 100.")]
    Limit,
    #[error("Invalid state - state must be between 0 and 4.")]
    State,
    #[error("Cursor is invalid.")]
    Cursor,
    /// A cursor that the list of groups never gave out.
    #[error("Error while trying to list groups.")]
    ListCursor,
    /// The positions that were drawn were taken every time.
    #[error("The group could not be changed, try again.")]
    Contended,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl GroupError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_)
            | Self::RenamedInUse
            | Self::DeleteDenied
            | Self::Full
            | Self::UserNotFound
            | Self::LastSuperadmin
            | Self::Limit
            | Self::State
            | Self::Cursor => ErrorKind::InvalidArgument,
            Self::NameInUse => ErrorKind::AlreadyExists,
            Self::NotFound | Self::Denied | Self::UpdateDenied | Self::Gone => ErrorKind::NotFound,
            // What the reference answers, though the client is to blame.
            Self::ListCursor => ErrorKind::Internal,
            Self::Contended => ErrorKind::Aborted,
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<GroupError> for Error {
    fn from(error: GroupError) -> Self {
        match error {
            // Its sentence for clients says nothing of the store's insides.
            GroupError::Store(error) => error.into(),
            error => Self::new(error.kind(), error.to_string()),
        }
    }
}
