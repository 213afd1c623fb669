//! What SQLite's errors mean to the store.

use rusqlite::{Connection, ErrorCode, ffi};

use crate::store::error::StoreError;

pub(super) fn store_error(connection: &Connection, error: &rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(code, message) = error else {
        return StoreError::statement(error);
    };
    let message = message.as_deref().unwrap_or("no message");
    match code.code {
        ErrorCode::ConstraintViolation => constraint(connection, code.extended_code, message),
        ErrorCode::TooBig => StoreError::Check(message.into()),
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::DiskFull
        | ErrorCode::SystemIoFailure
        | ErrorCode::ReadOnly
        | ErrorCode::CannotOpen
        | ErrorCode::OutOfMemory
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase => StoreError::Unavailable(message.into()),
        _ => StoreError::statement(message),
    }
}

fn constraint(connection: &Connection, code: i32, message: &str) -> StoreError {
    let subject = message.split_once(": ").map_or(message, |(_, subject)| subject);
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID => {
            StoreError::Unique(unique_name(connection, subject).unwrap_or_else(|| subject.into()))
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::ForeignKey(subject.into()),
        // A sum that leaves the range of integers becomes a float, which no column takes.
        ffi::SQLITE_CONSTRAINT_CHECK
        | ffi::SQLITE_CONSTRAINT_NOTNULL
        | ffi::SQLITE_CONSTRAINT_DATATYPE => StoreError::Check(subject.into()),
        _ => StoreError::statement(message),
    }
}

/// The name of the index behind `table.column, table.column`, which is all that SQLite tells. A primary
/// key is named as PostgreSQL names it.
fn unique_name(connection: &Connection, subject: &str) -> Option<Box<str>> {
    if let Some(name) = subject.strip_prefix("index '") {
        return Some(name.trim_end_matches('\'').into());
    }
    let (table, _) = subject.split_once('.')?;
    let columns: Vec<&str> =
        subject.split(", ").filter_map(|part| Some(part.split_once('.')?.1)).collect();
    let mut statement = connection
        .prepare_cached(
            "select l.name, l.origin, (select group_concat(i.name) from pragma_index_info(l.name) i) \
             from pragma_index_list($1) l where l.\"unique\"",
        )
        .ok()?;
    let wanted = columns.join(",");
    let mut rows = statement.query([table]).ok()?;
    while let Ok(Some(row)) = rows.next() {
        let (name, origin, columns): (String, String, String) =
            (row.get(0).ok()?, row.get(1).ok()?, row.get(2).ok()?);
        if columns == wanted {
            let name = if origin == "pk" { format!("{table}_pkey") } else { name };
            return Some(name.into());
        }
    }
    None
}
