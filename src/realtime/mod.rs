//! What clients say over their sockets: envelopes are read, handed to the domain, and answered.
//!
//! Stateless: a session's state is the session's, and what envelopes change belongs to its owners. Every
//! reply carries the `cid` of its request. An envelope that cannot be read, or that no client may send,
//! costs the session; everything else that fails is answered with the realtime error envelope.

mod accept;
mod access;
mod chat;
pub mod codec;
mod connection;
mod dispatch;
mod matches;
mod matchmaker;
mod open;
mod parties;
mod reply;
mod rpc;
mod status;

use std::rc::Rc;

use access::AccessCheck;

use crate::{
    api::FloodGate,
    auth,
    chat::{Chat, History},
    config::Config,
    matches::{MatchTokens, Matches},
    matchmaker::Matchmaker,
    notifications::Notifications,
    parties::Parties,
    presence::Presences,
    session::Sessions,
    status::Statuses,
    store::Store,
};

/// The realtime side of one shard. Clones are the same.
#[derive(Clone)]
pub struct Realtime {
    sessions: Sessions,
    presences: Presences,
    chat: Chat,
    history: History,
    notifications: Notifications,
    matches: Matches,
    matchmaker: Matchmaker,
    parties: Parties,
    statuses: Statuses,
    auth: auth::sessions::Sessions,
    access: AccessCheck,
    match_tokens: Rc<MatchTokens>,
    /// Proxies in front of the server whose `X-Forwarded-For` entries are believed.
    proxy_count: u32,
    flood: Option<FloodGate>,
}

/// The services that envelopes are handed to.
pub struct Services {
    pub chat: Chat,
    pub notifications: Notifications,
    pub matches: Matches,
    pub matchmaker: Matchmaker,
    /// Reads what the matchmaker lets its players in with.
    pub match_tokens: Rc<MatchTokens>,
    pub parties: Parties,
    pub statuses: Statuses,
    pub auth: auth::sessions::Sessions,
    pub store: Store,
    /// Whose handshakes are answered how often; without it all are.
    pub flood: Option<FloodGate>,
}

impl Realtime {
    pub fn new(
        sessions: Sessions,
        presences: Presences,
        services: Services,
        config: &Config,
    ) -> Self {
        let Services {
            chat,
            notifications,
            matches,
            matchmaker,
            match_tokens,
            parties,
            statuses,
            auth,
            store,
            flood,
        } = services;
        Self {
            sessions,
            presences,
            chat,
            matches,
            matchmaker,
            parties,
            statuses,
            auth,
            history: History::new(store.clone()),
            notifications,
            access: AccessCheck::new(store),
            match_tokens,
            proxy_count: config.socket.proxy_count,
            flood,
        }
    }
}
