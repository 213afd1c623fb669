//! What is to be done, from what was done. Pure.

use super::steps::{Direction, Step};
use crate::store::{error::StoreError, value::Timestamp};

/// A row of `migration_info`.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
}

/// What to do with the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrateCommand {
    /// Apply what is missing: all, or at most this many steps.
    Up { limit: Option<usize> },
    /// Revert the newest steps: one, or this many. It drops tables with their rows.
    Down { limit: Option<usize> },
    /// Revert the newest step and apply it again.
    Redo,
    /// Say what is applied.
    Status,
}

/// How a database's schema compares with this server's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Ids of this server that the database lacks.
    pub(super) missing: Vec<&'static str>,
    /// Ids of the database that this server does not know.
    pub(super) unknown: Vec<String>,
}

pub(super) fn compare(steps: &'static [Step], applied: &[Applied]) -> Comparison {
    Comparison {
        missing: steps
            .iter()
            .map(|step| step.id)
            .filter(|id| !applied.iter().any(|row| row.id == *id))
            .collect(),
        unknown: applied
            .iter()
            .filter(|row| !steps.iter().any(|step| step.id == row.id))
            .map(|row| row.id.clone())
            .collect(),
    }
}

impl Comparison {
    /// An error that says what is missing and what to do, unless the schema is complete.
    pub(super) fn require_complete(&self, applied: usize) -> Result<(), StoreError> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let what = if applied == 0 {
            "the database has no schema yet".to_owned()
        } else {
            format!("the database schema is behind; missing: {}", self.missing.join(", "))
        };
        let advice = "run `kakera migrate up` with the same configuration, then start again";
        Err(StoreError::Schema(format!("{what}; {advice}").into()))
    }
}

/// The steps to run, in order.
pub(super) fn actions(
    steps: &'static [Step],
    applied: &[Applied],
    command: MigrateCommand,
) -> Vec<(Direction, Step)> {
    let is_applied = |step: &Step| applied.iter().any(|row| row.id == step.id);
    let newest_first = || steps.iter().rev().filter(|step| is_applied(step)).copied();
    match command {
        MigrateCommand::Status => Vec::new(),
        MigrateCommand::Up { limit } => steps
            .iter()
            .filter(|step| !is_applied(step))
            .take(limit.unwrap_or(usize::MAX))
            .map(|step| (Direction::Up, *step))
            .collect(),
        MigrateCommand::Down { limit } => {
            newest_first().take(limit.unwrap_or(1)).map(|step| (Direction::Down, step)).collect()
        }
        MigrateCommand::Redo => newest_first()
            .take(1)
            .flat_map(|step| [(Direction::Down, step), (Direction::Up, step)])
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{dialect::Dialect, migrate::steps};

    fn applied(ids: &[&str]) -> Vec<Applied> {
        ids.iter().map(|id| Applied { id: (*id).to_owned(), at: Timestamp::EPOCH }).collect()
    }

    fn run(ids: &[&str], command: MigrateCommand) -> Vec<(Direction, &'static str)> {
        let steps = steps::all(Dialect::Sqlite);
        actions(steps, &applied(ids), command).into_iter().map(|(d, step)| (d, step.id)).collect()
    }

    const FIRST: &str = "0001-accounts.sql";
    const SECOND: &str = "0002-friends-and-groups.sql";

    #[test]
    fn up_applies_what_is_missing_in_order_even_in_a_gap() {
        let all = run(&[SECOND], MigrateCommand::Up { limit: None });
        assert_eq!(all.first(), Some(&(Direction::Up, FIRST)));
        assert!(!all.contains(&(Direction::Up, SECOND)));
        let one = run(&[], MigrateCommand::Up { limit: Some(1) });
        assert_eq!(one, [(Direction::Up, FIRST)]);
    }

    #[test]
    fn down_reverts_one_step_unless_told_otherwise() {
        let applied = [FIRST, SECOND];
        assert_eq!(
            run(&applied, MigrateCommand::Down { limit: None }),
            [(Direction::Down, SECOND)]
        );
        assert_eq!(
            run(&applied, MigrateCommand::Down { limit: Some(9) }),
            [(Direction::Down, SECOND), (Direction::Down, FIRST)]
        );
    }

    #[test]
    fn redo_reverts_and_applies_the_newest_step() {
        let both = [(Direction::Down, SECOND), (Direction::Up, SECOND)];
        assert_eq!(run(&[FIRST, SECOND], MigrateCommand::Redo), both);
        assert!(run(&[], MigrateCommand::Redo).is_empty());
    }

    #[test]
    fn a_schema_that_is_behind_names_what_is_missing_and_what_to_do() {
        let steps = steps::all(Dialect::Postgres);
        let ids: Vec<&str> = steps.iter().map(|step| step.id).collect();
        assert!(compare(steps, &applied(&ids)).require_complete(19).is_ok());
        let rows = applied(&ids[..17]);
        let error = compare(steps, &rows).require_complete(rows.len()).unwrap_err().to_string();
        assert!(error.contains(ids[17]) && error.contains(ids[18]) && !error.contains(ids[16]));
        assert!(error.contains("kakera migrate up"));
    }
}
