//! What can go wrong in the store.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// A failure of the store. Unless a variant says otherwise, the database is unchanged by the call.
///
/// The text never holds a parameter's value or a password; it may hold names of tables and columns, so
/// it goes to logs, not to clients: [`Error::from`] writes the client's sentence.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or went away. A write whose commit was on its way may have
    /// happened all the same.
    #[error("the database is not available: {0}")]
    Unavailable(Box<str>),
    /// A bounded queue of the store is full. Nothing was started.
    #[error("the store is overloaded: {0} is full")]
    Overloaded(&'static str),
    /// The call took longer than it may. A write may still happen.
    #[error("the database did not answer in time")]
    Deadline,
    /// Serialization failures persisted through all retries.
    #[error("the transaction kept conflicting with others")]
    Contended,
    /// A unique constraint or index refused the row. Holds its name, the same on both databases.
    #[error("unique constraint {0} is violated")]
    Unique(Box<str>),
    /// A foreign key refused the row. Holds its name where the database tells it.
    #[error("foreign key {0} is violated")]
    ForeignKey(Box<str>),
    /// A check constraint, a length or a range refused a value.
    #[error("a value is out of its bounds: {0}")]
    Check(Box<str>),
    /// A row was expected and there is none.
    #[error("no such row")]
    NoRow,
    /// A statement failed earlier in this transaction; it can only be rolled back.
    #[error("the transaction has failed already")]
    Failed,
    /// A statement or a column does not fit the code: a bug in the store's own SQL, or a schema that
    /// somebody changed.
    #[error("a statement does not fit: {0}")]
    Statement(Box<str>),
    /// The schema is behind or ahead of what this server needs.
    #[error("{0}")]
    Schema(Box<str>),
    /// The configuration or the database file cannot be used. Start-up only.
    #[error("{0}")]
    Open(Box<str>),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The commit failed, as on a full disk. Nothing of the transaction (and of its batch) remains.
    #[error("the commit failed: {0}")]
    Commit(Box<str>),
}

impl StoreError {
    /// The only place that says which kind each failure is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable(_) | Self::Closed | Self::Commit(_) => ErrorKind::Unavailable,
            Self::Overloaded(_) => ErrorKind::ResourceExhausted,
            Self::Deadline => ErrorKind::DeadlineExceeded,
            Self::Contended => ErrorKind::Aborted,
            Self::Unique(_) => ErrorKind::AlreadyExists,
            Self::ForeignKey(_) => ErrorKind::FailedPrecondition,
            Self::Check(_) => ErrorKind::InvalidArgument,
            Self::NoRow => ErrorKind::NotFound,
            Self::Failed | Self::Statement(_) | Self::Schema(_) | Self::Open(_) => {
                ErrorKind::Internal
            }
        }
    }

    /// Whether the named unique constraint refused the row.
    pub fn is_unique(&self, constraint: &str) -> bool {
        matches!(self, Self::Unique(name) if &**name == constraint)
    }

    pub(crate) fn statement(what: impl fmt::Display) -> Self {
        Self::Statement(what.to_string().into())
    }

    pub(crate) fn open(what: impl fmt::Display) -> Self {
        Self::Open(what.to_string().into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = error.kind();
        if kind == ErrorKind::Internal {
            // Here the cause is left behind: clients get a sentence that says nothing of it.
            tracing::error!(%error, "the store failed");
        }
        let message = match error {
            StoreError::Unavailable(_) | StoreError::Closed | StoreError::Commit(_) => {
                "The database is not available."
            }
            StoreError::Overloaded(_) => "The database is overloaded, try again later.",
            StoreError::Deadline => "The database did not answer in time.",
            StoreError::Contended => "The write conflicted with others, try again.",
            StoreError::Unique(_) => "The value is already in use.",
            StoreError::ForeignKey(_) => "What this refers to does not exist.",
            StoreError::Check(_) => "A value is out of its bounds.",
            StoreError::NoRow => "Not found.",
            StoreError::Failed
            | StoreError::Statement(_)
            | StoreError::Schema(_)
            | StoreError::Open(_) => "The database failed.",
        };
        Error::new(kind, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_never_reads_the_names_of_the_store() {
        let error = Error::from(StoreError::Unique("users_username_key".into()));
        assert_eq!(error.kind, ErrorKind::AlreadyExists);
        assert!(!error.message.contains("users"));
        let error = Error::from(StoreError::Unavailable("10.0.0.7:5432 refused".into()));
        assert!(!error.message.contains("10.0.0.7"));
    }
}
