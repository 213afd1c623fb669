//! Runs steps on PostgreSQL.

use std::time::Duration;

use kakera_shards::{
    runtime::sleep,
    socket::{SocketConfig, Sockets},
};

use super::{
    PgDatabase,
    connect::{ConnectError, Target},
    connection::PgConnection,
    error::{UNDEFINED_TABLE, store_error},
};
use crate::{
    params,
    store::{
        error::StoreError,
        migrate::{self, Applied, Direction, MigrateCommand, MigrateReport, Part, Step},
    },
};

/// Held while migrating, so that nodes that start together do not trip over each other. It is asked for
/// again and again: a statement that waits would hold a snapshot, for which the concurrent building of
/// an index waits in its turn.
const LOCK: &str = "select pg_try_advisory_lock(7308604895)";
const LOCK_PAUSE: Duration = Duration::from_millis(200);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// What `migration_info` holds; nothing if there is no such table.
pub(crate) async fn applied_migrations(
    connection: &PgConnection,
) -> Result<Vec<Applied>, StoreError> {
    let exists = connection.client().simple_query("select id from migration_info limit 1").await;
    match exists {
        Err(error) if error.code().is_some_and(|code| code.code() == UNDEFINED_TABLE) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(store_error(&error)),
        Ok(_) => {}
    }
    connection
        .rows("select id, applied_at from migration_info order by id", &[], false)
        .await?
        .iter()
        .map(|row| Ok(Applied { id: row.get(0)?, at: row.get(1)? }))
        .collect()
}

/// Runs a command on the first address that answers, over sockets of its own.
pub(crate) async fn run_migrations(
    database: &PgDatabase,
    command: MigrateCommand,
) -> Result<MigrateReport, StoreError> {
    let sockets = Sockets::start(SocketConfig::default())
        .map_err(|error| StoreError::open(format_args!("no sockets: {error}")))?;
    let result = run_on_any(database, &sockets, command).await;
    // Ends the session, and with it the lock.
    sockets.shut_down().await;
    result
}

async fn run_on_any(
    database: &PgDatabase,
    sockets: &Sockets,
    command: MigrateCommand,
) -> Result<MigrateReport, StoreError> {
    let may_create = matches!(command, MigrateCommand::Up { .. });
    let mut failure = StoreError::open("no database address is configured");
    for target in database.targets() {
        match open(target, sockets, may_create).await {
            Ok(connection) => return run(&connection, command).await,
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn open(
    target: &Target,
    sockets: &Sockets,
    may_create: bool,
) -> Result<PgConnection, StoreError> {
    let client = match target.connect(sockets, CONNECT_TIMEOUT).await {
        Err(ConnectError::NoDatabase) if may_create => {
            create_database(target, sockets).await?;
            target.connect(sockets, CONNECT_TIMEOUT).await?
        }
        other => other?,
    };
    Ok(PgConnection::new(client, 0))
}

async fn create_database(target: &Target, sockets: &Sockets) -> Result<(), StoreError> {
    let name = target.address.database.replace('"', "\"\"");
    let client = target.with_database("postgres").connect(sockets, CONNECT_TIMEOUT).await?;
    let sql = format!("create database \"{name}\"");
    client.batch_execute(&sql).await.map_err(|error| store_error(&error))
}

async fn run(
    connection: &PgConnection,
    command: MigrateCommand,
) -> Result<MigrateReport, StoreError> {
    while !connection.rows(LOCK, &[], false).await?.iter().any(|row| matches!(row.get(0), Ok(true)))
    {
        sleep(LOCK_PAUSE).await;
    }
    if command != MigrateCommand::Status {
        connection
            .batch(
                "create table if not exists migration_info \
                 (id text primary key, applied_at timestamptz not null default now())",
            )
            .await?;
    }
    let actions = migrate::postgres_actions(&applied_migrations(connection).await?, command);
    for (direction, step) in &actions {
        apply(connection, *direction, step)
            .await
            .map_err(|error| StoreError::statement(format_args!("{}: {error}", step.id)))?;
    }
    Ok(migrate::postgres_report(&applied_migrations(connection).await?, &actions))
}

async fn apply(
    connection: &PgConnection,
    direction: Direction,
    step: &Step,
) -> Result<(), StoreError> {
    let Part { transactions, without_transaction } = step.part(direction)?;
    if without_transaction {
        for statement in transactions.iter().flatten() {
            drop_broken_index(connection, statement).await?;
            connection.batch(statement).await?;
        }
        return record(connection, direction, step.id).await;
    }
    let last = transactions.len().saturating_sub(1);
    for (index, statements) in transactions.iter().enumerate() {
        connection.batch("begin").await?;
        let run = async {
            for statement in statements {
                connection.batch(statement).await?;
            }
            if index == last {
                record(connection, direction, step.id).await?;
            }
            connection.batch("commit").await
        };
        if let Err(error) = run.await {
            let _ = connection.batch("rollback").await;
            return Err(error);
        }
    }
    Ok(())
}

async fn record(
    connection: &PgConnection,
    direction: Direction,
    id: &str,
) -> Result<(), StoreError> {
    let sql = match direction {
        Direction::Up => "insert into migration_info (id) values ($1)",
        Direction::Down => "delete from migration_info where id = $1",
    };
    connection.execute(sql, params![id], false).await.map(|_| ())
}

/// An index whose concurrent building was cut off stays behind, invalid, and a repetition would take it
/// for done.
async fn drop_broken_index(connection: &PgConnection, statement: &str) -> Result<(), StoreError> {
    let Some((_, rest)) = statement.split_once("index concurrently if not exists ") else {
        return Ok(());
    };
    let name = rest.split_whitespace().next().unwrap_or_default();
    let sql = "select 1 from pg_index where indexrelid = to_regclass($1) and not indisvalid";
    if connection.rows(sql, params![name], false).await?.is_empty() {
        return Ok(());
    }
    tracing::warn!(index = name, "building an index again that was left unfinished");
    connection.batch(&format!("drop index concurrently {name}")).await
}
