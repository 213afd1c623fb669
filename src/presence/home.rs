//! The truth about what the sessions of this shard have joined.
//!
//! Pure and synchronous. A membership is noted when the join is sent, so that a session that closes in
//! between can still take it back, and it counts (messages are delivered, the session may send) from the
//! moment the owner's answer is handled.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{Entry, Join, JoinCounter, JoinError, Leave, Presence, Reason};
use crate::{
    fanout::{Format, LocalMembers, Slot},
    ids::{SessionId, StreamId, StreamMode, UserId},
};

/// What bounds the memberships of one session. A join beyond a bound is refused.
#[derive(Clone, Copy, Debug)]
pub struct HomeLimits {
    /// Streams that a session has joined or is joining, those it follows aside.
    pub session_streams_max: usize,
    /// Users whose status a session follows.
    pub session_follows_max: usize,
}

impl Default for HomeLimits {
    fn default() -> Self {
        Self { session_streams_max: 1024, session_follows_max: 10_000 }
    }
}

/// A session of this shard, as others see it on streams.
#[derive(Clone, Debug)]
pub struct Member {
    pub session: SessionId,
    pub user: UserId,
    pub username: Arc<str>,
    pub format: Format,
}

/// How a session wants to be on a stream.
#[derive(Clone, Debug)]
pub struct JoinOptions {
    pub entry: Entry,
    pub hidden: bool,
    pub persistence: bool,
    pub status: Option<Arc<str>>,
}

impl Default for JoinOptions {
    fn default() -> Self {
        Self { entry: Entry::Join, hidden: false, persistence: false, status: None }
    }
}

/// What a session's home knows of one membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Whether what the session sends to the stream is to be stored.
    pub persistence: bool,
    join: JoinCounter,
    /// The owner has answered.
    installed: bool,
    /// Answers that are under way: one, unless somebody else joins the session to the same stream.
    pending: u16,
    /// An answer got lost, so the owner may have taken the session in.
    in_doubt: bool,
}

/// See the module's description.
#[derive(Default)]
pub struct Home {
    sessions: Vec<Option<Box<Session>>>,
    slots: HashMap<SessionId, Slot>,
    local: LocalMembers,
    memberships: usize,
    limits: HomeLimits,
}

struct Session {
    member: Member,
    joins: u64,
    streams: Vec<(StreamId, Membership)>,
    follows: HashMap<UserId, Membership>,
}

impl Session {
    fn find(&self, stream: &StreamId) -> Option<&Membership> {
        if stream.mode == StreamMode::FOLLOWERS {
            return self.follows.get(&UserId(stream.subject));
        }
        self.streams.iter().find(|(joined, _)| joined == stream).map(|(_, m)| m)
    }

    fn get_mut(&mut self, stream: &StreamId) -> Option<&mut Membership> {
        if stream.mode == StreamMode::FOLLOWERS {
            return self.follows.get_mut(&UserId(stream.subject));
        }
        self.streams.iter_mut().find(|(joined, _)| joined == stream).map(|(_, m)| m)
    }

    fn remove(&mut self, stream: &StreamId) -> Option<Membership> {
        if stream.mode == StreamMode::FOLLOWERS {
            return self.follows.remove(&UserId(stream.subject));
        }
        let index = self.streams.iter().position(|(joined, _)| joined == stream)?;
        Some(self.streams.swap_remove(index).1)
    }

    fn next_join(&mut self) -> JoinCounter {
        self.joins += 1;
        JoinCounter(self.joins)
    }

    fn presence(&self, join: JoinCounter, options: JoinOptions) -> Arc<Presence> {
        Arc::new(Presence {
            session: self.member.session,
            user: self.member.user,
            username: Arc::clone(&self.member.username),
            format: self.member.format,
            hidden: options.hidden,
            persistence: options.persistence,
            status: options.status,
            reason: if options.entry == Entry::Update { Reason::Update } else { Reason::Join },
            join,
        })
    }
}

impl Home {
    pub fn new(limits: HomeLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// A session has opened in this slot, which must be free.
    pub fn open(&mut self, slot: Slot, member: Member) {
        let index = slot.0 as usize;
        if self.sessions.len() <= index {
            self.sessions.resize_with(index + 1, || None);
        }
        let id = member.session;
        let session = Session { member, joins: 0, streams: Vec::new(), follows: HashMap::new() };
        if let Some(place) = self.sessions.get_mut(index) {
            assert!(place.is_none(), "a session opens in a free slot");
            *place = Some(Box::new(session));
        }
        self.slots.insert(id, slot);
    }

    /// The session has closed: every membership ends here and now. Yields what its owners are to be told.
    pub fn close(&mut self, slot: Slot, reason: Reason) -> Vec<Leave> {
        let Some(session) = self.sessions.get_mut(slot.0 as usize).and_then(Option::take) else {
            return Vec::new();
        };
        let Session { member, streams, follows, .. } = *session;
        self.slots.remove(&member.session);
        let follows = follows.into_iter().map(|(user, m)| (StreamId::followers(user), m));
        let mut leaves = Vec::with_capacity(streams.len() + follows.len());
        for (stream, membership) in streams.into_iter().chain(follows) {
            if membership.installed {
                self.local.remove(&stream, slot, member.format);
            }
            self.memberships -= 1;
            leaves.push(Leave { stream, session: member.session, join: membership.join, reason });
        }
        leaves
    }

    /// The name under which the session is shown on what it joins from now on.
    pub fn rename(&mut self, slot: Slot, username: Arc<str>) {
        if let Some(session) = self.session_mut(slot) {
            session.member.username = username;
        }
    }

    /// Notes a join and yields what the owner is to be asked.
    pub fn begin_join(
        &mut self,
        slot: Slot,
        stream: &StreamId,
        options: JoinOptions,
    ) -> Result<Join, JoinError> {
        let limits = self.limits;
        let session = self.session_mut(slot).ok_or(JoinError::Left)?;
        let mut entry = options.entry;
        let persistence = options.persistence;
        let known = session.get_mut(stream).map(|membership| {
            membership.pending = membership.pending.saturating_add(1);
            *membership
        });
        let join = match known {
            Some(membership) => {
                // Who is there already may ask again, also where nobody else is.
                if entry == Entry::JoinExisting && membership.installed {
                    entry = Entry::Join;
                }
                membership.join
            }
            None if stream.mode == StreamMode::FOLLOWERS => {
                if session.follows.len() >= limits.session_follows_max {
                    return Err(JoinError::FollowsFull);
                }
                session.next_join()
            }
            None => {
                if session.streams.len() >= limits.session_streams_max {
                    return Err(JoinError::SessionFull);
                }
                session.next_join()
            }
        };
        let presence = session.presence(join, options);
        if known.is_none() {
            let membership =
                Membership { persistence, join, installed: false, pending: 1, in_doubt: false };
            if stream.mode == StreamMode::FOLLOWERS {
                session.follows.insert(UserId(stream.subject), membership);
            } else {
                if session.streams.is_empty() {
                    session.streams.reserve_exact(1);
                }
                session.streams.push((stream.clone(), membership));
            }
            self.memberships += 1;
        }
        Ok(Join { stream: stream.clone(), presence, entry })
    }

    /// The owner has taken the session in: from now on it is a member. Fails if it has left since.
    pub fn install(&mut self, join: &Join) -> Result<Slot, JoinError> {
        let presence = &join.presence;
        let slot = *self.slots.get(&presence.session).ok_or(JoinError::Left)?;
        let session = self.sessions.get_mut(slot.0 as usize).and_then(Option::as_mut);
        let membership = session.and_then(|session| session.get_mut(&join.stream));
        let membership = membership.filter(|m| m.join == presence.join).ok_or(JoinError::Left)?;
        membership.pending = membership.pending.saturating_sub(1);
        if join.entry == Entry::Update {
            membership.persistence = presence.persistence;
        }
        if !membership.installed {
            membership.installed = true;
            self.local.add(&join.stream, slot, presence.format);
        }
        Ok(slot)
    }

    /// The join came to nothing; `lost` if the owner may have taken the session in nevertheless. What
    /// other joins of the session to the stream have achieved, or may yet, stays. Yields the leave that
    /// makes sure, where one is needed.
    pub fn abandon(&mut self, join: &Join, lost: bool) -> Option<Leave> {
        let slot = *self.slots.get(&join.presence.session)?;
        let session = self.sessions.get_mut(slot.0 as usize).and_then(Option::as_mut)?;
        let membership = session.get_mut(&join.stream)?;
        if membership.join != join.presence.join {
            return None;
        }
        membership.pending = membership.pending.saturating_sub(1);
        membership.in_doubt |= lost;
        if membership.installed || membership.pending > 0 {
            return None;
        }
        let in_doubt = membership.in_doubt;
        session.remove(&join.stream);
        self.memberships -= 1;
        in_doubt.then(|| join.undo())
    }

    /// The session leaves: from now on it is no member. Yields what the owner is to be told, or `None` if
    /// the session is not there.
    pub fn leave(&mut self, slot: Slot, stream: &StreamId) -> Option<Leave> {
        let session = self.sessions.get_mut(slot.0 as usize).and_then(Option::as_mut)?;
        let membership = session.remove(stream)?;
        if membership.installed {
            self.local.remove(stream, slot, session.member.format);
        }
        self.memberships -= 1;
        Some(Leave {
            stream: stream.clone(),
            session: session.member.session,
            join: membership.join,
            reason: Reason::Leave,
        })
    }

    /// The streams of these modes that the session has joined, `except` aside.
    pub fn joined(&self, slot: Slot, modes: &[StreamMode], except: &StreamId) -> Vec<StreamId> {
        let streams = self.session(slot).map(|session| session.streams.iter());
        streams
            .into_iter()
            .flatten()
            .map(|(stream, _)| stream)
            .filter(|stream| modes.contains(&stream.mode) && *stream != except)
            .cloned()
            .collect()
    }

    /// The owner has closed the stream: those who were on it when it did are no members any more. Yields
    /// the leaves that the owner is to be told: a second join of theirs may have come to it after the
    /// close, and would put them back.
    pub fn closed(&mut self, stream: &StreamId) -> Vec<Leave> {
        let mut leaves = Vec::new();
        for slot in self.local.take(stream) {
            let session = self.sessions.get_mut(slot.0 as usize).and_then(Option::as_mut);
            let Some(session) = session else { continue };
            let Some(membership) = session.remove(stream) else { continue };
            self.memberships -= 1;
            leaves.push(Leave {
                stream: stream.clone(),
                session: session.member.session,
                join: membership.join,
                reason: Reason::Leave,
            });
        }
        leaves
    }

    /// The owner has ended these joins. Yields those that are still known here, which the owner is to be
    /// told for the reason that [`Self::closed`] gives.
    pub fn removed(&mut self, mut removed: Vec<Leave>) -> Vec<Leave> {
        removed.retain(|leave| {
            let Some(slot) = self.slot(leave.session) else { return false };
            let known = self.session(slot).and_then(|session| session.find(&leave.stream));
            known.is_some_and(|known| known.join == leave.join)
                && self.leave(slot, &leave.stream).is_some()
        });
        removed
    }

    /// The session's membership, once the owner has confirmed it.
    pub fn membership(&self, slot: Slot, stream: &StreamId) -> Option<Membership> {
        let membership = self.session(slot)?.find(stream);
        membership.copied().filter(|membership| membership.installed)
    }

    /// Whether the session has joined the stream, or has asked to.
    pub fn knows(&self, slot: Slot, stream: &StreamId) -> bool {
        self.session(slot).is_some_and(|session| session.find(stream).is_some())
    }

    pub fn member(&self, slot: Slot) -> Option<&Member> {
        self.session(slot).map(|session| &session.member)
    }

    pub fn slot(&self, session: SessionId) -> Option<Slot> {
        self.slots.get(&session).copied()
    }

    pub fn local(&self) -> &LocalMembers {
        &self.local
    }

    /// Sessions that are open.
    pub fn sessions_len(&self) -> usize {
        self.slots.len()
    }

    /// Memberships of all sessions, with those that the owner has not confirmed yet.
    pub fn memberships_len(&self) -> usize {
        self.memberships
    }

    fn session(&self, slot: Slot) -> Option<&Session> {
        self.sessions.get(slot.0 as usize)?.as_deref()
    }

    fn session_mut(&mut self, slot: Slot) -> Option<&mut Session> {
        self.sessions.get_mut(slot.0 as usize)?.as_deref_mut()
    }
}

#[cfg(test)]
mod tests;
