//! Streams as scripts and the console handle them: any stream, any session, from any shard.
//!
//! Each call is sent when it is made, not when its future is first polled, so calls of one caller to one
//! stream take effect in their order, and one whose future is dropped takes effect too.

use std::{future::Future, sync::Arc};

use futures_channel::oneshot;
use futures_util::future::join_all;
use kakera_proto::realtime::{Envelope, StreamData, envelope::Message};
use kakera_shards::Address;
use thiserror::Error;

use super::{
    Entry, Find, JoinError, JoinOptions, List, PostError, Presence, Presences, RemoveUser, Reply,
    Request, SendTo, Track, Untrack, wire,
};
use crate::{
    error::{Error, ErrorKind},
    fanout::{Audience, LazyFrames},
    ids::{SessionId, StreamId, StreamMode, UserId},
};

/// Why an operation on a stream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StreamError {
    /// There is no such session of that user. State unchanged.
    #[error("session not found")]
    SessionNotFound,
    /// A bound refused the presence. State unchanged.
    #[error(transparent)]
    Join(JoinError),
    /// The owner could not be asked. State unchanged.
    #[error("The server is too busy to reach this stream now.")]
    Busy,
    /// The owner did not answer. Whether the operation took effect is not known.
    #[error("The stream's owner did not answer.")]
    Unanswered,
}

impl StreamError {
    pub fn kind(self) -> ErrorKind {
        match self {
            Self::SessionNotFound => ErrorKind::NotFound,
            Self::Join(error) => error.kind(),
            Self::Busy => ErrorKind::ResourceExhausted,
            Self::Unanswered => ErrorKind::Unavailable,
        }
    }
}

impl From<StreamError> for Error {
    fn from(error: StreamError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

impl From<PostError> for StreamError {
    fn from(error: PostError) -> Self {
        match error {
            PostError::Refused => Self::Busy,
            PostError::Lost => Self::Unanswered,
        }
    }
}

/// A session on a stream, as whoever may do this on another's behalf wants it.
#[derive(Clone, Debug, Default)]
pub struct Appearance {
    /// On the stream without being announced or listed.
    pub hidden: bool,
    /// Whether what the session sends is to be stored.
    pub persistence: bool,
    /// At most as long as the caller lets it be; empty is none.
    pub status: String,
}

impl Appearance {
    fn options(self, entry: Entry) -> JoinOptions {
        let status = (!self.status.is_empty()).then(|| Arc::from(self.status));
        JoinOptions { entry, hidden: self.hidden, persistence: self.persistence, status }
    }
}

/// See the module's description. Clones are the same.
#[derive(Clone)]
pub struct Streams(Presences);

impl Streams {
    pub fn new(presences: Presences) -> Self {
        Self(presences)
    }

    /// Who is on a stream: hidden ones, others, or both.
    pub fn list(
        &self,
        stream: StreamId,
        hidden: bool,
        others: bool,
    ) -> impl Future<Output = Result<Vec<Arc<Presence>>, StreamError>> + use<> {
        let owner = self.0.0.post.owner_of(&stream);
        let asked = self.0.ask(owner, Request::List(Box::new(List { stream, hidden, others })));
        async move {
            match asked.await? {
                Reply::Presences(presences) => Ok(presences),
                _ => Err(StreamError::Busy),
            }
        }
    }

    /// How many are on a stream, hidden ones too.
    pub fn count(
        &self,
        stream: StreamId,
    ) -> impl Future<Output = Result<u32, StreamError>> + use<> {
        let owner = self.0.0.post.owner_of(&stream);
        let asked = self.0.ask(owner, Request::Count(Box::new(stream)));
        async move {
            match asked.await? {
                Reply::Count(count) => Ok(count),
                _ => Err(StreamError::Busy),
            }
        }
    }

    /// The presence of one session of a user on a stream.
    pub fn get(
        &self,
        stream: StreamId,
        user: UserId,
        session: SessionId,
    ) -> impl Future<Output = Result<Option<Arc<Presence>>, StreamError>> + use<> {
        let owner = self.0.0.post.owner_of(&stream);
        let asked = self.0.ask(owner, Request::Find(Box::new(Find { stream, session })));
        async move {
            match asked.await? {
                Reply::Presences(found) => Ok(found.into_iter().find(|p| p.user == user)),
                _ => Err(StreamError::Busy),
            }
        }
    }

    /// Every stream of a mode that somebody is on, and how many are on each, hidden ones too. Asks every
    /// shard, and takes time linear in their streams.
    pub fn of_mode(
        &self,
        mode: StreamMode,
    ) -> impl Future<Output = Result<Vec<(StreamId, u32)>, StreamError>> + use<> {
        let shards = self.0.0.post.shards();
        let asked = shards.into_iter().map(|shard| self.0.ask(shard, Request::Streams(mode)));
        let asked = join_all(asked);
        async move {
            let mut all = Vec::new();
            for answer in asked.await {
                match answer? {
                    Reply::Streams(some) => all.extend(some),
                    _ => return Err(StreamError::Busy),
                }
            }
            Ok(all)
        }
    }

    /// Puts a user's session on a stream. True if it was not there before; one that was stays as it is.
    pub fn join(
        &self,
        stream: StreamId,
        user: UserId,
        session: SessionId,
        appearance: Appearance,
    ) -> impl Future<Output = Result<bool, StreamError>> + use<> {
        self.track(stream, user, session, appearance.options(Entry::Join))
    }

    /// Changes how a user's session is on a stream, and puts it there if it is not.
    pub fn update(
        &self,
        stream: StreamId,
        user: UserId,
        session: SessionId,
        appearance: Appearance,
    ) -> impl Future<Output = Result<(), StreamError>> + use<> {
        let tracked = self.track(stream, user, session, appearance.options(Entry::Update));
        async move { tracked.await.map(|_| ()) }
    }

    /// Takes a user's session off a stream, by its own wish or not; one that is not there is off it too.
    pub fn leave(
        &self,
        stream: StreamId,
        user: UserId,
        session: SessionId,
    ) -> impl Future<Output = Result<(), StreamError>> + use<> {
        let untrack = Untrack { user: Some(user), session, stream };
        let asked = self.0.ask(session.home(), Request::Untrack(Box::new(untrack)));
        async move { asked.await.map(|_| ()) }
    }

    /// Takes everybody off a stream, without an event.
    pub fn close(&self, stream: StreamId) -> impl Future<Output = Result<(), StreamError>> + use<> {
        let owner = self.0.0.post.owner_of(&stream);
        let asked = self.0.ask(owner, Request::Close(Box::new(stream)));
        async move {
            match asked.await? {
                Reply::Done => Ok(()),
                _ => Err(StreamError::Busy),
            }
        }
    }

    /// Sends data to everybody on a stream, or, where `to` names any, to those sessions, on whatever
    /// streams they are. Sessions that are gone are passed over.
    pub fn send(
        &self,
        stream: StreamId,
        data: String,
        to: Vec<SessionId>,
        reliable: bool,
    ) -> Result<(), StreamError> {
        let data = StreamData { stream: Some(wire::stream(&stream)), sender: None, data, reliable };
        let message = Some(Message::StreamData(data));
        self.send_raw(stream, Envelope { cid: String::new(), message }, to)
    }

    /// Sends an envelope, likewise.
    pub fn send_raw(
        &self,
        stream: StreamId,
        envelope: Envelope,
        to: Vec<SessionId>,
    ) -> Result<(), StreamError> {
        if to.is_empty() {
            self.0.send(stream, Audience::All, envelope)?;
        } else {
            self.0.send_to(to, &envelope);
        }
        Ok(())
    }

    fn track(
        &self,
        stream: StreamId,
        user: UserId,
        session: SessionId,
        options: JoinOptions,
    ) -> impl Future<Output = Result<bool, StreamError>> + use<> {
        let track = Track { user: Some(user), session, stream, options };
        let asked = self.0.ask(session.home(), Request::Track(Box::new(track)));
        async move {
            match asked.await {
                Ok(Reply::Joined(Ok(joined))) => Ok(joined.new),
                Ok(Reply::Joined(Err(JoinError::Left))) => Err(StreamError::SessionNotFound),
                Ok(Reply::Joined(Err(error))) => Err(StreamError::Join(error)),
                Ok(_) => Err(StreamError::Busy),
                Err(error) => Err(error),
            }
        }
    }
}

impl Presences {
    /// Takes every session of a user off a stream, as if each had left; the sessions themselves are told
    /// nothing. Yields how many there were. Sent when it is called, also if the future is dropped.
    pub fn remove_user(
        &self,
        stream: &StreamId,
        user: UserId,
    ) -> impl Future<Output = Result<u32, StreamError>> + use<> {
        let remove = RemoveUser { stream: stream.clone(), user };
        let owner = self.0.post.owner_of(stream);
        let asked = self.ask(owner, Request::RemoveUser(Box::new(remove)));
        async move {
            match asked.await? {
                Reply::Removed(count) => Ok(count),
                _ => Err(StreamError::Busy),
            }
        }
    }

    /// Sends an envelope to sessions, whatever they are on, if the lanes to their shards have room.
    /// Sessions that are gone are passed over.
    pub fn send_to(&self, sessions: Vec<SessionId>, envelope: &Envelope) {
        let frames = Arc::new(LazyFrames::new(envelope));
        let mut by_home: Vec<(Address, Vec<SessionId>)> = Vec::new();
        for session in sessions {
            match by_home.iter_mut().find(|(address, _)| *address == session.home()) {
                Some((_, chosen)) => chosen.push(session),
                None => by_home.push((session.home(), vec![session])),
            }
        }
        for (home, sessions) in by_home {
            let send_to = SendTo { frames: Arc::clone(&frames), sessions };
            self.pass_on(home, Request::SendTo(Box::new(send_to)));
        }
    }

    /// Asks a shard.
    fn ask(
        &self,
        to: Address,
        request: Request,
    ) -> impl Future<Output = Result<Reply, StreamError>> + use<> {
        let (sender, receiver) = oneshot::channel();
        let done = move |reply| {
            // Nobody listens where the asking future was dropped.
            let _ = sender.send(reply);
        };
        self.0.post.call(to, request, Box::new(done));
        async move { Ok(receiver.await.unwrap_or(Err(PostError::Lost))?) }
    }
}
