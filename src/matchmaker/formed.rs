//! A match that was made.

use kakera_proto::realtime::{
    Envelope, MatchmakerMatched,
    envelope::Message,
    matchmaker_matched::{Id, MatchmakerUser},
};

use super::Entry;
use crate::ids::{SessionId, TicketId};

/// Players who are matched, and with which tickets.
#[derive(Clone, Debug)]
pub struct Formed {
    entries: Vec<Entry>,
}

/// What those who are matched are told, but for what is each one's own.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// Lets its holder into the match.
    token: String,
    users: Vec<MatchmakerUser>,
    /// The session and the ticket of each user.
    told: Vec<(SessionId, TicketId)>,
}

impl Formed {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// The tickets, those that were found before the one that searched.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many play.
    pub fn players_len(&self) -> usize {
        self.entries.iter().map(Entry::count).sum()
    }

    pub(super) fn announced(self, token: String) -> Announcement {
        let mut users = Vec::with_capacity(self.players_len());
        let mut told = Vec::with_capacity(users.capacity());
        for entry in self.entries {
            for player in &entry.players {
                told.push((player.session, entry.ticket));
                users.push(MatchmakerUser {
                    presence: Some(player.shown()),
                    party_id: entry.party_id.to_string(),
                    string_properties: entry.strings.clone(),
                    numeric_properties: entry.numbers.clone(),
                });
            }
        }
        Announcement { token, users, told }
    }
}

impl Announcement {
    /// The sessions that are matched, and with which ticket.
    pub(super) fn told(&self) -> &[(SessionId, TicketId)] {
        &self.told
    }

    /// What one of them is told. As large as the match.
    pub(super) fn envelope(&self, at: usize) -> Option<Envelope> {
        let (_, ticket) = self.told.get(at)?;
        let matched = MatchmakerMatched {
            ticket: ticket.to_string(),
            users: self.users.clone(),
            self_: self.users.get(at).cloned(),
            id: Some(Id::Token(self.token.clone())),
        };
        Some(Envelope { cid: String::new(), message: Some(Message::MatchmakerMatched(matched)) })
    }
}
