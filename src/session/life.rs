//! What scripts are told of a session's life.

use std::sync::Arc;

use super::{CloseCause, Identity};
use crate::ids::SessionId;

/// A session began or ended. Each that began ends, and nothing is told of it afterwards.
#[derive(Clone, Debug)]
pub struct SessionEvent {
    pub session: SessionId,
    pub identity: Arc<Identity>,
    pub unix_sec: i64,
    pub change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The socket is open; what its client sends is handled later.
    Started,
    /// The session has left what it had joined.
    Ended(CloseCause),
}

/// Who is told of the sessions of a shard. It must not wait, and may start tasks that do.
pub trait LifeWatch {
    fn happened(&self, event: SessionEvent);
}
