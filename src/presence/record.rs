//! One session on one stream.

use std::sync::Arc;

use crate::{
    fanout::Format,
    ids::{SessionId, UserId},
};

/// Counts a session's joins. A later join of the same session has a higher number, so that a leave, which
/// carries the number of the join that it ends, never ends a later one, in whatever order they arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JoinCounter(pub u64);

/// Why a presence is as it is. The numbers are the script runtimes'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    Unknown = 0,
    Join = 1,
    Update = 2,
    Leave = 3,
    Disconnect = 4,
}

/// A session on a stream, as the stream's owner keeps it and others are shown it. The node is the one in
/// the session's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    pub session: SessionId,
    pub user: UserId,
    pub username: Arc<str>,
    pub format: Format,
    /// On the stream without being announced or listed.
    pub hidden: bool,
    /// Whether what the session sends is to be stored.
    pub persistence: bool,
    /// Shown on status streams; elsewhere only scripts read it. `None` is the empty text.
    pub status: Option<Arc<str>>,
    pub reason: Reason,
    pub join: JoinCounter,
}

/// A presence that ended, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    pub presence: Arc<Presence>,
    pub reason: Reason,
}
