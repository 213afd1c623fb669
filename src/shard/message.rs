//! Everything that shards ask each other: one variant an owner.

use std::sync::Arc;

use kakera_shards::{Protocol, assert_size};

use crate::{
    auth::{
        attempts::{AttemptRequest, Verdict},
        revocation::Revoke,
    },
    leaderboards::{
        self,
        ranks::{RankReply, RankRequest},
    },
    matches, matchmaker, parties, presence, session,
};

/// The messages of this server.
#[derive(Clone, Copy, Debug)]
pub struct Messages;

impl Protocol for Messages {
    type Request = Request;
    type Reply = Reply;
}

/// What a shard is asked.
pub enum Request {
    Presence(presence::Request),
    Session(session::Request),
    Party(parties::Request),
    Match(matches::Request),
    Matchmaker(matchmaker::Request),
    Revoke(Arc<Revoke>),
    Attempt(Box<AttemptRequest>),
    Rank(Box<RankRequest>),
    Board(Arc<leaderboards::Change>),
}

/// What a shard answers.
pub enum Reply {
    Presence(presence::Reply),
    Session(session::Reply),
    Party(parties::Reply),
    Match(matches::Reply),
    Matchmaker(matchmaker::Reply),
    /// Whether the revocation is applied; if not, the table is full.
    Revoked(bool),
    Attempt(Verdict),
    Rank(RankReply),
    /// The change of a board is known.
    BoardKnown,
}

// A lane's message is one cache line at most with what the mesh adds.
const _: () = assert_size::<Request, 40>();
const _: () = assert_size::<Reply, 40>();
