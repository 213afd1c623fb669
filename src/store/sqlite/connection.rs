//! One connection: runs statements and turns rows and parameters over.

use std::{
    cell::RefCell,
    ffi::CStr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use hashbrown::HashMap;
use rusqlite::{
    CachedStatement, Connection,
    config::DbConfig,
    functions::FunctionFlags,
    types::{ToSqlOutput, Value, ValueRef},
};

use super::error::store_error;
use crate::store::{
    dialect::Dialect,
    error::StoreError,
    row::{Column, Repr, Row},
    tx::ROW_COUNT_MAX,
    value::Param,
};

/// Prepared statements kept per connection.
const STATEMENTS_MAX: usize = 256;
/// Translated texts kept per connection. Built statements vary in their filters, not in their values,
/// so real use stays far below; past it the cache starts over.
const TRANSLATIONS_MAX: usize = 1024;
/// The pointer type that `rarray` looks for.
const ARRAY_TYPE: &CStr = c"rarray";

pub(crate) struct SqliteConnection {
    connection: Connection,
    translated: RefCell<HashMap<Box<str>, Arc<str>>>,
    now_micros: Arc<AtomicI64>,
}

impl SqliteConnection {
    /// Gives a raw connection what the store's statements need.
    pub(super) fn new(connection: Connection) -> rusqlite::Result<Self> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        // Otherwise the planner may look at the values that are bound, and every new value has the
        // statement parsed and planned again.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        rusqlite::vtab::array::load_module(&connection)?;
        let now_micros = Arc::new(AtomicI64::new(0));
        let now = Arc::clone(&now_micros);
        connection.create_scalar_function(
            "kakera_now",
            0,
            FunctionFlags::SQLITE_UTF8,
            move |_| Ok(now.load(Ordering::Relaxed)),
        )?;
        Ok(Self { connection, translated: RefCell::default(), now_micros })
    }

    /// Sets what `{now}` is until the next call: the start of a unit.
    pub(crate) fn tick(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.now_micros.store(since.as_micros() as i64, Ordering::Relaxed);
    }

    pub(super) fn raw(&self) -> &Connection {
        &self.connection
    }

    /// Runs a statement that yields no rows; returns how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let run = || -> Result<_, StoreError> {
            let mut statement = self.prepare(sql)?;
            bind(&mut statement, params).map_err(|error| self.explain(&error))?;
            let changed = statement.raw_execute().map_err(|error| self.explain(&error))?;
            Ok(changed as u64)
        };
        run()
    }

    /// Runs a statement and gathers its rows, at most one more than may be returned.
    pub(crate) fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.prepare(sql)?;
        bind(&mut statement, params).map_err(|error| self.explain(&error))?;
        let width = statement.column_count();
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| self.explain(&error))? {
            let values = (0..width).map(|index| row.get(index)).collect::<Result<_, _>>();
            found.push(Row(Repr::Sqlite(values.map_err(|error| self.explain(&error))?)));
            if found.len() > ROW_COUNT_MAX {
                break;
            }
        }
        Ok(found)
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        let prepared = self.connection.prepare_cached(&self.translate(sql)?);
        prepared.map_err(|error| self.explain(&error))
    }

    fn translate(&self, sql: &str) -> Result<Arc<str>, StoreError> {
        let mut cache = self.translated.borrow_mut();
        if let Some(text) = cache.get(sql) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = Dialect::Sqlite.translate(sql)?.into();
        if cache.len() >= TRANSLATIONS_MAX {
            cache.clear();
        }
        cache.insert(sql.into(), Arc::clone(&text));
        Ok(text)
    }

    fn explain(&self, error: &rusqlite::Error) -> StoreError {
        store_error(&self.connection, error)
    }
}

fn bind(statement: &mut CachedStatement<'_>, params: &[Param<'_>]) -> rusqlite::Result<()> {
    for (index, param) in params.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, Bound(param))?;
    }
    Ok(())
}

struct Bound<'a>(&'a Param<'a>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Param::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Param::Bool(value) => ToSqlOutput::Borrowed(ValueRef::Integer((*value).into())),
            Param::I16(value) => ToSqlOutput::Borrowed(ValueRef::Integer((*value).into())),
            Param::I32(value) => ToSqlOutput::Borrowed(ValueRef::Integer((*value).into())),
            Param::I64(value) => ToSqlOutput::Borrowed(ValueRef::Integer(*value)),
            Param::F64(value) => ToSqlOutput::Borrowed(ValueRef::Real(*value)),
            Param::Text(value) | Param::Json(value) => {
                ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes()))
            }
            Param::Bytes(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value)),
            Param::Uuid(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value.as_bytes())),
            Param::Time(value) => ToSqlOutput::Borrowed(ValueRef::Integer(value.0)),
            Param::Uuids(values) => array(values, |id| Value::Blob(id.as_bytes().to_vec())),
            Param::Texts(values) => array(values, |text| Value::Text(text.clone())),
            Param::I64s(values) => array(values, |value| Value::Integer(*value)),
        })
    }
}

fn array<T>(values: &[T], value: impl Fn(&T) -> Value) -> ToSqlOutput<'static> {
    let values = Rc::new(values.iter().map(value).collect::<Vec<_>>());
    ToSqlOutput::from_rc(values, ARRAY_TYPE)
}

/// A stored value as the layer's column.
pub(crate) fn column(value: Option<&Value>) -> Result<Column<'_>, StoreError> {
    match value {
        Some(Value::Null) => Ok(Column::Null),
        Some(Value::Integer(value)) => Ok(Column::Int(*value)),
        Some(Value::Real(value)) => Ok(Column::Float(*value)),
        Some(Value::Text(value)) => Ok(Column::Text(value)),
        Some(Value::Blob(value)) => Ok(Column::Bytes(value)),
        None => Err(StoreError::statement("the row has no such column")),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_kept_statement_is_planned_once_whatever_values_it_is_given() {
        let connection = SqliteConnection::new(Connection::open_in_memory().unwrap()).unwrap();
        let tables = "create table u (id blob primary key, name text) without rowid; \
                      create table d (id text primary key, user_id blob) without rowid;";
        connection.raw().execute_batch(tables).unwrap();
        let sql = "select u.id, u.name from d join u on u.id = d.user_id where d.id = $1";
        for n in 0..10 {
            connection.rows(sql, &[Param::from(n.to_string())]).unwrap();
        }
        let statement = connection.prepare(sql).unwrap();
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
