//! The way of a notification to its user's sessions, wherever they are.

use kakera_proto::realtime::Envelope;

use crate::{
    fanout::Audience,
    ids::{StreamId, UserId},
    presence::Presences,
    session::Sessions,
};

/// The shard that knows the user's sessions takes no more messages now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Who brings envelopes to sessions. Who has none misses them.
pub trait Live {
    /// To all sessions of a user.
    fn deliver(&self, user: UserId, envelope: Envelope) -> Result<(), Busy>;

    /// To all sessions.
    fn deliver_to_all(&self, envelope: &Envelope);
}

/// The sessions of this node's shards.
pub struct LiveSessions {
    pub presences: Presences,
    pub sessions: Sessions,
}

impl Live for LiveSessions {
    /// Every session is on its user's notifications stream. The stream's owner encodes the envelope once
    /// for each format that they speak, not at all where there are none, and sends one message to each
    /// shard with sessions of the user.
    fn deliver(&self, user: UserId, envelope: Envelope) -> Result<(), Busy> {
        let stream = StreamId::notifications(user);
        self.presences.send(stream, Audience::All, envelope).map_err(|_| Busy)
    }

    fn deliver_to_all(&self, envelope: &Envelope) {
        self.sessions.send_to_all(envelope);
    }
}
