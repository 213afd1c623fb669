//! What the shard hands to presence: messages of other shards, and the end of a turn.

use kakera_shards::Address;

use super::{
    Home, Join, JoinError, Leave, Moved, Owner, Presences, RemoveUser, Reply, Request, SendTo,
    Track, moved::is_kept,
};
use crate::{
    fanout::{Delivery, Slot, Slow, Targeted},
    ids::{SessionId, StreamId, StreamMode, UserId},
};

/// Whether games take whoever found nobody there for the first: of two who come in one turn the second
/// then finds the first, as on a server that takes in one after the other.
fn tells_who_was_first(mode: StreamMode) -> bool {
    let is_match = matches!(mode, StreamMode::MATCH_RELAYED | StreamMode::MATCH_AUTHORITATIVE);
    is_match || mode == StreamMode::DIRECT
}

impl Presences {
    /// A message of another shard, or of this one to itself.
    pub fn handle(&self, request: Request, answer: impl FnOnce(Reply) + 'static) {
        match request {
            Request::Join(join) => self.take_join(&join, answer),
            Request::Leave(leaves) => {
                let mut left = Vec::new();
                let mut owner = self.0.owner.borrow_mut();
                for Leave { stream, session, join, reason } in leaves {
                    if owner.leave(&stream, session, join, reason) && is_kept(stream.mode) {
                        left.push((stream, session));
                    }
                }
                drop(owner);
                self.gauge();
                answer(Reply::Done);
                self.tell_left(left);
            }
            Request::Send(send) => answer(self.forward(*send)),
            Request::Follow(follow) => {
                let reply = self.take_follow(&follow);
                self.gauge();
                answer(reply);
            }
            Request::List(list) => answer(self.owned(&list.stream, |owner| {
                Reply::Presences(owner.list(&list.stream, list.hidden, list.others))
            })),
            Request::Count(stream) => {
                let count = |owner: &mut Owner| Reply::Count(owner.count(&stream) as u32);
                answer(self.owned(&stream, count));
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
            Request::Find(find) => answer(self.owned(&find.stream, |owner| {
                let found = owner.find(&find.stream, find.session);
                Reply::Presences(found.into_iter().cloned().collect())
            })),
            Request::RemoveUser(remove) => {
                let mut left = Vec::new();
                let reply = self.take_remove_user(&remove, &mut left);
                self.gauge();
                answer(reply);
                self.tell_left(left);
            }
            Request::Close(stream) => {
                let reply = self.take_close(&stream);
                self.gauge();
                answer(reply);
                if is_kept(stream.mode) {
                    self.tell_moved(&stream, &Moved::Closed);
                }
            }
            Request::Track(track) => {
                let Track { user, session, stream, options } = *track;
                match self.slot_of(session, user) {
                    Some(slot) => {
                        self.join(slot, &stream, options, |it| answer(Reply::Joined(it)));
                    }
                    None => answer(Reply::Joined(Err(JoinError::Left))),
                }
            }
            Request::Untrack(untrack) => match self.slot_of(untrack.session, untrack.user) {
                Some(slot) => self.leave(slot, &untrack.stream, || answer(Reply::Done)),
                None => answer(Reply::Done),
            },
            Request::Deliver(delivery) => self.deliver(&delivery),
            Request::DeliverTo(targeted) => self.deliver_to(&targeted),
            Request::SendTo(send) => self.deliver_anywhere(&send),
            Request::Closed(stream) => {
                let leaves = self.0.home.borrow_mut().closed(&stream);
                self.tell(leaves);
            }
            Request::Removed(removed) => {
                let leaves = self.0.home.borrow_mut().removed(removed);
                self.tell(leaves);
            }
        }
    }

    /// Owner: takes a session in.
    fn take_join(&self, join: &Join, answer: impl FnOnce(Reply)) {
        if tells_who_was_first(join.stream.mode)
            && self.0.owner.borrow().has_newcomers(&join.stream)
        {
            self.end_turn();
        }
        let reply = self.owned(&join.stream, |owner| {
            let joined = owner.enter(&join.stream, &join.presence, join.entry);
            Reply::Joined(joined.map(Box::new))
        });
        if matches!(reply, Reply::Joined(Err(_))) {
            self.0.counters.joins_refused.increment();
        }
        self.gauge();
        let entered = matches!(&reply, Reply::Joined(Ok(joined)) if joined.new);
        answer(reply);
        if entered {
            self.tell_entered(join);
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
        self.0.counters.events.add(events.len() as u64);
        for event in &events {
            self.announce(event);
        }
        self.gauge();
    }

    /// Says how much this shard owns.
    pub fn gauge(&self) {
        let owner = self.0.owner.borrow();
        self.0.counters.presences.set(owner.presences_len() as u64);
        self.0.counters.streams.set(owner.streams_len() as u64);
    }

    /// Whether leaves wait for room in a lane.
    pub fn owes(&self) -> bool {
        !self.0.owed.borrow().is_empty()
    }

    /// The shard at this address is gone, and its sessions with it.
    pub fn lose(&self, address: Address) {
        let mut left = self.0.owner.borrow_mut().lose(address);
        left.retain(|(stream, _)| is_kept(stream.mode));
        self.gauge();
        self.tell_left(left);
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
            self.0.counters.misrouted.increment();
            return Reply::NotOwner;
        }
        ask(&mut self.0.owner.borrow_mut())
    }

    /// Home: where a session is, if it is that user's.
    fn slot_of(&self, session: SessionId, user: Option<UserId>) -> Option<Slot> {
        let home = self.0.home.borrow();
        let slot = home.slot(session)?;
        let member = home.member(slot)?;
        user.is_none_or(|user| member.user == user).then_some(slot)
    }

    /// Owner: ends the user's presences on a stream and tells their homes.
    fn take_remove_user(
        &self,
        remove: &RemoveUser,
        left: &mut Vec<(StreamId, SessionId)>,
    ) -> Reply {
        self.owned(&remove.stream, |owner| {
            let removed = owner.remove_user(&remove.stream, remove.user);
            if is_kept(remove.stream.mode) {
                left.extend(removed.iter().map(|leave| (leave.stream.clone(), leave.session)));
            }
            let count = removed.len() as u32;
            let mut by_home: Vec<(Address, Vec<Leave>)> = Vec::new();
            for leave in removed {
                let home = leave.session.home();
                match by_home.iter_mut().find(|(address, _)| *address == home) {
                    Some((_, batch)) => batch.push(leave),
                    None => by_home.push((home, vec![leave])),
                }
            }
            for (home, leaves) in by_home {
                self.0.post.deliver(home, Request::Removed(leaves), false);
            }
            Reply::Removed(count)
        })
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
            let sent = if stream.mode == StreamMode::FOLLOWERS && !holds.is_empty() {
                let sink = holds.before(sessions, UserId(stream.subject));
                home.local().deliver(stream, frames, except, &sink, &mut slow)
            } else {
                home.local().deliver(stream, frames, except, sessions, &mut slow)
            };
            self.0.counters.recipients.add(sent as u64);
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
                match frame.map(|frame| self.0.sessions.send(slot, frame)) {
                    Some(Ok(())) => self.0.counters.recipients.increment(),
                    Some(Err(Slow)) => slow.push(slot),
                    None => {}
                }
            }
        }
        self.report(slow);
    }

    /// Home: queues a message on local sessions, whatever they are on.
    fn deliver_anywhere(&self, send: &SendTo) {
        let mut slow = self.0.slow.take();
        {
            let home = self.0.home.borrow();
            for session in &send.sessions {
                let Some(slot) = home.slot(*session) else { continue };
                let Some(member) = home.member(slot) else { continue };
                match self.0.sessions.send(slot, send.frames.get(member.format)) {
                    Ok(()) => self.0.counters.recipients.increment(),
                    Err(Slow) => slow.push(slot),
                }
            }
        }
        self.report(slow);
    }

    /// Reports sessions whose queues are full, now that nothing is borrowed, and keeps the scratch.
    pub(super) fn report(&self, mut slow: Vec<Slot>) {
        self.0.counters.recipients_slow.add(slow.len() as u64);
        for slot in slow.drain(..) {
            self.0.sessions.slow(slot);
        }
        self.0.slow.set(slow);
    }
}
