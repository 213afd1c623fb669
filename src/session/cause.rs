//! Why a session ends, and what its client and its fellows are told.

use kakera_proto::{
    api::Notification,
    realtime::{Envelope, Notifications, envelope::Message},
};

/// Notification codes that the protocol reserves for the end of a session.
pub mod codes {
    /// The session ends because its user opened another one.
    pub const SINGLE_SOCKET: i32 = -7;
    /// The session ends because its user was banned.
    pub const USER_BANNED: i32 = -8;
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCause {
    /// The client closed, or its connection broke.
    Gone,
    /// A frame that is no envelope.
    Malformed,
    /// A text frame on a protobuf session, or a binary frame on a JSON session.
    WrongFrame,
    /// An envelope without a message, with one that only servers send, or one whose handling panicked.
    Unprocessable,
    /// The client reads more slowly than it is written to.
    OutgoingQueueFull,
    /// No sign of life for `socket.pong_wait_ms`.
    Silent,
    /// A message larger than `socket.max_message_size_bytes`; the connection has said so and is closed.
    Oversize,
    /// Message after message faster than `flood.session_messages_per_sec`.
    Flooding,
    /// The user opened more sockets than `session.max_per_user`, and this one is the oldest.
    UserFull,
    /// The same user opened another socket and `session.single_socket` is set.
    SingleSocket,
    /// The user was banned.
    Banned,
    /// A script, the console or another call ended the session.
    Disconnected,
    /// The server is too busy to announce the session; another try may do.
    Overloaded,
    /// The server shuts down.
    Draining,
}

impl CloseCause {
    /// The status code of the close frame (RFC 6455, section 7.4). Clients rely on 1000 for all that a
    /// session itself decides.
    pub fn status(self) -> u16 {
        match self {
            Self::Draining => 1001,
            Self::Overloaded => 1013,
            Self::Flooding | Self::UserFull => 1008,
            Self::Oversize => 1009,
            Self::Gone
            | Self::Malformed
            | Self::WrongFrame
            | Self::Unprocessable
            | Self::OutgoingQueueFull
            | Self::Silent
            | Self::SingleSocket
            | Self::Banned
            | Self::Disconnected => 1000,
        }
    }

    /// The reason in the close frame; it is also what the log and the session-end event say.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Gone => "",
            Self::Malformed => "received malformed payload",
            Self::WrongFrame => "received unexpected WebSocket message type",
            Self::Unprocessable => "error processing message",
            Self::OutgoingQueueFull => "session outgoing queue full",
            Self::Silent => "no pong received in time",
            Self::Oversize => "message too large",
            Self::Flooding => "too many messages",
            Self::UserFull => "too many sessions of this user",
            Self::SingleSocket | Self::Banned | Self::Disconnected => {
                "server-side session disconnect"
            }
            Self::Overloaded => "server too busy",
            Self::Draining => "server shutting down",
        }
    }

    /// The last envelope before the close frame, if the client is owed one. `unix_sec` dates it.
    pub fn farewell(self, id: impl FnOnce() -> String, unix_sec: i64) -> Option<Envelope> {
        let (subject, code) = match self {
            Self::SingleSocket => ("single_socket", codes::SINGLE_SOCKET),
            Self::Banned => ("banned", codes::USER_BANNED),
            Self::Gone
            | Self::Malformed
            | Self::WrongFrame
            | Self::Unprocessable
            | Self::OutgoingQueueFull
            | Self::Silent
            | Self::Oversize
            | Self::Flooding
            | Self::UserFull
            | Self::Disconnected
            | Self::Overloaded
            | Self::Draining => return None,
        };
        let notification = Notification {
            id: id(),
            subject: subject.to_owned(),
            content: "{}".to_owned(),
            code,
            create_time: Some(kakera_proto::Timestamp { seconds: unix_sec, nanos: 0 }),
            ..Notification::default()
        };
        Some(Envelope {
            cid: String::new(),
            message: Some(Message::Notifications(Notifications {
                notifications: vec![notification],
            })),
        })
    }
}
