//! A connection, bare or under TLS.

use std::rc::Rc;

use bytes::Bytes;
use kakera_shards::socket::{Consumer, Gone, Pace, Socket, Transport};

use super::tls::TlsSocket;

/// What protocols are spoken over.
#[derive(Clone)]
pub enum Link {
    Plain(Socket),
    Tls(TlsSocket),
}

impl Link {
    pub fn is_tls(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(_) => true,
        }
    }
}

impl Transport for Link {
    fn consume(&self, consumer: Rc<dyn Consumer>) {
        match self {
            Self::Plain(socket) => socket.consume(consumer),
            Self::Tls(socket) => socket.consume(consumer),
        }
    }

    fn write(&self, bytes: &[u8], pace: Pace) -> Result<(), Gone> {
        match self {
            Self::Plain(socket) => socket.write(bytes, pace),
            Self::Tls(socket) => socket.write(bytes, pace),
        }
    }

    fn write_bytes(&self, bytes: &Bytes, pace: Pace) -> Result<(), Gone> {
        match self {
            Self::Plain(socket) => socket.write_bytes(bytes, pace),
            Self::Tls(socket) => socket.write(bytes, pace),
        }
    }

    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(socket) => socket.socket(),
        }
    }

    fn close(&self) {
        match self {
            Self::Plain(socket) => socket.close(),
            Self::Tls(socket) => socket.close(),
        }
    }
}
