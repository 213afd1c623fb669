//! What goes back to the client that sent an envelope.

use kakera_proto::realtime::{self, Envelope, envelope::Message};

use crate::{
    error::{Error, RealtimeCode},
    session::Session,
};

/// Sends `message` as the reply to the envelope that carried `cid`; `None` says "done" and no more.
pub fn reply(session: &Session, cid: String, message: Option<Message>) {
    session.send(&Envelope { cid, message });
}

/// Sends a failure as the reply.
pub fn refuse(session: &Session, cid: String, code: RealtimeCode, message: impl Into<String>) {
    let error = realtime::Error {
        code: code as i32,
        message: message.into(),
        context: std::collections::BTreeMap::new(),
    };
    reply(session, cid, Some(Message::Error(error)));
}

/// Sends what a service failed with as the reply.
pub fn fail(session: &Session, cid: String, error: &Error) {
    refuse(session, cid, error.kind.into(), error.message.clone());
}
