//! The tickets of one pool.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque, hash_map::RandomState},
    hash::Hash,
    ops::Bound,
};

use hashbrown::{HashMap, hash_map};

use super::{
    Entry, Formed, Gone, MatchmakerError, Seeker,
    index::{Index, Keys},
    search::Search,
    stats::{COMPLETIONS_LEN, Completion, Stats},
};
use crate::ids::{PartyId, SessionId, TicketId};

/// Tickets of a pool. One more is refused.
pub const TICKETS_MAX: usize = 1 << 17;

/// The place of a ticket in the order in which they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Seq(pub(super) u64);

impl Seq {
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What the configuration says of matching.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Tickets that a session or a party may have (`matchmaker.max_tickets`).
    pub seeker_tickets_max: usize,
    /// Rounds in which a ticket searches (`matchmaker.max_intervals`).
    pub rounds_max: u32,
    /// Both have to match each other's query (`matchmaker.rev_precision`).
    pub mutual: bool,
    /// How long into a round that holds; `None` to its end.
    pub mutual_for_ms: Option<u64>,
}

/// See the module's description. Pure and synchronous: what is to happen is given back.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) rules: Rules,
    last: Seq,
    tickets: BTreeMap<Seq, Box<Kept>>,
    ids: HashMap<TicketId, Seq, RandomState>,
    /// The tickets that a session is on, alone or with a party.
    sessions: HashMap<SessionId, Vec<Seq>, RandomState>,
    parties: HashMap<PartyId, Vec<Seq>, RandomState>,
    /// Those that search in the next round.
    active: BTreeSet<Seq>,
    index: Index,
    /// The last who were matched.
    completions: VecDeque<Completion>,
    pub(super) stats: Stats,
}

#[derive(Clone, Debug)]
struct Kept {
    entry: Entry,
    created_micros: i64,
    /// Rounds in which it has searched.
    rounds: u32,
}

impl State {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            last: Seq::default(),
            tickets: BTreeMap::new(),
            ids: HashMap::default(),
            sessions: HashMap::default(),
            parties: HashMap::default(),
            active: BTreeSet::new(),
            index: Index::default(),
            completions: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Takes a ticket in.
    pub fn add(&mut self, mut entry: Entry, now_micros: i64) -> Result<(), MatchmakerError> {
        let max = self.rules.seeker_tickets_max;
        let is_full = |tickets: Option<&Vec<Seq>>| tickets.is_some_and(|all| all.len() >= max);
        let full_party = match entry.seeker {
            Seeker::Party(party) => is_full(self.parties.get(&party)),
            Seeker::Session(_) => false,
        };
        let mut players = entry.players.iter();
        if full_party || players.any(|player| is_full(self.sessions.get(&player.session))) {
            return Err(MatchmakerError::TooManyTickets);
        }
        if self.tickets.len() >= TICKETS_MAX || self.ids.contains_key(&entry.ticket) {
            return Err(MatchmakerError::NotAvailable);
        }
        // In nanoseconds, as queries name it.
        entry.document.put_number("created_at", now_micros as f64 * 1000.0);
        self.last = self.last.next();
        let seq = self.last;
        self.ids.insert(entry.ticket, seq);
        for player in &entry.players {
            self.sessions.entry(player.session).or_default().push(seq);
        }
        if let Seeker::Party(party) = entry.seeker {
            self.parties.entry(party).or_default().push(seq);
        }
        self.index.insert(seq, &entry.document);
        self.active.insert(seq);
        self.tickets.insert(seq, Box::new(Kept { entry, created_micros: now_micros, rounds: 0 }));
        Ok(())
    }

    /// Takes a ticket out for the one whose it is.
    pub fn remove(&mut self, seeker: Seeker, ticket: TicketId) -> Result<(), MatchmakerError> {
        let seq = self.ids.get(&ticket).copied().ok_or(MatchmakerError::TicketNotFound)?;
        if self.entry(seq).is_none_or(|entry| entry.seeker != seeker) {
            return Err(MatchmakerError::TicketNotFound);
        }
        self.take(seq);
        Ok(())
    }

    /// Takes out the tickets of who is gone.
    pub fn forget(&mut self, gone: Gone) {
        let tickets = match gone {
            Gone::Session(session) => self.sessions.get(&session).cloned(),
            Gone::Party(party) => self.parties.get(&party).cloned(),
            Gone::Ticket(ticket) => self.ids.get(&ticket).map(|seq| vec![*seq]),
        };
        for seq in tickets.unwrap_or_default() {
            self.take(seq);
        }
    }

    pub fn len(&self) -> usize {
        self.tickets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// Tickets that search in the next round.
    pub fn active_len(&self) -> usize {
        self.active.len()
    }

    // For rounds and searches.

    pub(super) fn active(&self) -> Vec<Seq> {
        self.active.iter().copied().collect()
    }

    pub(super) fn oldest_micros(&self) -> Option<i64> {
        self.tickets.first_key_value().map(|(_, kept)| kept.created_micros)
    }

    pub(super) fn entry(&self, seq: Seq) -> Option<&Entry> {
        self.tickets.get(&seq).map(|kept| &kept.entry)
    }

    /// Whether a session of this ticket is on another one.
    pub(super) fn shares_sessions(&self, entry: &Entry) -> bool {
        let shares = |session| self.sessions.get(session).is_some_and(|all| all.len() > 1);
        entry.players.iter().any(|player| shares(&player.session))
    }

    /// The tickets behind `after` that have one of these keys, or all of them; oldest first.
    pub(super) fn candidates<'a>(
        &'a self,
        keys: Option<&[u64]>,
        after: Seq,
    ) -> Box<dyn Iterator<Item = (Seq, &'a Entry)> + 'a> {
        let Some(keys) = keys else {
            let rest = self.tickets.range((Bound::Excluded(after), Bound::Unbounded));
            return Box::new(rest.map(|(seq, kept)| (*seq, &kept.entry)));
        };
        let holders = self.index.holders(keys, after);
        Box::new(holders.filter_map(|seq| Some((seq, self.entry(seq)?))))
    }

    pub(super) fn narrow(&self, entry: &Entry) -> Option<Keys> {
        self.index.narrow(&entry.query)
    }

    /// Begins a ticket's search, if it is still there. In its last one, the ticket is active no more:
    /// it is only found by others.
    pub(super) fn search(&mut self, seq: Seq) -> Option<Search> {
        let rounds_max = self.rules.rounds_max;
        let kept = self.tickets.get_mut(&seq)?;
        kept.rounds += 1;
        let last = kept.rounds >= rounds_max || kept.entry.min == kept.entry.max;
        if last {
            self.active.remove(&seq);
        }
        let entry = self.entry(seq)?;
        Some(Search::new(seq, entry, self.narrow(entry), last))
    }

    /// Takes a match out of the pool: who was found, and then the one that searched.
    pub(super) fn form(&mut self, found: &[Seq], searched: Seq, now_micros: i64) -> Formed {
        let mut entries = Vec::with_capacity(found.len() + 1);
        for seq in found.iter().chain([&searched]) {
            let Some(kept) = self.take(*seq) else { continue };
            for _ in &kept.entry.players {
                if self.completions.len() == COMPLETIONS_LEN {
                    self.completions.pop_front();
                }
                let created_micros = kept.created_micros;
                self.completions
                    .push_back(Completion { created_micros, matched_micros: now_micros });
            }
            entries.push(kept.entry);
        }
        Formed::new(entries)
    }

    pub(super) fn completions(&self) -> Vec<Completion> {
        self.completions.iter().copied().collect()
    }

    fn take(&mut self, seq: Seq) -> Option<Box<Kept>> {
        let kept = self.tickets.remove(&seq)?;
        let entry = &kept.entry;
        self.ids.remove(&entry.ticket);
        self.active.remove(&seq);
        self.index.remove(seq, &entry.document);
        for player in &entry.players {
            strike(&mut self.sessions, player.session, seq);
        }
        if let Seeker::Party(party) = entry.seeker {
            strike(&mut self.parties, party, seq);
        }
        Some(kept)
    }

    #[cfg(test)]
    pub(super) fn holds_nothing(&self) -> bool {
        self.tickets.is_empty()
            && self.ids.is_empty()
            && self.sessions.is_empty()
            && self.parties.is_empty()
            && self.active.is_empty()
            && self.index.is_empty()
    }
}

/// Takes a ticket off a list, and a list off the table when it is empty.
fn strike<K: Eq + Hash>(lists: &mut HashMap<K, Vec<Seq>, RandomState>, key: K, seq: Seq) {
    if let hash_map::Entry::Occupied(mut list) = lists.entry(key) {
        list.get_mut().retain(|other| *other != seq);
        if list.get().is_empty() {
            list.remove();
        }
    }
}
