//! A WebSocket connection and its session, each as the other sees it.

use std::rc::Rc;

use kakera_shards::socket::Pace;

use crate::{
    net::{CloseReason, MessageRef, SendError, SocketEvents, WireFrame, WsSocket},
    session::{CloseCause, Line, LineFull, Payload, Session},
};

/// The code with which a connection closes for a message over its bound (RFC 6455, section 7.4.1).
const TOO_BIG: u16 = 1009;

/// The connection as its session sees it.
pub(super) struct WsLine(pub(super) WsSocket);

impl Line for WsLine {
    fn send(&self, frame: &WireFrame, pace: Pace) -> Result<(), LineFull> {
        match self.0.send(frame, pace) {
            Err(SendError::QueueFull) => Err(LineFull),
            // Of a connection that has closed, its end is told apart.
            Ok(()) | Err(SendError::Closed) => Ok(()),
        }
    }

    fn ping(&self) {
        // A client that takes nothing will not answer either, and is found out by that.
        let _ = self.0.ping();
    }

    fn close(&self, status: u16, reason: &str) {
        self.0.close(status, reason);
    }

    fn pause(&self) {
        self.0.pause_reading();
    }

    fn resume(&self) {
        self.0.resume_reading();
    }
}

/// The session as its connection sees it.
pub(super) struct Events(pub(super) Rc<Session>);

impl SocketEvents for Events {
    fn message(&self, message: MessageRef<'_>) {
        self.0.message(match message {
            MessageRef::Text(text) => Payload::Text(text),
            MessageRef::Binary(bytes) => Payload::Binary(bytes),
        });
    }

    fn pong(&self) {
        self.0.pong();
    }

    fn closed(&self, reason: CloseReason) {
        tracing::debug!(sid = %self.0.id, ?reason, "Connection ended.");
        let cause = match reason {
            CloseReason::Fault { code: TOO_BIG, .. } => CloseCause::Oversize,
            CloseReason::Fault { .. } => CloseCause::Malformed,
            CloseReason::Peer { .. } | CloseReason::Here | CloseReason::Lost => CloseCause::Gone,
        };
        self.0.line_gone(cause);
    }
}
