//! The calls of relayed matches, for sessions of this shard.

use kakera_proto::realtime::{
    Envelope, Match, MatchData, MatchDataSend, UserPresence, envelope::Message,
};
use kakera_shards::{Address, Counter, Counters, Rng};
use uuid::Uuid;

use super::{MatchError, MatchRef, named, unnamed};
use crate::{
    fanout::{Audience, Slot},
    ids::{SessionId, StreamId, StreamMode},
    presence::{Entry, JoinError, JoinOptions, Joined, Member, Presence, Presences, wire},
};

/// The modes of which a session may be on one stream only, where the configuration says so.
const MATCH_MODES: [StreamMode; 2] = [StreamMode::MATCH_AUTHORITATIVE, StreamMode::MATCH_RELAYED];

/// Data on its way to members of a match.
#[derive(Clone, Debug, PartialEq)]
pub struct Relay {
    pub stream: StreamId,
    pub audience: Audience,
    pub envelope: Envelope,
}

/// See the module's description. Clones are the same.
#[derive(Clone)]
pub struct Matches {
    presences: Presences,
    me: Address,
    rng: Rng,
    /// Joining a match leaves the others.
    single_match: bool,
    refused: Counter,
}

impl Matches {
    /// `me` is this shard.
    pub fn new(presences: Presences, me: Address, rng: Rng, single_match: bool) -> Self {
        Self { presences, me, rng, single_match, refused: Counter::detached() }
    }

    /// The same, counting on the shard's board.
    #[must_use]
    pub fn counted(self, counters: &Counters) -> Self {
        let refused = counters.counter("matches_refused", "Calls of matches that were refused.");
        Self { refused, ..self }
    }

    fn refuse(&self, error: impl Into<MatchError>) -> MatchError {
        self.refused.increment();
        error.into()
    }

    /// Creates a match, or joins the one of that name. `then` runs when the session is in it; the reply
    /// has to be queued there.
    pub fn create(
        &self,
        slot: Slot,
        name: &str,
        then: impl FnOnce(Result<Match, MatchError>) + 'static,
    ) {
        let Some(member) = self.presences.member(slot) else {
            return then(Err(self.refuse(JoinError::Left)));
        };
        let is_named = !name.is_empty();
        let stream = if is_named {
            named(name)
        } else {
            unnamed(self.me, u128::from_be_bytes(self.rng.bytes_16()))
        };
        let match_id = wire::homed_id(&stream);
        let this = self.clone();
        self.presences.join(slot, &stream, JoinOptions::default(), move |joined| {
            then(joined.map_err(|error| this.refuse(error)).map(|joined| {
                let mut reply = match_reply(match_id, &member, &joined);
                // Unlike a join's, the size that a creation answers counts the creator.
                reply.size += i32::from(joined.new);
                reply
            }));
        });
    }

    /// Joins a match by its id. `allow_empty`: also where nobody is there, as a token of the matchmaker
    /// lets its players do. Metadata is for authoritative matches; a relayed one takes no notice of it.
    pub fn join(
        &self,
        slot: Slot,
        match_id: String,
        allow_empty: bool,
        then: impl FnOnce(Result<Match, MatchError>) + 'static,
    ) {
        let wanted = match MatchRef::read(&match_id) {
            Ok(wanted) => wanted,
            Err(error) => return then(Err(self.refuse(error))),
        };
        if !wanted.is_relayed() {
            return then(Err(self.refuse(MatchError::NotFound)));
        }
        let Some(member) = self.presences.member(slot) else {
            return then(Err(self.refuse(JoinError::Left)));
        };
        let entry = if allow_empty { Entry::Join } else { Entry::JoinExisting };
        let options = JoinOptions { entry, ..JoinOptions::default() };
        let stream = wanted.stream.clone();
        let this = self.clone();
        self.presences.join(slot, &wanted.stream, options, move |joined| {
            then(joined.map_err(|error| this.refuse(error)).map(|joined| {
                if this.single_match && joined.new {
                    this.presences.leave_modes(slot, &MATCH_MODES, &stream);
                }
                match_reply(match_id, &member, &joined)
            }));
        });
    }

    /// Leaves a match; `then` runs when the others no longer see the session there.
    pub fn leave(
        &self,
        slot: Slot,
        match_id: &str,
        then: impl FnOnce() + 'static,
    ) -> Result<(), MatchError> {
        let wanted = MatchRef::read(match_id).map_err(|error| self.refuse(error))?;
        self.presences.leave(slot, &wanted.stream, then);
        Ok(())
    }

    /// Decides what becomes of data: it goes to all others, or to those of the chosen presences who are in
    /// the match, the sender included if chosen. `None` goes nowhere, and the sender is not told: it is
    /// not in the match, or names nobody who could be.
    pub fn data(&self, slot: Slot, sent: MatchDataSend) -> Result<Option<Relay>, MatchError> {
        let wanted = MatchRef::read(&sent.match_id).map_err(|error| self.refuse(error))?;
        let member = self.presences.member(slot);
        let joined = self.presences.membership(slot, &wanted.stream).is_some();
        let (Some(member), true, true) = (member, joined, wanted.is_relayed()) else {
            return Ok(None);
        };
        let Some(audience) = audience(&sent.presences, member.session) else {
            return Ok(None);
        };
        let data = MatchData {
            match_id: sent.match_id,
            presence: Some(self_presence(&member)),
            op_code: sent.op_code,
            data: sent.data,
            reliable: sent.reliable,
        };
        let envelope = Envelope { cid: String::new(), message: Some(Message::MatchData(data)) };
        Ok(Some(Relay { stream: wanted.stream, audience, envelope }))
    }

    /// Sends data on its way, without waiting for it.
    pub fn relay(&self, data: Option<Relay>) -> Result<(), MatchError> {
        let Some(Relay { stream, audience, envelope }) = data else { return Ok(()) };
        self.presences.send(stream, audience, envelope).map_err(|_| self.refuse(MatchError::Busy))
    }
}

/// Everybody but the sender, or those who are named; `None` if a name is not one.
fn audience(chosen: &[UserPresence], sender: SessionId) -> Option<Audience> {
    if chosen.is_empty() {
        return Some(Audience::Except(sender));
    }
    let mut sessions = Vec::with_capacity(chosen.len());
    for presence in chosen {
        Uuid::parse_str(&presence.user_id).ok()?;
        sessions.push(presence.session_id.parse().ok()?);
    }
    Some(Audience::Only(sessions))
}

fn match_reply(match_id: String, member: &Member, joined: &Joined) -> Match {
    let bare = |p: &Presence| UserPresence { persistence: false, ..wire::user_presence(p) };
    let presences: Vec<_> = joined.presences.iter().map(|presence| bare(presence)).collect();
    Match {
        match_id,
        authoritative: false,
        label: None,
        size: i32::try_from(presences.len()).unwrap_or(i32::MAX - 1),
        presences,
        self_: Some(self_presence(member)),
    }
}

fn self_presence(member: &Member) -> UserPresence {
    UserPresence {
        user_id: member.user.to_string(),
        session_id: member.session.to_string(),
        username: member.username.to_string(),
        persistence: false,
        status: None,
    }
}
