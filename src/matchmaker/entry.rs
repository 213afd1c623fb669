//! A ticket as it enters the pool.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kakera_proto::realtime::UserPresence;

use super::{MatchmakerError, PLAYERS_MAX, Wanted};
use crate::{
    ids::{PartyId, SessionId, TicketId, UserId},
    presence::Member,
    search::query::{Document, Query},
};

/// A session that wants to play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    pub session: SessionId,
    pub user: UserId,
    pub username: Arc<str>,
}

impl Player {
    /// As others are shown it.
    pub(super) fn shown(&self) -> UserPresence {
        UserPresence {
            user_id: self.user.to_string(),
            session_id: self.session.to_string(),
            username: self.username.to_string(),
            persistence: false,
            status: None,
        }
    }
}

impl From<&Member> for Player {
    fn from(member: &Member) -> Self {
        let Member { session, user, username, .. } = member;
        Self { session: *session, user: *user, username: Arc::clone(username) }
    }
}

/// Who has a ticket, and may take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeker {
    Session(SessionId),
    Party(PartyId),
}

/// A ticket: who wants to play with whom.
#[derive(Clone, Debug)]
pub struct Entry {
    pub ticket: TicketId,
    pub seeker: Seeker,
    /// The party as the wire has it; empty for a session.
    pub party_id: Box<str>,
    /// All of them come into one match.
    pub players: Vec<Player>,
    /// Fewest players of the match.
    pub min: usize,
    /// Most players of the match.
    pub max: usize,
    /// What their number is a multiple of.
    pub multiple: usize,
    pub query: Query,
    /// What others' queries are asked about.
    pub document: Document,
    pub strings: BTreeMap<String, String>,
    pub numbers: BTreeMap<String, f64>,
}

impl Entry {
    /// A ticket of these players.
    pub fn new(
        ticket: TicketId,
        (seeker, party_id): (Seeker, &str),
        players: Vec<Player>,
        wanted: Wanted,
    ) -> Result<Self, MatchmakerError> {
        let query = Query::parse(&wanted.query).map_err(|_| MatchmakerError::Query)?;
        let sessions: BTreeSet<_> = players.iter().map(|player| player.session).collect();
        if sessions.len() != players.len() {
            return Err(MatchmakerError::DuplicateSession);
        }
        let Wanted { min, max, multiple, strings, numbers, .. } = wanted;
        if min > PLAYERS_MAX {
            return Err(MatchmakerError::TooLarge);
        }
        let document = document(ticket, (min, max), party_id, (&strings, &numbers));
        let max = if max > PLAYERS_MAX { PLAYERS_MAX - PLAYERS_MAX % multiple } else { max };
        let party_id = party_id.into();
        Ok(Self {
            ticket,
            seeker,
            party_id,
            players,
            min,
            max,
            multiple,
            query,
            document,
            strings,
            numbers,
        })
    }

    /// How many players come with it.
    pub fn count(&self) -> usize {
        self.players.len()
    }

    /// Whether a match of this size will do.
    pub fn takes(&self, size: usize) -> bool {
        (self.min..=self.max).contains(&size) && size.is_multiple_of(self.multiple)
    }
}

fn document(
    ticket: TicketId,
    (min, max): (usize, usize),
    party_id: &str,
    (strings, numbers): (&BTreeMap<String, String>, &BTreeMap<String, f64>),
) -> Document {
    let mut document = Document::default();
    document.put_text("ticket", &ticket.to_string());
    document.put_text("party_id", party_id);
    document.put_number("min_count", min as f64);
    document.put_number("max_count", max as f64);
    for (name, text) in strings.iter().filter(|(name, _)| !numbers.contains_key(*name)) {
        document.put_text(&format!("properties.{name}"), text);
    }
    for (name, number) in numbers {
        document.put_number(&format!("properties.{name}"), *number);
    }
    document
}
