//! Bytes: listeners, TLS, HTTP and WebSocket, on each shard for itself.
//!
//! A front is a port of this shard. Whatever comes to it is a connection of the shard's socket engine,
//! perhaps under TLS; a task reads it as HTTP/1.1 or HTTP/2, and where a request upgrades to WebSocket
//! the connection leaves its task and lives on callbacks alone. Limits of size and time are applied
//! here, so that the services above see whole requests and whole messages only.
//!
//! Failures: what breaks the protocol or a limit ends that request or connection; nothing here ends the
//! shard.

mod body;
mod compression;
mod connection;
mod front;
mod http;
mod http_io;
mod link;
#[cfg(test)]
mod tests;
pub mod tls;
mod watch;
mod websocket;

pub use front::{Front, FrontConfig, Services};
pub use http::{HttpLimits, HttpService, Request, Response};
pub use link::Link;
pub use websocket::{
    Accept, Assembly, CloseReason, Fault, Incoming, MessageKind, MessageRef, SendError,
    SocketEvents, SocketService, UpgradeRequest, WebSocketConfig, WireFrame, WsSocket,
};
