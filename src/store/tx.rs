//! What the steps of a read and of a transaction are given.

use std::ops::{Deref, DerefMut};

use super::{
    error::StoreError,
    postgres::PgConnection,
    row::{FromRow, Row},
    sqlite::SqliteConnection,
    storable,
    value::Param,
};

/// Rows one statement may return. A listing has its own limit far below; this one stops a statement
/// without any.
pub const ROW_COUNT_MAX: usize = 100_000;

/// Reads statements. The statements of one read are not one snapshot; those of a transaction are as
/// isolated as the database makes them (READ COMMITTED on PostgreSQL, serial on SQLite).
pub struct Reader<'a> {
    driver: Driver<'a>,
    /// The first failure, after which PostgreSQL only takes a rollback; SQLite is held to the same.
    failure: Option<StoreError>,
    in_transaction: bool,
}

enum Driver<'a> {
    Sqlite(&'a SqliteConnection),
    Postgres {
        connection: &'a PgConnection,
        /// A transaction that has not begun: it does with its first statement.
        begin: bool,
    },
}

impl<'a> Reader<'a> {
    pub(super) fn sqlite(connection: &'a SqliteConnection) -> Self {
        Self { driver: Driver::Sqlite(connection), failure: None, in_transaction: false }
    }

    pub(super) fn postgres(connection: &'a PgConnection) -> Self {
        let driver = Driver::Postgres { connection, begin: false };
        Self { driver, failure: None, in_transaction: false }
    }

    /// All rows, at most [`ROW_COUNT_MAX`].
    pub async fn rows(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        self.refuse(params)?;
        let result = match &mut self.driver {
            Driver::Sqlite(connection) => connection.rows(sql, params),
            Driver::Postgres { connection, begin } => {
                connection.rows(sql, params, std::mem::take(begin)).await
            }
        };
        let result = result.and_then(|rows| {
            if rows.len() > ROW_COUNT_MAX {
                return Err(StoreError::statement("the statement returned too many rows"));
            }
            Ok(rows)
        });
        self.note(result)
    }

    /// All rows, read as `T`.
    pub async fn all<T: FromRow>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.rows(sql, params).await?;
        rows.iter().map(|row| T::from_row(&mut row.columns())).collect()
    }

    /// The first row, if there is one.
    pub async fn optional<T: FromRow>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Option<T>, StoreError> {
        let rows = self.rows(sql, params).await?;
        rows.first().map(|row| T::from_row(&mut row.columns())).transpose()
    }

    /// The first row; [`StoreError::NoRow`] if there is none.
    pub async fn one<T: FromRow>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<T, StoreError> {
        self.optional(sql, params).await?.ok_or(StoreError::NoRow)
    }

    /// Runs statements, in their order, without waiting for one before the next is sent; yields the rows
    /// of each. On PostgreSQL that is one flight instead of one for each. When one fails, what the
    /// others did stands only outside of a transaction.
    pub async fn pipeline(
        &mut self,
        statements: &[(&str, Vec<Param<'_>>)],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        for (_, params) in statements {
            self.refuse(params)?;
        }
        let result = match &mut self.driver {
            Driver::Sqlite(connection) => {
                statements.iter().map(|(sql, params)| connection.rows(sql, params)).collect()
            }
            Driver::Postgres { connection, begin } => {
                connection.pipeline(statements, std::mem::take(begin)).await
            }
        };
        self.note(result)
    }

    /// Only where writing is meant: a reader thread refuses it.
    pub(super) async fn execute(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<u64, StoreError> {
        self.refuse(params)?;
        let result = match &mut self.driver {
            Driver::Sqlite(connection) => connection.execute(sql, params),
            Driver::Postgres { connection, begin } => {
                connection.execute(sql, params, std::mem::take(begin)).await
            }
        };
        self.note(result)
    }

    /// Before a statement: not after a failure, and not with what cannot be kept.
    fn refuse(&mut self, params: &[Param<'_>]) -> Result<(), StoreError> {
        if self.in_transaction && self.failure.is_some() {
            return Err(StoreError::Failed);
        }
        self.note(storable::check(params))
    }

    fn note<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result
            && self.in_transaction
        {
            self.failure = Some(error.clone());
        }
        result
    }
}

/// A transaction. It commits if its steps return `Ok`, and is rolled back if they return `Err`, or if
/// any statement failed: a conflict is resolved in SQL (`on conflict`) or by a new transaction.
pub struct Tx<'a>(Reader<'a>);

impl<'a> Tx<'a> {
    pub(super) fn sqlite(connection: &'a SqliteConnection) -> Self {
        let mut reader = Reader::sqlite(connection);
        reader.in_transaction = true;
        Self(reader)
    }

    /// Runs a statement that returns no rows; yields how many rows it changed.
    pub async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        self.0.execute(sql, params).await
    }

    pub(super) fn postgres(connection: &'a PgConnection) -> Self {
        let driver = Driver::Postgres { connection, begin: true };
        Self(Reader { driver, failure: None, in_transaction: true })
    }

    /// Whether anything was begun that must be ended.
    pub(super) fn has_begun(&self) -> bool {
        match &self.0.driver {
            Driver::Sqlite(_) => true,
            Driver::Postgres { begin, .. } => !begin,
        }
    }

    /// The statement failure that keeps this transaction from committing.
    pub(super) fn into_failure(self) -> Option<StoreError> {
        self.0.failure
    }
}

impl<'a> Deref for Tx<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
