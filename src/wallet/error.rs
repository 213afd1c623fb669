//! Why wallets or their ledger were not read or changed. Nothing is changed by any of these.

use crate::{
    error::{Error, ErrorKind},
    store::{StoreError, wallet::WalletFailure},
};

#[derive(Clone, Debug, thiserror::Error)]
pub enum WalletError {
    #[error("{0}")]
    Invalid(&'static str),
    #[error("wallet ledger cursor invalid")]
    BadCursor,
    #[error("wallet ledger item not found")]
    NoEntry,
    #[error(transparent)]
    Refused(WalletFailure),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WalletError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) | Self::BadCursor => ErrorKind::InvalidArgument,
            Self::NoEntry => ErrorKind::NotFound,
            Self::Refused(WalletFailure::Negative { .. } | WalletFailure::TooLarge { .. }) => {
                ErrorKind::InvalidArgument
            }
            Self::Refused(WalletFailure::Unreadable(_)) => ErrorKind::Internal,
            Self::Refused(WalletFailure::Store(error)) | Self::Store(error) => error.kind(),
        }
    }
}

impl From<WalletFailure> for WalletError {
    fn from(failure: WalletFailure) -> Self {
        match failure {
            WalletFailure::Store(error) => Self::Store(error),
            refused @ (WalletFailure::Negative { .. }
            | WalletFailure::TooLarge { .. }
            | WalletFailure::Unreadable(_)) => Self::Refused(refused),
        }
    }
}

impl From<WalletError> for Error {
    fn from(error: WalletError) -> Self {
        match error {
            WalletError::Store(error) => error.into(),
            other => Self::new(other.kind(), other.to_string()),
        }
    }
}
