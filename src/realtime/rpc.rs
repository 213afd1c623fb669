//! Calls of script functions over the socket.

use kakera_proto::api::Rpc;

use super::reply::refuse;
use crate::{error::RealtimeCode, session::Session};

/// Answers a call. No script runtime is built in yet, so no function is registered.
pub(super) fn call(session: &Session, cid: String, call: &Rpc) {
    if call.id.is_empty() {
        return refuse(session, cid, RealtimeCode::BadInput, "RPC ID must be set");
    }
    refuse(session, cid, RealtimeCode::RuntimeFunctionNotFound, "RPC function not found");
}
