//! The parties of one shard.

use std::{
    collections::{BTreeSet, hash_map::RandomState},
    ops::Bound,
};

use hashbrown::HashMap;

use super::{Answer, Ask, Effect, Filter, Page, Party, PartyError, Place, Player, Settings};
use crate::ids::{PartyId, SessionId};

/// Parties that one page looks at on a shard before it says where it stopped.
pub const LOOKED_AT_MAX: usize = 10_000;

/// See the module's description. Pure and synchronous: what is to happen is given back as effects.
#[derive(Debug)]
pub struct State {
    /// One more is refused.
    parties_max: usize,
    parties: HashMap<PartyId, Kept, RandomState>,
    /// Every party, oldest first.
    order: BTreeSet<Place>,
}

#[derive(Debug)]
struct Kept {
    party: Party,
    place: Place,
}

impl State {
    /// Of a shard that keeps at most so many parties.
    pub fn new(parties_max: usize) -> Self {
        Self { parties_max, parties: HashMap::default(), order: BTreeSet::new() }
    }

    /// Begins a party; its creator is to enter the stream next, or [`State::release`] follows.
    pub fn create(
        &mut self,
        id: PartyId,
        wire_id: String,
        (creator, settings): (Player, Settings),
        (created_micros, now_ms): (i64, u64),
    ) -> Result<(), PartyError> {
        if self.parties.len() >= self.parties_max {
            return Err(PartyError::TooMany);
        }
        let place = Place { created_micros, id: id.0.as_u128() };
        let party = Party::new(wire_id, creator, settings, now_ms);
        self.order.insert(place);
        self.parties.insert(id, Kept { party, place });
        Ok(())
    }

    /// Answers what a session asks a party.
    pub fn ask(
        &mut self,
        id: PartyId,
        caller: &Player,
        (ask, now_ms): (Ask, u64),
        effects: &mut Vec<Effect>,
    ) -> Result<Answer, PartyError> {
        let kept = self.parties.get_mut(&id).ok_or(PartyError::NotFound)?;
        let answer = kept.party.ask(caller, ask, now_ms, effects);
        self.bury(id);
        answer
    }

    /// A session is on a party's stream. Without the party, the stream is nobody's.
    pub fn entered(&mut self, id: PartyId, player: Player, effects: &mut Vec<Effect>) {
        match self.parties.get_mut(&id) {
            Some(kept) => kept.party.entered(player, effects),
            None => effects.push(Effect::Dissolve),
        }
    }

    /// A session is off a party's stream.
    pub fn left(&mut self, id: PartyId, session: SessionId, effects: &mut Vec<Effect>) {
        if let Some(kept) = self.parties.get_mut(&id) {
            kept.party.left(session, effects);
            self.bury(id);
        }
    }

    /// A session for which a party holds a place does not come.
    pub fn release(&mut self, id: PartyId, session: SessionId, effects: &mut Vec<Effect>) {
        if let Some(kept) = self.parties.get_mut(&id) {
            kept.party.release(session, effects);
            self.bury(id);
        }
    }

    /// Somebody else has ended the party's stream.
    pub fn closed(&mut self, id: PartyId, effects: &mut Vec<Effect>) {
        if let Some(mut kept) = self.remove(id) {
            kept.party.changed(effects);
        }
    }

    /// The members of a party, for a leader who wants to be matched with them, and what
    /// [`Party::changes`] is as long as they are the same.
    pub fn line_up(
        &mut self,
        id: PartyId,
        caller: &Player,
    ) -> Result<(Vec<Player>, u64), PartyError> {
        let party = &mut self.parties.get_mut(&id).ok_or(PartyError::NotFound)?.party;
        Ok((party.line_up(caller)?, party.changes()))
    }

    /// Refuses who does not lead a party.
    pub fn check_leader(&self, id: PartyId, caller: &Player) -> Result<(), PartyError> {
        self.get(id).ok_or(PartyError::NotFound)?.check_leader(caller)
    }

    /// The envelopes for members who have just been announced to the others.
    pub fn greet(&mut self, id: PartyId, joined: &[SessionId], effects: &mut Vec<Effect>) {
        if let Some(kept) = self.parties.get_mut(&id) {
            kept.party.greet(joined, effects);
        }
    }

    /// Gives up places of those who never came, and parties that nobody came to.
    pub fn sweep(&mut self, now_ms: u64) -> Vec<(PartyId, Vec<Effect>)> {
        let mut swept = Vec::new();
        for (id, kept) in &mut self.parties {
            let mut effects = Vec::new();
            kept.party.sweep(now_ms, &mut effects);
            if kept.party.is_over() || !effects.is_empty() {
                swept.push((*id, effects));
            }
        }
        for (id, _) in &swept {
            self.bury(*id);
        }
        swept
    }

    /// One page of a listing.
    pub fn list(&self, filter: &Filter) -> Page {
        let from = filter.after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut page = Page::default();
        for (looked_at, place) in self.order.range((from, Bound::Unbounded)).enumerate() {
            if page.parties.len() >= filter.limit || looked_at >= LOOKED_AT_MAX {
                page.looked_up_to = self.order.range(..place).next_back().copied();
                return page;
            }
            let id = PartyId(uuid::Uuid::from_u128(place.id));
            let Some(Kept { party, .. }) = self.parties.get(&id) else { continue };
            let wanted = filter.open.is_none_or(|open| party.is_open() == open)
                && (filter.hidden || !party.is_hidden())
                && filter.query.matches(party.label());
            if wanted {
                page.parties.push((*place, party.listed()));
            }
        }
        page
    }

    pub fn get(&self, id: PartyId) -> Option<&Party> {
        self.parties.get(&id).map(|kept| &kept.party)
    }

    pub fn ids(&self) -> impl Iterator<Item = PartyId> {
        self.parties.keys().copied()
    }

    pub fn len(&self) -> usize {
        self.parties.len()
    }

    pub fn is_empty(&self) -> bool {
        self.parties.is_empty()
    }

    /// Forgets the party if it is over.
    fn bury(&mut self, id: PartyId) {
        if self.parties.get(&id).is_some_and(|kept| kept.party.is_over()) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: PartyId) -> Option<Kept> {
        let kept = self.parties.remove(&id)?;
        self.order.remove(&kept.place);
        Some(kept)
    }
}
