//! Rows of a result, the same for both drivers.

use uuid::Uuid;

use super::{error::StoreError, value::Timestamp};
use crate::ids::{GroupId, UserId};

/// One column of a row, as a driver lends it.
#[derive(Clone, Debug)]
pub enum Column<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Uuid(Uuid),
    Time(Timestamp),
    /// The elements of an array of texts.
    Texts(Vec<String>),
}

/// A row that has left its driver.
#[derive(Debug)]
pub struct Row(pub(super) Repr);

#[derive(Debug)]
pub(super) enum Repr {
    Sqlite(Box<[rusqlite::types::Value]>),
    Postgres(tokio_postgres::Row),
}

impl Row {
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Sqlite(values) => values.len(),
            Repr::Postgres(row) => row.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The column at `index`, from 0.
    pub fn get<T: FromColumn>(&self, index: usize) -> Result<T, StoreError> {
        let read = match &self.0 {
            Repr::Sqlite(values) => super::sqlite::column(values.get(index)),
            Repr::Postgres(row) => super::postgres::column(row, index),
        };
        read.and_then(T::from_column).map_err(|error| match error {
            StoreError::Statement(what) => {
                StoreError::statement(format_args!("column {index}: {what}"))
            }
            other => other,
        })
    }

    /// Reads the columns one after the other.
    pub fn columns(&self) -> Columns<'_> {
        Columns { row: self, next: 0 }
    }
}

/// Walks over the columns of a row in the order of the `select` list.
#[derive(Debug)]
pub struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

impl Columns<'_> {
    /// The next column. An error if the row has no more, or the type differs.
    pub fn take<T: FromColumn>(&mut self) -> Result<T, StoreError> {
        let index = self.next;
        self.next += 1;
        self.row.get(index)
    }
}

/// What a row can be read as: a tuple-like struct that takes its columns in order.
pub trait FromRow: Sized {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError>;
}

macro_rules! tuple_rows {
    ($($($name:ident)+;)*) => {
        $(impl<$($name: FromColumn),+> FromRow for ($($name,)+) {
            fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
                Ok(($(columns.take::<$name>()?,)+))
            }
        })*
    };
}

tuple_rows! { A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; }

/// What a column can be read as.
pub trait FromColumn: Sized {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError>;
}

fn differs(wanted: &'static str, column: &Column<'_>) -> StoreError {
    let found = match column {
        Column::Null => "null",
        Column::Bool(_) => "a boolean",
        Column::Int(_) => "an integer",
        Column::Float(_) => "a float",
        Column::Text(_) => "a text",
        Column::Bytes(_) => "bytes",
        Column::Uuid(_) => "a uuid",
        Column::Time(_) => "a time",
        Column::Texts(_) => "an array of texts",
    };
    StoreError::statement(format_args!("{wanted} was wanted, the database holds {found}"))
}

impl FromColumn for i64 {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        match column {
            Column::Int(value) => Ok(value),
            other => Err(differs("an integer", &other)),
        }
    }
}

macro_rules! narrow_ints {
    ($($type:ty)*) => {
        $(impl FromColumn for $type {
            fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
                <$type>::try_from(i64::from_column(column)?).map_err(StoreError::statement)
            }
        })*
    };
}

narrow_ints! { i16 i32 }

impl FromColumn for bool {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        match column {
            Column::Bool(value) => Ok(value),
            Column::Int(value @ (0 | 1)) => Ok(value == 1),
            other => Err(differs("a boolean", &other)),
        }
    }
}

impl FromColumn for f64 {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        match column {
            Column::Float(value) => Ok(value),
            Column::Int(value) => Ok(value as f64),
            other => Err(differs("a float", &other)),
        }
    }
}

impl FromColumn for String {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        match column {
            Column::Text(value) => Ok(value.to_owned()),
            other => Err(differs("a text", &other)),
        }
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        match column {
            Column::Bytes(value) => Ok(value.to_vec()),
            other => Err(differs("bytes", &other)),
        }
    }
}

impl FromColumn for Vec<String> {
    /// An array of texts; SQLite hands it over as a JSON array.
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        match column {
            Column::Texts(values) => Ok(values),
            Column::Text(json) => serde_json::from_str(json).map_err(StoreError::statement),
            other => Err(differs("an array of texts", &other)),
        }
    }
}

impl FromColumn for Uuid {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        match column {
            Column::Uuid(value) => Ok(value),
            Column::Bytes(value) => Uuid::from_slice(value).map_err(StoreError::statement),
            other => Err(differs("a uuid", &other)),
        }
    }
}

impl FromColumn for UserId {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        Uuid::from_column(column).map(Self)
    }
}

impl FromColumn for GroupId {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        Uuid::from_column(column).map(Self)
    }
}

impl FromColumn for Timestamp {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        match column {
            Column::Time(value) => Ok(value),
            Column::Int(micros) => Ok(Self(micros)),
            other => Err(differs("a time", &other)),
        }
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(column: Column<'_>) -> Result<Self, StoreError> {
        match column {
            Column::Null => Ok(None),
            other => T::from_column(other).map(Some),
        }
    }
}
