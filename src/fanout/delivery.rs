//! What the owner of a stream sends to the shards that have members of it.

use std::sync::Arc;

use super::Outgoing;
use crate::ids::{SessionId, StreamId};

/// Who on a stream receives a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everybody on the stream, hidden presences too.
    All,
    /// Everybody but this session.
    Except(SessionId),
    /// Those of these sessions that are on the stream.
    Only(Vec<SessionId>),
}

/// One message for all members of a stream, shared by all shards that it goes to.
pub struct Delivery {
    pub stream: StreamId,
    pub frames: Outgoing,
    /// The one session that does not get it.
    pub except: Option<SessionId>,
}

/// One message for some members of a stream whose home is the receiving shard.
pub struct Targeted {
    pub delivery: Arc<Delivery>,
    pub sessions: Vec<SessionId>,
}
