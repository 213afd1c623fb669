//! What the shard hands to presence: messages of other shards, and the end of a turn.

use std::sync::Arc;

use kakera_proto::realtime::Envelope;
use kakera_shards::Address;

use super::{
    Home, HomeCount, JoinError, Owner, Presences, Reply, Request, Send, StreamEvent, Track, wire,
};
use crate::{
    fanout::{Audience, Delivery, Formats, Outgoing, Slot, Targeted},
    ids::{SessionId, StreamId, StreamMode, UserId},
};

impl Presences {
    /// A message of another shard, or of this one to itself.
    pub fn handle(&self, request: Request, answer: impl FnOnce(Reply) + 'static) {
        match request {
            Request::Join(join) => answer(self.owned(&join.stream, |owner| {
                Reply::Joined(owner.enter(&join.stream, &join.presence, join.entry).map(Box::new))
            })),
            Request::Leave(leaves) => {
                let mut owner = self.0.owner.borrow_mut();
                for leave in leaves {
                    owner.leave(&leave.stream, leave.session, leave.join, leave.reason);
                }
                drop(owner);
                answer(Reply::Done);
            }
            Request::Send(send) => answer(self.forward(*send)),
            Request::Follow(follow) => answer(self.take_follow(*follow)),
            Request::List(list) => answer(self.owned(&list.stream, |owner| {
                Reply::Presences(owner.list(&list.stream, list.hidden, list.others))
            })),
            Request::Count(stream) => {
                answer(self.owned(&stream, |owner| Reply::Count(owner.count(&stream) as u32)))
            }
            Request::Streams(mode) => {
                let owner = self.0.owner.borrow();
                let streams = owner.streams(mode);
                let counts = streams.map(|(stream, count)| (stream.clone(), count as u32));
                answer(Reply::Streams(counts.collect()));
            }
            Request::Online(users) => {
                let owner = self.0.owner.borrow();
                let online = |user: &UserId| owner.is_visible(&StreamId::status(*user));
                answer(Reply::Online(users.into_iter().filter(online).collect()));
            }
            Request::Close(stream) => answer(self.take_close(&stream)),
            Request::Track(track) => {
                let Track { session, stream, options } = *track;
                let slot = self.0.home.borrow().slot(session);
                match slot {
                    Some(slot) => {
                        self.join(slot, &stream, options, |it| answer(Reply::Joined(it)));
                    }
                    None => answer(Reply::Joined(Err(JoinError::Left))),
                }
            }
            Request::Untrack(untrack) => {
                let slot = self.0.home.borrow().slot(untrack.session);
                match slot {
                    Some(slot) => self.leave(slot, &untrack.stream, || answer(Reply::Done)),
                    None => answer(Reply::Done),
                }
            }
            Request::Deliver(delivery) => self.deliver(&delivery),
            Request::DeliverTo(targeted) => self.deliver_to(&targeted),
            Request::Closed(stream) => {
                let leaves = self.0.home.borrow_mut().closed(&stream);
                self.tell(leaves);
            }
        }
    }

    /// Ends a turn: presence events leave, and leaves that were refused are tried again. The shard calls
    /// it after each batch of messages, and soon again while [`Self::owes`].
    pub fn end_turn(&self) {
        if self.owes() {
            let owed = self.0.owed.take();
            self.tell(owed);
        }
        if !self.0.owner.borrow().is_dirty() {
            return;
        }
        let events = self.0.owner.borrow_mut().end_turn();
        for event in &events {
            self.announce(event);
        }
    }

    /// Whether leaves wait for room in a lane.
    pub fn owes(&self) -> bool {
        !self.0.owed.borrow().is_empty()
    }

    /// The shard at this address is gone, and its sessions with it.
    pub fn lose(&self, address: Address) {
        self.0.owner.borrow_mut().lose(address);
    }

    /// What this shard knows of the streams that it owns.
    pub fn read_owner<T>(&self, read: impl FnOnce(&Owner) -> T) -> T {
        read(&self.0.owner.borrow())
    }

    /// What this shard knows of the sessions whose home it is.
    pub fn read_home<T>(&self, read: impl FnOnce(&Home) -> T) -> T {
        read(&self.0.home.borrow())
    }

    /// Asks the owned streams, if this shard owns the one in question. The sender has routed by the same
    /// ring, so anything else is a disagreement that the sender has to hear of.
    pub(super) fn owned(&self, stream: &StreamId, ask: impl FnOnce(&mut Owner) -> Reply) -> Reply {
        if self.0.post.owner_of(stream) != self.0.post.me() {
            return Reply::NotOwner;
        }
        ask(&mut self.0.owner.borrow_mut())
    }

    /// Owner: sends a message on to the members' shards.
    fn forward(&self, send: Send) -> Reply {
        let Send { stream, audience, envelope } = send;
        self.owned(&stream.clone(), |owner| {
            Reply::Sent(match audience {
                Audience::All => self.broadcast(owner, stream, None, &envelope),
                Audience::Except(session) => {
                    self.broadcast(owner, stream, Some(session), &envelope)
                }
                Audience::Only(sessions) => self.narrowcast(owner, stream, sessions, &envelope),
            })
        })
    }

    /// Owner: one message to each shard with members other than `except`, encoded for their formats.
    fn broadcast(
        &self,
        owner: &mut Owner,
        stream: StreamId,
        except: Option<SessionId>,
        envelope: &Envelope,
    ) -> u32 {
        let left_out = except.and_then(|session| {
            owner.find(&stream, session).map(|presence| (session.home(), presence.format))
        });
        let homes = owner.homes(&stream).iter().map(|home| match left_out {
            Some((address, format)) if address == home.address => home.without(format),
            Some(_) | None => *home,
        });
        let homes: Vec<_> = homes.filter(|home| home.members() > 0).collect();
        let formats = homes.iter().fold(Formats::default(), |all, home| all.with(home.formats()));
        if !formats.any() {
            return 0;
        }
        let frames = Outgoing::encode(envelope, formats);
        let delivery = Arc::new(Delivery { stream, frames, except });
        for home in &homes {
            let request = Request::Deliver(Arc::clone(&delivery));
            self.0.post.deliver(home.address, request, true);
        }
        homes.iter().map(HomeCount::members).sum()
    }

    /// Owner: one message to each shard that has some of the chosen sessions.
    fn narrowcast(
        &self,
        owner: &mut Owner,
        stream: StreamId,
        sessions: Vec<SessionId>,
        envelope: &Envelope,
    ) -> u32 {
        let mut formats = Formats::default();
        let mut by_home: Vec<(Address, Vec<SessionId>)> = Vec::new();
        let mut recipients = 0;
        for session in sessions {
            let Some(presence) = owner.find(&stream, session) else { continue };
            formats = formats.with(presence.format.into());
            match by_home.iter_mut().find(|(address, _)| *address == session.home()) {
                Some((_, chosen)) if chosen.contains(&session) => continue,
                Some((_, chosen)) => chosen.push(session),
                None => by_home.push((session.home(), vec![session])),
            }
            recipients += 1;
        }
        if recipients == 0 {
            return 0;
        }
        let frames = Outgoing::encode(envelope, formats);
        let delivery = Arc::new(Delivery { stream, frames, except: None });
        for (home, sessions) in by_home {
            let targeted = Targeted { delivery: Arc::clone(&delivery), sessions };
            self.0.post.deliver(home, Request::DeliverTo(Box::new(targeted)), true);
        }
        recipients
    }

    /// Owner: tells of a stream's joins and leaves.
    fn announce(&self, event: &StreamEvent) {
        let mode = event.stream.mode;
        if matches!(mode, StreamMode::MATCH_AUTHORITATIVE | StreamMode::PARTY) {
            self.0.sessions.changed(event);
        }
        // A user's status is for the followers and for the user's own sessions, not for the status stream.
        let (to, also) = if mode == StreamMode::STATUS {
            let user = UserId(event.stream.subject);
            (StreamId::followers(user), Some(StreamId::notifications(user)))
        } else {
            (event.stream.clone(), None)
        };
        let owner = self.0.owner.borrow();
        let formats = also.iter().fold(owner.formats(&to), |all, s| all.with(owner.formats(s)));
        if !formats.any() {
            return;
        }
        let frames = Outgoing::encode(&wire::presence_event(event), formats);
        for stream in std::iter::once(to).chain(also) {
            let frames = frames.clone();
            let homes = owner.homes(&stream);
            let delivery = Arc::new(Delivery { stream: stream.clone(), frames, except: None });
            for home in homes {
                let request = Request::Deliver(Arc::clone(&delivery));
                self.0.post.deliver(home.address, request, false);
            }
        }
    }

    fn take_close(&self, stream: &StreamId) -> Reply {
        self.owned(stream, |owner| {
            for home in owner.close(stream) {
                let request = Request::Closed(Box::new(stream.clone()));
                self.0.post.deliver(home.address, request, false);
            }
            Reply::Done
        })
    }

    /// Home: queues a message on the local members of its stream.
    fn deliver(&self, delivery: &Delivery) {
        let mut slow = self.0.slow.take();
        {
            let home = self.0.home.borrow();
            let except = delivery.except.and_then(|session| home.slot(session));
            let (stream, frames) = (&delivery.stream, &delivery.frames);
            let holds = self.0.holds.borrow();
            let sessions = &*self.0.sessions;
            if stream.mode == StreamMode::FOLLOWERS && !holds.is_empty() {
                let sink = holds.before(sessions, UserId(stream.subject));
                home.local().deliver(stream, frames, except, &sink, &mut slow);
            } else {
                home.local().deliver(stream, frames, except, sessions, &mut slow);
            }
        }
        self.report(slow);
    }

    /// Home: queues a message on some local members of its stream.
    fn deliver_to(&self, targeted: &Targeted) {
        let mut slow = self.0.slow.take();
        {
            let home = self.0.home.borrow();
            let Targeted { delivery, sessions } = targeted;
            for session in sessions {
                let Some(slot) = home.slot(*session) else { continue };
                if home.membership(slot, &delivery.stream).is_none() {
                    continue;
                }
                let format = home.member(slot).map(|member| member.format);
                let frame = format.and_then(|format| delivery.frames.get(format));
                if frame.is_some_and(|frame| self.0.sessions.send(slot, frame).is_err()) {
                    slow.push(slot);
                }
            }
        }
        self.report(slow);
    }

    /// Reports sessions whose queues are full, now that nothing is borrowed, and keeps the scratch.
    pub(super) fn report(&self, mut slow: Vec<Slot>) {
        for slot in slow.drain(..) {
            self.0.sessions.slow(slot);
        }
        self.0.slow.set(slow);
    }
}
