//! Why an account was not read or changed. The account is unchanged by any of these.

use crate::{
    auth::AuthError,
    error::{Error, ErrorKind},
    store::StoreError,
};

#[derive(Clone, Debug, thiserror::Error)]
pub enum AccountError {
    #[error("{0}")]
    Invalid(&'static str),
    /// A rule refused an operator's change; the sentence says which.
    #[error("{0}")]
    Refused(String),
    /// A user id in a request is none.
    #[error("ID '{0}' is not a valid system ID.")]
    InvalidId(String),
    #[error("Account not found.")]
    NotFound,
    /// Another account signs in with it; says with what.
    #[error("{0}")]
    InUse(&'static str),
    /// The sign-in already takes this sentence as a conflict; a change of name has always been refused
    /// as a bad argument.
    #[error("Username is already in use.")]
    UsernameTaken,
    #[error("Cannot unlink last account identifier. Check profile exists and is not last link.")]
    NotUnlinked,
    /// An operator unlinks what is not there, or the last identifier; says what.
    #[error("Cannot unlink {0} when there are no other identifiers.")]
    LastIdentifier(&'static str),
    #[error("The system user cannot be banned or deleted.")]
    SystemUser,
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccountError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_)
            | Self::Refused(_)
            | Self::InvalidId(_)
            | Self::UsernameTaken
            | Self::SystemUser => ErrorKind::InvalidArgument,
            Self::NotFound => ErrorKind::NotFound,
            Self::InUse(_) => ErrorKind::AlreadyExists,
            Self::NotUnlinked | Self::LastIdentifier(_) => ErrorKind::PermissionDenied,
            Self::Auth(error) => error.kind(),
            Self::Store(error) => error.kind(),
        }
    }
}

impl From<AccountError> for Error {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Invalid(sentence) => Self::invalid(sentence),
            AccountError::Auth(error) => error.into(),
            AccountError::Store(error) => error.into(),
            other => Self::new(other.kind(), other.to_string()),
        }
    }
}
