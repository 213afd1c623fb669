//! Why objects were not read, written or deleted. Nothing is changed by any of these.

use crate::{
    error::{Error, ErrorKind},
    store::{StoreError, storage::StorageFailure},
};

#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    #[error("{0}")]
    Invalid(&'static str),
    #[error("Malformed cursor was used.")]
    BadCursor,
    /// A version or permission refused a write, or there was nothing to delete.
    #[error(transparent)]
    Refused(StorageFailure),
    /// The owner does not exist (any more).
    #[error("User account not found.")]
    NoOwner,
    #[error(transparent)]
    Store(StoreError),
}

impl StorageError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) | Self::BadCursor | Self::Refused(_) => ErrorKind::InvalidArgument,
            Self::NoOwner => ErrorKind::NotFound,
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<StoreError> for StorageError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::ForeignKey(_) => Self::NoOwner,
            error => Self::Store(error),
        }
    }
}

impl From<StorageFailure> for StorageError {
    fn from(failure: StorageFailure) -> Self {
        match failure {
            StorageFailure::Store(error) => error.into(),
            refused @ (StorageFailure::Version
            | StorageFailure::Permission
            | StorageFailure::NotDeleted) => Self::Refused(refused),
        }
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Store(error) => error.into(),
            other => Self::new(other.kind(), other.to_string()),
        }
    }
}
