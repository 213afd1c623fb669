//! What a session needs of its connection.

use kakera_shards::socket::Pace;

use crate::net::WireFrame;

/// The connection is slower than what is written to it: its queue is full, and nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineFull;

/// One client's connection. Dropping it ends the connection without a close frame.
pub trait Line {
    /// Queues a frame. Never waits.
    fn send(&self, frame: &WireFrame, pace: Pace) -> Result<(), LineFull>;

    /// Sends a ping of the WebSocket protocol.
    fn ping(&self);

    /// Sends what is queued and a close frame, and ends the connection when the client has answered or
    /// has had its time to. No message is read from here on.
    fn close(&self, status: u16, reason: &str);

    /// No message is read until [`Line::resume`].
    fn pause(&self);

    /// Messages are read again; those that arrived before come first, at a later turn.
    fn resume(&self);
}
