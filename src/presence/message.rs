//! What shards ask each other about streams. Large variants are boxed, so that the mesh carries words.

use std::sync::Arc;

use kakera_proto::realtime::Envelope;

use super::{Entry, JoinCounter, JoinError, JoinOptions, Joined, Presence, Reason};
use crate::{
    fanout::{Audience, Delivery, LazyFrames, Targeted},
    ids::{SessionId, StreamId, StreamMode, UserId},
};

/// A message to the owner of a stream, or to the home of a session.
pub enum Request {
    /// To the owner: take a session in.
    Join(Box<Join>),
    /// To the owner: sessions have left.
    Leave(Vec<Leave>),
    /// To the owner: send to the members.
    Send(Box<Send>),
    /// To the owner: a session follows users, all of whom this shard keeps.
    Follow(Box<Follow>),
    /// To the owner: who is on the stream?
    List(Box<List>),
    /// To the owner: how many are on the stream?
    Count(Box<StreamId>),
    /// To any shard: the streams of a mode that it keeps.
    Streams(StreamMode),
    /// To the shard that keeps these users: who of them appears online?
    Online(Vec<UserId>),
    /// To the owner: one session's presence on the stream.
    Find(Box<Find>),
    /// To the owner: take every session of a user off the stream.
    RemoveUser(Box<RemoveUser>),
    /// To the owner: take everybody off the stream.
    Close(Box<StreamId>),
    /// To the home of a session: put it on a stream, or change how it is there.
    Track(Box<Track>),
    /// To the home of a session: take it off a stream.
    Untrack(Box<Untrack>),
    /// From the owner: for all local members of a stream.
    Deliver(Arc<Delivery>),
    /// From the owner: for some local members of a stream.
    DeliverTo(Box<Targeted>),
    /// For these sessions, wherever they are; the receiving shard is their home.
    SendTo(Box<SendTo>),
    /// From the owner: the stream was closed, and its local members are off it.
    Closed(Box<StreamId>),
    /// From the owner: it has ended these joins of sessions whose home this is.
    Removed(Vec<Leave>),
}

/// The answer to a [`Request`]; those that deliver have none.
pub enum Reply {
    Joined(Result<Box<Joined>, JoinError>),
    /// Done, whether or not there was something to do.
    Done,
    /// How many sessions a message was sent to, as far as the owner knows.
    Sent(u32),
    /// How many sessions were taken off the stream.
    Removed(u32),
    Presences(Vec<Arc<Presence>>),
    Count(u32),
    Streams(Vec<(StreamId, u32)>),
    /// Those of the asked users who appear online.
    Online(Vec<UserId>),
    /// The asked shard does not own the stream.
    NotOwner,
}

/// A session joins a stream.
#[derive(Clone, Debug)]
pub struct Join {
    pub stream: StreamId,
    pub presence: Arc<Presence>,
    pub entry: Entry,
}

impl Join {
    /// The leave that ends this join.
    pub fn undo(&self) -> Leave {
        Leave {
            stream: self.stream.clone(),
            session: self.presence.session,
            join: self.presence.join,
            reason: Reason::Leave,
        }
    }
}

/// A session has left a stream that it joined by `join`.
#[derive(Clone, Debug)]
pub struct Leave {
    pub stream: StreamId,
    pub session: SessionId,
    pub join: JoinCounter,
    pub reason: Reason,
}

/// A message for a stream.
pub struct Send {
    pub stream: StreamId,
    pub audience: Audience,
    pub envelope: Envelope,
}

/// A session joins the followers of each of `users`, who all live on one shard.
#[derive(Clone, Debug)]
pub struct Follow {
    pub joins: Vec<(UserId, Arc<Presence>)>,
}

/// Which presences of a stream are asked for.
#[derive(Clone, Debug)]
pub struct List {
    pub stream: StreamId,
    pub hidden: bool,
    pub others: bool,
}

/// Whose presence on a stream is asked for.
#[derive(Clone, Debug)]
pub struct Find {
    pub stream: StreamId,
    pub session: SessionId,
}

/// Whose presences on a stream are to end.
#[derive(Clone, Debug)]
pub struct RemoveUser {
    pub stream: StreamId,
    pub user: UserId,
}

/// A message for sessions, whatever they are on.
pub struct SendTo {
    pub frames: Arc<LazyFrames>,
    pub sessions: Vec<SessionId>,
}

/// Put a session on a stream on somebody else's behalf.
#[derive(Clone, Debug)]
pub struct Track {
    /// Where given, the session has to be this user's.
    pub user: Option<UserId>,
    pub session: SessionId,
    pub stream: StreamId,
    pub options: JoinOptions,
}

/// Take a session off a stream on somebody else's behalf.
#[derive(Clone, Debug)]
pub struct Untrack {
    /// Where given, the session has to be this user's.
    pub user: Option<UserId>,
    pub session: SessionId,
    pub stream: StreamId,
}

const _: () = assert!(size_of::<Request>() <= 32 && size_of::<Reply>() <= 32);
