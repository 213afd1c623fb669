//! WebSocket (RFC 6455), the server's side, without extensions.
//!
//! A connection is callbacks of its socket: no task and no buffer while it is idle. Frames that go to
//! many are framed once ([`WireFrame`]). What is queued for a peer that does not take it is bounded in
//! messages and bytes; at the bound [`WsSocket::send`] refuses, and the session above cuts the client.

mod assembly;
mod connection;
mod frame;
mod handshake;

use std::{net::SocketAddr, rc::Rc, time::Duration};

use futures_util::future::LocalBoxFuture;
use http::{HeaderMap, Uri};

use super::http::Response;

pub use assembly::{Assembly, Fault, Incoming};
pub use connection::WsSocket;
pub use frame::{MessageKind, WireFrame};

pub(super) use connection::begin;
pub(super) use handshake::handshake;

/// Bounds of a WebSocket connection.
#[derive(Clone, Debug)]
pub struct WebSocketConfig {
    /// Bytes of a message that comes in; one that is longer closes with 1009.
    pub message_bytes_max: usize,
    /// Messages that wait behind a send that the peer does not take.
    pub outgoing_queue_len_max: usize,
    /// Bytes that wait, whatever they are.
    pub outgoing_queue_bytes_max: usize,
    /// How long a close that began here waits for the peer's.
    pub close_ack_wait: Duration,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            message_bytes_max: 4096,
            outgoing_queue_len_max: 64,
            outgoing_queue_bytes_max: 4 << 20,
            close_ack_wait: Duration::from_secs(2),
        }
    }
}

/// A request to speak WebSocket.
#[derive(Debug)]
pub struct UpgradeRequest {
    pub uri: Uri,
    pub headers: HeaderMap,
    /// The other end of the connection: a client or a proxy.
    pub peer: SocketAddr,
    pub tls: bool,
}

/// A connection that may come in.
pub struct Accept {
    /// Further headers of the response.
    pub headers: HeaderMap,
    /// Called when the connection is open, before its first message. Not called where the handshake
    /// fails after all.
    pub start: Box<dyn FnOnce(WsSocket) -> Rc<dyn SocketEvents>>,
}

/// Decides who may open a WebSocket connection.
pub trait SocketService: 'static {
    /// The error is sent as it is.
    fn open(&self, request: UpgradeRequest) -> LocalBoxFuture<'_, Result<Accept, Response>>;
}

/// A whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageRef<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// What happens on a connection. Called on the shard's thread, never inside a call of [`WsSocket`].
pub trait SocketEvents: 'static {
    fn message(&self, message: MessageRef<'_>);
    /// The answer to a ping, or an unasked pong.
    fn pong(&self) {}
    /// The last call: nothing more comes in, and nothing more can be sent.
    fn closed(&self, reason: CloseReason);
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// This side closed it.
    Here,
    /// The peer closed it, with its code (1005 where it gave none) and reason.
    Peer { code: u16, reason: String },
    /// The peer broke the protocol or a bound, and was told this code.
    Fault { code: u16, what: &'static str },
    /// The connection ended without a close: reset, timed out, or cut.
    Lost,
}

/// Why a message is not queued. The connection stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("the peer does not take what is queued for it")]
    QueueFull,
    #[error("the connection is closed")]
    Closed,
}
