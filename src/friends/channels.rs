//! The channels of direct messages, which a block closes.

use crate::{
    ids::{StreamId, UserId},
    presence::Presences,
};

/// The channels of direct messages.
pub trait DirectChannels {
    /// Takes both users off the channel between them. Best effort.
    fn close(&self, one: UserId, two: UserId);
}

impl DirectChannels for Presences {
    fn close(&self, one: UserId, two: UserId) {
        self.close_stream(StreamId::direct(one, two), |closed| {
            if let Err(error) = closed {
                tracing::warn!(?error, "A blocked user's channel was not closed.");
            }
        });
    }
}

/// A server without a realtime side: tools, and tests of the request side.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoChannels;

impl DirectChannels for NoChannels {
    fn close(&self, _: UserId, _: UserId) {}
}
