//! The way of a notification to its user's sessions, wherever they are.

use kakera_proto::realtime::Envelope;

use crate::{
    fanout::Audience,
    ids::{StreamId, UserId},
    presence::Presences,
};

/// The shard that knows the user's sessions takes no more messages now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Who brings an envelope to all sessions of a user. A user without one misses it.
pub trait Live {
    fn deliver(&self, user: UserId, envelope: Envelope) -> Result<(), Busy>;
}

/// Every session is on its user's notifications stream. The stream's owner encodes the envelope once for
/// each format that they speak, not at all where there are none, and sends one message to each shard with
/// sessions of the user.
impl Live for Presences {
    fn deliver(&self, user: UserId, envelope: Envelope) -> Result<(), Busy> {
        self.send(StreamId::notifications(user), Audience::All, envelope).map_err(|_| Busy)
    }
}
