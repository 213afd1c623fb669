//! Brings a schema up, down, and says where it stands.
//!
//! PostgreSQL: the steps, their ids and their table `migration_info` are those of the servers that share
//! this schema, so either side accepts what the other migrated. SQLite: our own steps.

mod plan;
mod sqlite;
mod steps;

use std::fmt;

pub use plan::MigrateCommand;

pub(super) use self::{
    plan::Applied,
    steps::{Direction, Part, Step},
};
use super::{
    config::{DriverConfig, StoreConfig},
    dialect::Dialect,
    error::StoreError,
    postgres::{PgDatabase, run_migrations},
    sqlite::{SqliteConnection, open_alone},
    value::Timestamp,
};

/// What a migration did, or where the schema stands; printable.
#[derive(Debug)]
pub struct MigrateReport {
    /// Steps run by this command, in order, with `true` for up.
    pub done: Vec<(&'static str, bool)>,
    /// Every step that this server knows, and when it was applied.
    pub steps: Vec<(&'static str, Option<Timestamp>)>,
    /// Ids in the database that this server does not know: it belongs to a newer server.
    pub unknown: Vec<String>,
}

impl MigrateReport {
    fn new(dialect: Dialect, applied: &[Applied], done: &[(Direction, Step)]) -> Self {
        let steps = steps::all(dialect);
        let unknown = plan::compare(steps, applied).unknown;
        Self {
            done: done.iter().map(|(d, step)| (step.id, *d == Direction::Up)).collect(),
            steps: steps
                .iter()
                .map(|step| (step.id, applied.iter().find(|a| a.id == step.id).map(|a| a.at)))
                .collect(),
            unknown,
        }
    }
}

impl fmt::Display for MigrateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, up) in &self.done {
            writeln!(f, "{} {id}", if *up { "applied" } else { "reverted" })?;
        }
        for (id, at) in &self.steps {
            match at {
                Some(at) => writeln!(f, "{}  {id}", rfc3339(*at))?,
                None => writeln!(f, "{:20}  {id}", "not applied")?,
            }
        }
        for id in &self.unknown {
            writeln!(f, "{:20}  {id} (made by a newer server)", "unknown")?;
        }
        Ok(())
    }
}

fn rfc3339(at: Timestamp) -> String {
    time::OffsetDateTime::from_unix_timestamp(at.unix_sec())
        .ok()
        .and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| "at an unknown time".to_owned())
}

/// Runs a migration command against the configured database, without a server running on it.
pub async fn migrate(
    config: &StoreConfig,
    command: MigrateCommand,
) -> Result<MigrateReport, StoreError> {
    match &config.driver {
        DriverConfig::Sqlite(sqlite) => {
            let (connection, _lock) = open_alone(&sqlite.path)?;
            sqlite::run(&connection, command)
        }
        DriverConfig::Postgres(postgres) => {
            let database = PgDatabase::open(postgres, config.call_timeout_ms)?;
            run_migrations(&database, command).await
        }
    }
}

pub(super) fn postgres_actions(
    applied: &[Applied],
    command: MigrateCommand,
) -> Vec<(Direction, Step)> {
    plan::actions(steps::all(Dialect::Postgres), applied, command)
}

pub(super) fn postgres_report(applied: &[Applied], done: &[(Direction, Step)]) -> MigrateReport {
    MigrateReport::new(Dialect::Postgres, applied, done)
}

/// Refuses a schema that is behind; one that is ahead is only worth a warning, as its tables still fit.
pub(super) fn require_complete_postgres(applied: &[Applied]) -> Result<(), StoreError> {
    let comparison = plan::compare(steps::all(Dialect::Postgres), applied);
    comparison.require_complete(applied.len())?;
    if !comparison.unknown.is_empty() {
        tracing::warn!(
            unknown = comparison.unknown.join(", "),
            "the database was migrated by a newer server"
        );
    }
    Ok(())
}

/// What the embedded database does at every start.
pub(super) fn bring_up(connection: &SqliteConnection) -> Result<(), StoreError> {
    let report = sqlite::run(connection, MigrateCommand::Up { limit: None })?;
    for (id, _) in &report.done {
        tracing::info!(id, "applied a migration");
    }
    if report.unknown.is_empty() {
        return Ok(());
    }
    Err(StoreError::Schema(
        format!(
            "the database file was made by a newer server (it has {}); start that one",
            report.unknown.join(", ")
        )
        .into(),
    ))
}
