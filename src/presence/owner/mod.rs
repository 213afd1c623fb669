//! The presences of the streams that this shard owns.
//!
//! Pure and synchronous: a change answers at once, and what others are to be told of it gathers until the
//! turn ends ([`Owner::end_turn`]), so that the joins and leaves of one turn are one event per stream.

mod homes;
mod members;
mod pending;
mod shown;

use std::sync::Arc;

use hashbrown::HashMap;
use kakera_shards::Address;

pub use homes::HomeCount;
use homes::Homes;
use members::{Member, Members};
use pending::Pending;
pub use shown::Snapshot;

use super::{Departure, JoinCounter, JoinError, Leave, Presence, Reason};
use crate::{
    fanout::Formats,
    ids::{SessionId, StreamId, StreamMode, UserId},
};

/// What bounds the streams of one shard. A join beyond a bound is refused.
#[derive(Clone, Copy, Debug)]
pub struct OwnerLimits {
    /// Streams with presences on this shard.
    pub streams_max: usize,
    /// Presences on one stream.
    pub stream_presences_max: usize,
}

impl Default for OwnerLimits {
    fn default() -> Self {
        Self { streams_max: 4_000_000, stream_presences_max: 100_000 }
    }
}

/// How a session comes onto a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Joins; a session that is already there stays as it is.
    Join,
    /// Joins only where somebody is there already.
    JoinExisting,
    /// Joins, or replaces what is known of the session that is already there.
    Update,
}

/// What a join answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The session was not there before.
    pub new: bool,
    /// Who is there and not hidden, the joining session left out if it is new. Who joined in this same
    /// turn comes with the event that follows.
    pub presences: Snapshot,
}

/// What a stream's members are to be told at the end of a turn. At least one list is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEvent {
    pub stream: StreamId,
    pub joins: Vec<Arc<Presence>>,
    pub leaves: Vec<Departure>,
}

/// See the module's description.
#[derive(Default)]
pub struct Owner {
    streams: HashMap<StreamId, Stream>,
    /// Streams with something pending, each once, in the order in which they changed.
    dirty: Vec<StreamId>,
    presences: usize,
    limits: OwnerLimits,
}

#[derive(Default)]
struct Stream {
    members: Members,
    homes: Homes,
    /// Present exactly while the stream is in `Owner::dirty`.
    pending: Option<Box<Pending>>,
}

impl Stream {
    fn add(&mut self, presence: Arc<Presence>) {
        self.homes.add(presence.session.home(), presence.format);
        let announced = presence.hidden;
        self.members.add(Member { presence, announced });
    }

    /// Notes an event if one is due; `true` if the stream has just become dirty.
    fn note(
        &mut self,
        joined: Option<&Arc<Presence>>,
        left: Option<(Arc<Presence>, bool, Reason)>,
    ) -> bool {
        let joined = joined.filter(|presence| !presence.hidden);
        let left = left.filter(|(presence, ..)| !presence.hidden);
        if joined.is_none() && left.is_none() {
            return false;
        }
        let fresh = self.pending.is_none();
        let pending = self.pending.get_or_insert_default();
        if let Some((presence, announced, reason)) = left {
            pending.leave(presence, announced, reason);
        }
        if let Some(presence) = joined {
            pending.join(Arc::clone(presence));
        }
        fresh
    }
}

impl Owner {
    pub fn new(limits: OwnerLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Puts a session on a stream.
    pub fn enter(
        &mut self,
        stream: &StreamId,
        presence: &Arc<Presence>,
        entry: Entry,
    ) -> Result<Joined, JoinError> {
        let session = presence.session;
        if !self.streams.contains_key(stream) {
            if entry == Entry::JoinExisting {
                return Err(JoinError::NotFound);
            }
            if self.streams.len() >= self.limits.streams_max {
                return Err(JoinError::StreamsFull);
            }
            self.streams.insert(stream.clone(), Stream::default());
        }
        let Some(state) = self.streams.get_mut(stream) else { return Err(JoinError::NotFound) };
        // A stream that everybody left in this turn is only waiting to say so.
        if entry == Entry::JoinExisting && state.members.is_empty() {
            return Err(JoinError::NotFound);
        }

        let fresh;
        let new;
        match state.members.get(session).map(|member| member.presence.join) {
            None => {
                // Nobody is told of followers, and each session follows a bounded number of users.
                let bounded = stream.mode != StreamMode::FOLLOWERS;
                if bounded && state.members.len() >= self.limits.stream_presences_max {
                    return Err(JoinError::StreamFull);
                }
                state.add(Arc::clone(presence));
                self.presences += 1;
                fresh = state.note(Some(presence), None);
                new = true;
            }
            // The join of a session that has joined again since: nothing is left to do for it.
            Some(known) if known > presence.join => {
                fresh = false;
                new = false;
            }
            Some(known) if known == presence.join && entry != Entry::Update => {
                fresh = false;
                new = false;
            }
            Some(known) => {
                // The same join with something new to say, or a join that overtook the leave before it.
                new = known < presence.join;
                let reason = if new { Reason::Leave } else { Reason::Update };
                let old = state.members.remove(session);
                if let Some(old) = &old {
                    state.homes.remove(session.home(), old.presence.format);
                }
                state.add(Arc::clone(presence));
                let left = old.map(|member| (member.presence, member.announced, reason));
                fresh = state.note(Some(presence), left);
            }
        }
        let presences = state.members.snapshot();
        if fresh {
            self.dirty.push(stream.clone());
        }
        Ok(Joined { new, presences })
    }

    /// Ends the join numbered `join` of a session, or an earlier one; `false` if there is none.
    pub fn leave(
        &mut self,
        stream: &StreamId,
        session: SessionId,
        join: JoinCounter,
        reason: Reason,
    ) -> bool {
        let Some(state) = self.streams.get_mut(stream) else { return false };
        if state.members.get(session).is_none_or(|member| member.presence.join > join) {
            return false;
        }
        let Some(Member { presence, announced }) = state.members.remove(session) else {
            return false;
        };
        state.homes.remove(session.home(), presence.format);
        self.presences -= 1;
        if state.note(None, Some((presence, announced, reason))) {
            self.dirty.push(stream.clone());
        } else if state.members.is_empty() && state.pending.is_none() {
            self.streams.remove(stream);
        }
        true
    }

    /// Ends every presence of a user on the stream. Takes time linear in the stream's members.
    pub fn remove_user(&mut self, stream: &StreamId, user: UserId) -> Vec<Leave> {
        let Some(state) = self.streams.get(stream) else { return Vec::new() };
        let theirs = state.members.iter().filter(|member| member.presence.user == user);
        let leaves = theirs.map(|member| Leave {
            stream: stream.clone(),
            session: member.presence.session,
            join: member.presence.join,
            reason: Reason::Leave,
        });
        let leaves: Vec<Leave> = leaves.collect();
        for leave in &leaves {
            self.leave(stream, leave.session, leave.join, leave.reason);
        }
        leaves
    }

    /// Takes everybody off the stream without an event, for there is nobody left to hear it. Yields the
    /// shards that have to be told.
    pub fn close(&mut self, stream: &StreamId) -> Vec<HomeCount> {
        let Some(state) = self.streams.remove(stream) else { return Vec::new() };
        if state.pending.is_some() {
            self.dirty.retain(|dirty| dirty != stream);
        }
        self.presences -= state.members.len();
        state.homes.as_slice().to_vec()
    }

    /// Takes the sessions of a shard that is gone off every stream, as disconnected. Yields who left what.
    pub fn lose(&mut self, address: Address) -> Vec<(StreamId, SessionId)> {
        let mut lost = Vec::new();
        for (stream, state) in &self.streams {
            let gone = state.members.iter().filter(|m| m.presence.session.home() == address);
            lost.extend(gone.map(|m| (stream.clone(), m.presence.session, m.presence.join)));
        }
        // The table's order differs from run to run; what is announced must not.
        lost.sort_by_key(|(_, session, join)| (*session, *join));
        let gone = |(stream, session, join)| {
            self.leave(&stream, session, join, Reason::Disconnect).then_some((stream, session))
        };
        lost.into_iter().filter_map(gone).collect()
    }

    /// The events of the turn, one for each stream that changed: those that announce joins first.
    pub fn end_turn(&mut self) -> Vec<StreamEvent> {
        let mut events = Vec::with_capacity(self.dirty.len());
        for stream in self.dirty.drain(..) {
            let Some(state) = self.streams.get_mut(&stream) else { continue };
            let Some(pending) = state.pending.take() else { continue };
            for joined in &pending.joins {
                state.members.announce(joined.session);
            }
            if state.members.is_empty() {
                self.streams.remove(&stream);
            }
            if !pending.is_empty() {
                let Pending { joins, leaves } = *pending;
                events.push(StreamEvent { stream, joins, leaves });
            }
        }
        events.sort_by_key(|event| event.joins.is_empty());
        events
    }

    /// Whether somebody joined the stream in this turn.
    pub fn has_newcomers(&self, stream: &StreamId) -> bool {
        let pending = self.streams.get(stream).and_then(|state| state.pending.as_ref());
        pending.is_some_and(|pending| !pending.joins.is_empty())
    }

    /// Whether [`Self::end_turn`] has something to say.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The shards that have members of the stream, hidden ones too.
    pub fn homes(&self, stream: &StreamId) -> &[HomeCount] {
        self.streams.get(stream).map_or(&[], |state| state.homes.as_slice())
    }

    /// The formats that the stream's members speak.
    pub fn formats(&self, stream: &StreamId) -> Formats {
        self.streams.get(stream).map_or_else(Formats::default, |state| state.homes.formats())
    }

    /// The session's presence on the stream.
    pub fn find(&self, stream: &StreamId, session: SessionId) -> Option<&Arc<Presence>> {
        let state = self.streams.get(stream)?;
        state.members.get(session).map(|member| &member.presence)
    }

    /// Who is on the stream: hidden ones, others, or both.
    pub fn list(&self, stream: &StreamId, hidden: bool, others: bool) -> Vec<Arc<Presence>> {
        let Some(state) = self.streams.get(stream) else { return Vec::new() };
        let wanted = |presence: &Presence| if presence.hidden { hidden } else { others };
        let members = state.members.iter().filter(|member| wanted(&member.presence));
        members.map(|member| Arc::clone(&member.presence)).collect()
    }

    /// Those of [`Self::list`] that observers have been told of; the rest comes with the turn's event.
    pub fn snapshot(&self, stream: &StreamId) -> impl Iterator<Item = &Arc<Presence>> {
        let members = self.streams.get(stream).map(|state| state.members.iter());
        members
            .into_iter()
            .flatten()
            .filter(|member| member.is_shown())
            .map(|member| &member.presence)
    }

    /// Whether somebody is on the stream who is not hidden.
    pub fn is_visible(&self, stream: &StreamId) -> bool {
        let state = self.streams.get(stream);
        state.is_some_and(|state| state.members.iter().any(|member| !member.presence.hidden))
    }

    /// How many are on the stream, hidden ones too.
    pub fn count(&self, stream: &StreamId) -> usize {
        self.streams.get(stream).map_or(0, |state| state.members.len())
    }

    /// The streams of a mode that are on this shard, and how many are on each, hidden ones too.
    pub fn streams(&self, mode: StreamMode) -> impl Iterator<Item = (&StreamId, usize)> {
        let of_mode = self.streams.iter().filter(move |(stream, _)| stream.mode == mode);
        of_mode.map(|(stream, state)| (stream, state.members.len())).filter(|(_, count)| *count > 0)
    }

    /// Streams that this shard keeps.
    pub fn streams_len(&self) -> usize {
        self.streams.len()
    }

    /// Presences on all streams of this shard.
    pub fn presences_len(&self) -> usize {
        self.presences
    }
}

#[cfg(test)]
mod tests;
