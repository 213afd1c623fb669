//! The steps, from the files in `migrations/`.

use crate::store::{dialect::Dialect, error::StoreError};

/// One step: its id, which `migration_info` keeps, and its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) id: &'static str,
    text: &'static str,
}

/// One part of a step, `up` or `down`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Statements that run together, in order. The last group commits with the step's record.
    pub(crate) transactions: Vec<Vec<&'static str>>,
    /// Whether every statement runs alone instead.
    pub(crate) without_transaction: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

macro_rules! steps {
    ($folder:literal: $($id:literal)*) => {
        &[$(Step {
            id: $id,
            text: include_str!(concat!("../../../migrations/", $folder, "/", $id)),
        }),*]
    };
}

const POSTGRES: &[Step] = steps! { "postgres":
    "20180103142001_initial_schema.sql"
    "20180805174141-tournaments.sql"
    "20200116134800-facebook-instant-games.sql"
    "20200615102232-apple.sql"
    "20201005180855-console.sql"
    "20210416090601-purchase.sql"
    "20220426122825-subscription.sql"
    "20221027145900-subscription-raw-columns.sql"
    "20230222172540-purchases-not-null-uid-1.sql"
    "20230222172540-purchases-not-null-uid-2.sql"
    "20230706095800-leaderboard-list-index.sql"
    "20240715155039-leaderboard-rank-enable.sql"
    "20240725115145-purchase-index-change.sql"
    "20240801100859-add-console-user-mfa.sql"
    "20250113112512_add_user_edge_metadata.sql"
    "20250703094700-add-console-settings.sql"
    "20250926112031-console-fine-grained-acl.sql"
    "20251015150737-add-user-notes-audit-acl-templates.sql"
    "20260319134532-add-display-name-index.sql"
};

const SQLITE: &[Step] = steps! { "sqlite":
    "0001-accounts.sql"
    "0002-friends-and-groups.sql"
    "0003-storage-and-wallet.sql"
    "0004-messages-and-notifications.sql"
    "0005-leaderboards.sql"
    "0006-purchases.sql"
    "0007-console.sql"
};

/// All steps of a database, in the order in which they are applied.
pub(super) fn all(dialect: Dialect) -> &'static [Step] {
    match dialect {
        Dialect::Postgres => POSTGRES,
        Dialect::Sqlite => SQLITE,
    }
}

impl Step {
    pub(crate) fn part(&self, direction: Direction) -> Result<Part, StoreError> {
        let wanted = match direction {
            Direction::Up => "-- up",
            Direction::Down => "-- down",
        };
        let mut part: Option<Part> = None;
        let mut offset = 0;
        let mut statement_start: Option<usize> = None;
        for line in self.text.split_inclusive('\n') {
            let start = offset;
            offset += line.len();
            let line = line.trim_end();
            if let Some(marker) = line.strip_prefix(wanted)
                && (marker.is_empty() || marker.starts_with(','))
            {
                part = Some(Part {
                    transactions: vec![Vec::new()],
                    without_transaction: marker == ", without a transaction",
                });
                continue;
            }
            let Some(part) = &mut part else { continue };
            if line.starts_with("-- up") || line.starts_with("-- down") {
                break;
            }
            if line == "-- then" {
                part.transactions.push(Vec::new());
                continue;
            }
            if statement_start.is_none() {
                if line.is_empty() || line.starts_with("--") {
                    continue;
                }
                statement_start = Some(start);
            }
            if line.ends_with(';')
                && let (Some(from), Some(group)) =
                    (statement_start.take(), part.transactions.last_mut())
            {
                group.push(self.text[from..start + line.len()].trim());
            }
        }
        match part {
            Some(part) if statement_start.is_none() => Ok(part),
            _ => Err(StoreError::statement(format_args!("the file {} is malformed", self.id))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_can_be_read_in_both_directions_and_stands_in_order() {
        for steps in [POSTGRES, SQLITE] {
            assert!(steps.is_sorted_by_key(|step| step.id));
            for step in steps {
                for direction in [Direction::Up, Direction::Down] {
                    let part = step.part(direction).unwrap();
                    assert!(part.transactions.iter().all(|group| !group.is_empty()), "{}", step.id);
                    for statement in part.transactions.concat() {
                        assert_eq!(statement.matches(';').count(), 1, "{}: {statement}", step.id);
                    }
                }
            }
        }
    }

    #[test]
    fn markers_cut_a_file() {
        let step = Step {
            id: "x",
            text: "-- Says why.\n\n-- up\ncreate\n  table a;\n-- then\n-- a note\ndrop x;\n\n-- down, \
                   without a transaction\ndrop table a;\n",
        };
        let up = step.part(Direction::Up).unwrap();
        assert_eq!(up.transactions, [vec!["create\n  table a;"], vec!["drop x;"]]);
        assert!(!up.without_transaction);
        let down = step.part(Direction::Down).unwrap();
        assert_eq!(down.transactions, [vec!["drop table a;"]]);
        assert!(down.without_transaction);
    }

    #[test]
    fn a_statement_without_an_end_is_refused() {
        let step = Step { id: "x", text: "-- up\ncreate table a\n" };
        assert!(step.part(Direction::Up).is_err());
        assert!(step.part(Direction::Down).is_err());
    }
}
