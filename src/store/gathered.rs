//! Single writes that may share a commit with others, and keys that may be looked up with others: what they
//! say of themselves for that.

use super::{Param, Row, StoreError, Timestamp, storage::ObjectId};
use crate::ids::UserId;

/// The row that a write locks. Writes that share a transaction go in this order, and transactions of
/// several objects lock theirs in the same, so that none waits for another in a circle.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum RowLock {
    /// In table `storage`.
    Object(ObjectId),
    /// In table `leaderboard_record`.
    Score { board: String, expiry: Timestamp, owner: UserId },
}

/// One writing statement.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) params: Vec<Param<'static>>,
    /// The same for many rows, where there is such a statement.
    pub(crate) many: Option<Many>,
}

/// A statement that writes many rows, as PostgreSQL reads it (the embedded database, which is asked without
/// a flight, gains nothing by it). Its parameters are arrays of those of the single ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Many {
    pub(crate) sql: &'static str,
    /// Which row it is that it returned. It returns those that it changed.
    pub(crate) row: fn(&Row) -> Result<RowLock, StoreError>,
}

/// The columns of a key, as the statement of what is wanted takes them.
pub(crate) type Key = Vec<Param<'static>>;

/// Rows that are looked up by their keys, on PostgreSQL.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// By collection, key and owner.
    Objects,
    /// By collection, key, owner, and who reads.
    ReadableObjects,
    /// By board, time of expiry and owner.
    Scores,
}

impl Wanted {
    pub(crate) const ALL: [Self; 3] = [Self::Objects, Self::ReadableObjects, Self::Scores];

    /// A statement whose parameters are arrays of the columns of keys. Its last column tells by which key
    /// a row was found, counted from 1.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Objects => super::storage::OBJECTS_OF_KEYS,
            Self::ReadableObjects => super::storage::READABLE_OF_KEYS,
            Self::Scores => super::leaderboards::listing::SCORES_OF_KEYS,
        }
    }
}
