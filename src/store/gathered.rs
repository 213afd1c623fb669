//! Single writes that may share a commit with others, and what they say of themselves for that.

use super::{Param, Timestamp, storage::ObjectId};
use crate::ids::UserId;

/// The row that a write locks. Writes that share a transaction go in this order, and transactions of
/// several objects lock theirs in the same, so that none waits for another in a circle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
}
