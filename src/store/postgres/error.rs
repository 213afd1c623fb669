//! What PostgreSQL's errors mean to the store.

use tokio_postgres::{Error, error::DbError};

use crate::store::error::StoreError;

/// A table that does not exist.
pub(super) const UNDEFINED_TABLE: &str = "42P01";
/// A database that does not exist.
pub(super) const UNDEFINED_DATABASE: &str = "3D000";

pub(super) fn store_error(error: &Error) -> StoreError {
    if let Some(error) = error.as_db_error() {
        return server_error(error);
    }
    if error.is_closed() {
        return StoreError::Unavailable("the connection was lost".into());
    }
    let cause = std::error::Error::source(error);
    if cause.and_then(|cause| cause.downcast_ref::<std::io::Error>()).is_some() {
        return StoreError::Unavailable(describe(error).into());
    }
    StoreError::statement(describe(error))
}

/// The error with its causes; the crate's own text stops at the first.
pub(super) fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

fn server_error(error: &DbError) -> StoreError {
    let code = error.code().code();
    let name = || error.constraint().unwrap_or("without a name").into();
    match code {
        "23505" => StoreError::Unique(name()),
        "23503" => StoreError::ForeignKey(name()),
        "23514" => StoreError::Check(name()),
        "23502" => StoreError::Check(error.column().unwrap_or("a column").into()),
        // Serialization failure, deadlock, and what old CockroachDB calls a restart.
        "40001" | "40P01" | "CR000" => StoreError::Contended,
        "57014" => StoreError::Deadline,
        // A server that became a replica.
        "25006" => StoreError::Unavailable("the server is read-only".into()),
        _ => match code.get(..2) {
            // Values: too long, out of range, not of the type; nested too deeply, too big for an index. The
            // message would repeat the value.
            Some("22" | "54") => StoreError::Check(code.into()),
            // Connections, resources, operator's intervention, system errors, unknown outcomes.
            Some("08" | "53" | "57" | "58" | "40" | "XX") => {
                StoreError::Unavailable(format!("{code}: {}", error.message()).into())
            }
            _ => StoreError::statement(format_args!("{code}: {}", error.message())),
        },
    }
}
