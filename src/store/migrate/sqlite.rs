//! Runs steps on the embedded database.

use super::{
    MigrateReport,
    plan::{self, Applied, MigrateCommand},
    steps::{self, Direction, Step},
};
use crate::{
    params,
    store::{dialect::Dialect, error::StoreError, sqlite::SqliteConnection},
};

pub(super) fn run(
    connection: &SqliteConnection,
    command: MigrateCommand,
) -> Result<MigrateReport, StoreError> {
    let known = steps::all(Dialect::Sqlite);
    let actions = plan::actions(known, &applied(connection)?, command);
    for (direction, step) in &actions {
        apply(connection, *direction, step)
            .map_err(|error| StoreError::statement(format_args!("{}: {error}", step.id)))?;
    }
    Ok(MigrateReport::new(Dialect::Sqlite, &applied(connection)?, &actions))
}

fn applied(connection: &SqliteConnection) -> Result<Vec<Applied>, StoreError> {
    connection.execute(
        "create table if not exists migration_info \
         (id text primary key, applied_at integer not null) strict",
        &[],
    )?;
    connection
        .rows("select id, applied_at from migration_info order by id", &[])?
        .iter()
        .map(|row| Ok(Applied { id: row.get(0)?, at: row.get(1)? }))
        .collect()
}

fn apply(
    connection: &SqliteConnection,
    direction: Direction,
    step: &Step,
) -> Result<(), StoreError> {
    let part = step.part(direction)?;
    connection.tick();
    // SQLite's DDL is transactional throughout, so that a step is always one transaction.
    connection.execute("begin immediate", &[])?;
    let run = || {
        for statement in part.transactions.iter().flatten() {
            connection.execute(statement, &[])?;
        }
        let record = match direction {
            Direction::Up => "insert into migration_info (id, applied_at) values ($1, {now})",
            Direction::Down => "delete from migration_info where id = $1",
        };
        connection.execute(record, params![step.id])
    };
    match run() {
        Ok(_) => connection.execute("commit", &[]).map(|_| ()),
        Err(error) => {
            let _ = connection.execute("rollback", &[]);
            Err(error)
        }
    }
}
