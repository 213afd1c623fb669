//! The asynchronous edge of presence: it carries out what [`Home`] and [`Owner`] decide.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use kakera_proto::realtime::Envelope;
use kakera_shards::{Address, Counters};

use super::{
    Home, HomeLimits, Join, JoinError, JoinOptions, Joined, Leave, Member, Membership, Moved,
    Owner, OwnerLimits, PostError, Reason, Reply, Request, Send, SharedPost, StreamEvent, Track,
    Untrack, counters::PresenceCounters, hold::Holds,
};
use crate::{
    fanout::{Audience, Sink, Slot},
    ids::{SessionId, StreamId, StreamMode},
};

/// What presence needs of the sessions of its shard.
pub trait Sessions: Sink {
    /// The session does not read fast enough, and its queue is full. It is to be closed; this may call
    /// back into presence.
    fn slow(&self, slot: Slot);

    /// A match or party that this shard keeps has changed: called before its members are told.
    fn changed(&self, event: &StreamEvent);

    /// Somebody has come onto, or gone from, a match or party that this shard keeps, on which there are
    /// `count` now. Called at once, and may call back into presence.
    fn moved(&self, stream: &StreamId, moved: &Moved, count: usize);
}

/// The bounds of presence on one shard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    pub home: HomeLimits,
    pub owner: OwnerLimits,
}

/// Presence on one shard: the sessions whose home it is, and the streams that it owns. Clones are the same.
#[derive(Clone)]
pub struct Presences(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) counters: PresenceCounters,
    pub(super) post: SharedPost,
    pub(super) sessions: Rc<dyn Sessions>,
    pub(super) home: RefCell<Home>,
    pub(super) owner: RefCell<Owner>,
    pub(super) holds: RefCell<Holds>,
    /// Leaves that their owner's full lane refused. Each ends a membership, so the bounds on memberships
    /// bound them too.
    pub(super) owed: RefCell<Vec<Leave>>,
    /// Scratch for deliveries, so that a delivery allocates nothing.
    pub(super) slow: Cell<Vec<Slot>>,
}

impl Presences {
    /// Presence whose numbers nobody reads.
    pub fn new(post: SharedPost, sessions: Rc<dyn Sessions>, limits: Limits) -> Self {
        Self::with(post, sessions, limits, PresenceCounters::detached())
    }

    /// Presence that counts on the shard's board.
    pub fn counted(
        post: SharedPost,
        sessions: Rc<dyn Sessions>,
        limits: Limits,
        counters: &Counters,
    ) -> Self {
        Self::with(post, sessions, limits, PresenceCounters::new(counters))
    }

    fn with(
        post: SharedPost,
        sessions: Rc<dyn Sessions>,
        limits: Limits,
        counters: PresenceCounters,
    ) -> Self {
        Self(Rc::new(Inner {
            counters,
            post,
            sessions,
            home: RefCell::new(Home::new(limits.home)),
            owner: RefCell::new(Owner::new(limits.owner)),
            holds: RefCell::default(),
            owed: RefCell::default(),
            slow: Cell::default(),
        }))
    }

    // For the session layer, about sessions of this shard.

    /// A session has opened in a free slot. It is on no stream yet.
    pub fn open(&self, slot: Slot, member: Member) {
        self.0.home.borrow_mut().open(slot, member);
    }

    /// The session has closed. Nothing is delivered to it from here on, and the slot is free.
    pub fn close(&self, slot: Slot, reason: Reason) {
        self.0.holds.borrow_mut().forget(slot);
        let leaves = self.0.home.borrow_mut().close(slot, reason);
        self.tell(leaves);
    }

    /// The name that the session shows on what it joins from now on.
    pub fn rename(&self, slot: Slot, username: Arc<str>) {
        self.0.home.borrow_mut().rename(slot, username);
    }

    /// Joins a stream, or changes how the session is there ([`super::Entry::Update`]).
    ///
    /// `then` runs when the session is a member: a reply that it queues leaves before anything else of
    /// the stream does. With an error it may run before this returns.
    pub fn join(
        &self,
        slot: Slot,
        stream: &StreamId,
        options: JoinOptions,
        then: impl FnOnce(Result<Box<Joined>, JoinError>) + 'static,
    ) {
        // Bound first, so that the borrow ends before the caller is called.
        let begun = self.0.home.borrow_mut().begin_join(slot, stream, options);
        let join = match begun {
            Ok(join) => join,
            Err(error) => {
                self.0.counters.refused_here(error);
                return then(Err(error));
            }
        };
        let owner = self.0.post.owner_of(stream);
        let request = Request::Join(Box::new(join.clone()));
        let this = self.clone();
        self.0.post.call(owner, request, Box::new(move |reply| then(this.joined(&join, reply))));
    }

    /// Leaves a stream; a session that is not there leaves it too. Nothing of the stream is delivered
    /// from here on; `then` runs when others can no longer see the session there, or before this returns.
    pub fn leave(&self, slot: Slot, stream: &StreamId, then: impl FnOnce() + 'static) {
        let left = self.0.home.borrow_mut().leave(slot, stream);
        let Some(leave) = left else { return then() };
        let owner = self.0.post.owner_of(stream);
        let this = self.clone();
        let request = Request::Leave(vec![leave.clone()]);
        let done = move |reply: Result<Reply, PostError>| {
            if reply.is_err() {
                this.0.owed.borrow_mut().push(leave);
            }
            then();
        };
        self.0.post.call(owner, request, Box::new(done));
    }

    /// Leaves every stream of these modes but `except`.
    pub fn leave_modes(&self, slot: Slot, modes: &[StreamMode], except: &StreamId) {
        let leaves = {
            let mut home = self.0.home.borrow_mut();
            let joined = home.joined(slot, modes, except);
            joined.iter().filter_map(|stream| home.leave(slot, stream)).collect()
        };
        self.tell(leaves);
    }

    /// The session's membership, if it has joined and not left.
    pub fn membership(&self, slot: Slot, stream: &StreamId) -> Option<Membership> {
        self.0.home.borrow().membership(slot, stream)
    }

    /// The session as it is shown.
    pub fn member(&self, slot: Slot) -> Option<Member> {
        self.0.home.borrow().member(slot).cloned()
    }

    // For anybody, about any stream.

    /// Sends to those on a stream, if the owner's lane has room.
    pub fn send(
        &self,
        stream: StreamId,
        audience: Audience,
        envelope: Envelope,
    ) -> Result<(), PostError> {
        let owner = self.0.post.owner_of(&stream);
        let send = Box::new(Send { stream, audience, envelope });
        self.0.post.cast(owner, Request::Send(send)).map_err(|_| PostError::Refused)
    }

    /// Sends to those on a stream. `then` runs after the message has left for its recipients, of whom it
    /// learns how many there are; what it queues on a local session leaves after the message does.
    pub fn send_then(
        &self,
        stream: StreamId,
        audience: Audience,
        envelope: Envelope,
        then: impl FnOnce(Result<u32, PostError>) + 'static,
    ) {
        let owner = self.0.post.owner_of(&stream);
        let request = Request::Send(Box::new(Send { stream, audience, envelope }));
        let done = move |reply| match reply {
            Ok(Reply::Sent(recipients)) => then(Ok(recipients)),
            Ok(_) => then(Err(PostError::Refused)),
            Err(error) => then(Err(error)),
        };
        self.0.post.call(owner, request, Box::new(done));
    }

    /// Takes everybody off a stream, without an event.
    pub fn close_stream(
        &self,
        stream: StreamId,
        then: impl FnOnce(Result<(), PostError>) + 'static,
    ) {
        let owner = self.0.post.owner_of(&stream);
        let done = move |reply| match reply {
            Ok(Reply::Done) => then(Ok(())),
            Ok(_) => then(Err(PostError::Refused)),
            Err(error) => then(Err(error)),
        };
        self.0.post.call(owner, Request::Close(Box::new(stream)), Box::new(done));
    }

    /// Puts any session on a stream, or changes how it is there.
    pub fn track(
        &self,
        session: SessionId,
        stream: StreamId,
        options: JoinOptions,
        then: impl FnOnce(Result<Box<Joined>, JoinError>) + 'static,
    ) {
        let request = Request::Track(Box::new(Track { user: None, session, stream, options }));
        let done = move |reply| match reply {
            Ok(Reply::Joined(joined)) => then(joined),
            Ok(_) | Err(_) => then(Err(JoinError::Unavailable)),
        };
        self.0.post.call(session.home(), request, Box::new(done));
    }

    /// Takes any session off a stream.
    pub fn untrack(
        &self,
        session: SessionId,
        stream: StreamId,
        then: impl FnOnce(Result<(), PostError>) + 'static,
    ) {
        let request = Request::Untrack(Box::new(Untrack { user: None, session, stream }));
        let done = move |reply: Result<Reply, PostError>| then(reply.map(|_| ()));
        self.0.post.call(session.home(), request, Box::new(done));
    }

    /// Handles the owner's answer to a join.
    fn joined(
        &self,
        join: &Join,
        answer: Result<Reply, PostError>,
    ) -> Result<Box<Joined>, JoinError> {
        let mut home = self.0.home.borrow_mut();
        let (error, lost) = match answer {
            // Where it has left since, the leave followed the join.
            Ok(Reply::Joined(Ok(joined))) => return home.install(join).map(|_| joined),
            Ok(Reply::Joined(Err(error))) => (error, false),
            Ok(_) => (JoinError::NotOwner, false),
            Err(PostError::Refused) => (JoinError::Unavailable, false),
            Err(PostError::Lost) => (JoinError::Unavailable, true),
        };
        let undo = home.abandon(join, lost);
        drop(home);
        self.tell(undo.into_iter().collect());
        Err(error)
    }

    /// Tells the owners of leaves, each in one message. What a full lane refuses is owed.
    pub(super) fn tell(&self, leaves: Vec<Leave>) {
        let mut by_owner: Vec<(Address, Vec<Leave>)> = Vec::new();
        for leave in leaves {
            let owner = self.0.post.owner_of(&leave.stream);
            match by_owner.iter_mut().find(|(address, _)| *address == owner) {
                Some((_, batch)) => batch.push(leave),
                None => by_owner.push((owner, vec![leave])),
            }
        }
        for (owner, batch) in by_owner {
            if let Err(Request::Leave(refused)) = self.0.post.cast(owner, Request::Leave(batch)) {
                self.0.counters.leaves_owed.add(refused.len() as u64);
                self.0.owed.borrow_mut().extend(refused);
            }
        }
    }
}
