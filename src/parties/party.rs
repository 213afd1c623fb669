//! One party: who leads it, who is in it, who wants to be.

use kakera_proto::{
    api,
    realtime::{
        self, Envelope, PartyClose, PartyData, PartyJoinRequest, PartyLeader, PartyUpdate,
        envelope::Message,
    },
};

use super::{Answer, Ask, Label, Named, PartyError, Player};
use crate::ids::SessionId;

/// How long a place is held for a session that was let in: longer than any call may take on the way.
pub const PLACE_LIFE_MS: u64 = 15_000;

/// What a change of a party does to its stream, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Every member is told.
    TellAll(Envelope),
    /// One member is told.
    Tell(SessionId, Envelope),
    /// What a member sends to the others; best effort.
    Share(SessionId, Envelope),
    /// This session is taken off the stream.
    CastOff(SessionId),
    /// The stream ends.
    Dissolve,
    /// The party looks for nobody any more.
    Unlist,
}

/// How a party begins.
#[derive(Clone, Debug)]
pub struct Settings {
    pub open: bool,
    pub hidden: bool,
    pub size_max: usize,
    pub label: Label,
}

/// See the module's description. Its members are those of its stream, in the order in which they came.
#[derive(Debug)]
pub struct Party {
    wire_id: String,
    open: bool,
    hidden: bool,
    size_max: usize,
    label: Label,
    /// Whoever leads is a member, or will be when the party's own creation is done. `None` only while
    /// nobody is there but those for whom a place is held.
    leader: Option<Player>,
    /// Learns of the party by the reply to its creation, until the first event has told the others.
    creator: Option<SessionId>,
    members: Vec<Player>,
    places: Vec<Held>,
    requests: Vec<Player>,
    /// How often members have come or gone.
    changes: u64,
    /// It may have tickets of the matchmaker.
    looks: bool,
}

/// A place that is held for somebody on the way.
#[derive(Debug)]
struct Held {
    session: SessionId,
    until_ms: u64,
}

impl Party {
    /// A party whose creator leads it and is about to enter its stream.
    pub fn new(wire_id: String, creator: Player, settings: Settings, now_ms: u64) -> Self {
        let Settings { open, hidden, size_max, label } = settings;
        let place = Held { session: creator.session, until_ms: now_ms + PLACE_LIFE_MS };
        Self {
            wire_id,
            open,
            hidden,
            size_max,
            label,
            creator: Some(creator.session),
            leader: Some(creator),
            members: Vec::new(),
            places: vec![place],
            requests: Vec::new(),
            changes: 0,
            looks: false,
        }
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    pub fn is_hidden(&self) -> bool {
        self.hidden
    }

    pub fn label(&self) -> &Label {
        &self.label
    }

    pub fn members(&self) -> &[Player] {
        &self.members
    }

    pub fn leader(&self) -> Option<&Player> {
        self.leader.as_ref()
    }

    /// Places that are held for those on the way.
    pub fn places_len(&self) -> usize {
        self.places.len()
    }

    /// How often members have come or gone.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The members, for a leader who wants to be matched with them.
    pub fn line_up(&mut self, caller: &Player) -> Result<Vec<Player>, PartyError> {
        self.check_leader(caller)?;
        self.looks = true;
        Ok(self.members.clone())
    }

    /// Nobody is here and nobody is on the way.
    pub fn is_over(&self) -> bool {
        self.members.is_empty() && self.places.is_empty()
    }

    /// As a listing shows it.
    pub fn listed(&self) -> api::Party {
        api::Party {
            party_id: self.wire_id.clone(),
            open: self.open,
            hidden: self.hidden,
            max_size: self.size_max as i32,
            label: self.label.text().to_owned(),
        }
    }

    /// Answers what a session asks.
    pub fn ask(
        &mut self,
        caller: &Player,
        ask: Ask,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<Answer, PartyError> {
        match ask {
            Ask::Join => self.join(caller, now_ms, effects),
            Ask::Data { op_code, data } => {
                let sender = self.member(caller.session).ok_or(PartyError::NotMember)?.shown();
                let data = PartyData {
                    party_id: self.wire_id.clone(),
                    presence: Some(sender),
                    op_code,
                    data,
                };
                effects.push(Effect::Share(caller.session, envelope(Message::PartyData(data))));
                Ok(Answer::Done)
            }
            Ask::Promote(named) => {
                self.check_leader(caller)?;
                let member = self.members.iter().find(|member| member.is(&named));
                self.lead(member.cloned().ok_or(PartyError::NotMember)?, effects);
                Ok(Answer::Done)
            }
            Ask::Accept(named) => {
                self.check_leader(caller)?;
                self.accept(&named, now_ms)
            }
            Ask::Remove(named) => {
                self.check_leader(caller)?;
                self.remove(caller, &named, effects)
            }
            Ask::Close => {
                self.check_leader(caller)?;
                effects.push(self.farewell(Effect::TellAll));
                effects.push(Effect::Dissolve);
                self.members.clear();
                self.places.clear();
                self.changed(effects);
                Ok(Answer::Done)
            }
            Ask::Requests => {
                self.check_leader(caller)?;
                Ok(Answer::Requests(self.requests.iter().map(Player::shown).collect()))
            }
            Ask::Update { label, open, hidden } => {
                self.check_leader(caller)?;
                self.label = Label::read(&label)?;
                (self.open, self.hidden) = (open, hidden);
                let (party_id, label) = (self.wire_id.clone(), label.into_string());
                let update = PartyUpdate { party_id, label, open, hidden };
                effects.push(Effect::TellAll(envelope(Message::PartyUpdate(update))));
                Ok(Answer::Done)
            }
        }
    }

    fn join(
        &mut self,
        caller: &Player,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<Answer, PartyError> {
        if self.size(now_ms) >= self.size_max {
            return Err(PartyError::Full);
        }
        if self.open {
            // For a member too, who may be out of it again before it enters.
            self.hold(caller.session, now_ms);
            return Ok(Answer::Enter);
        }
        if self.requests.len() >= self.size_max {
            return Err(PartyError::RequestsFull);
        }
        if self.requests.iter().any(|request| request.user == caller.user) {
            return Err(PartyError::RequestDuplicate);
        }
        if self.member(caller.session).is_some() {
            return Err(PartyError::AlreadyMember);
        }
        self.requests.push(caller.clone());
        if let Some(leader) = &self.leader {
            let (party_id, presences) = (self.wire_id.clone(), vec![caller.shown()]);
            let request = PartyJoinRequest { party_id, presences };
            let request = envelope(Message::PartyJoinRequest(request));
            effects.push(Effect::Tell(leader.session, request));
        }
        Ok(Answer::Done)
    }

    fn accept(&mut self, named: &Named, now_ms: u64) -> Result<Answer, PartyError> {
        if self.size(now_ms) >= self.size_max {
            return Err(PartyError::Full);
        }
        let request = self.requests.iter().position(|request| request.is(named));
        let accepted = self.requests.remove(request.ok_or(PartyError::NotRequest)?);
        self.hold(accepted.session, now_ms);
        Ok(Answer::TakeIn(accepted.session))
    }

    fn remove(
        &mut self,
        caller: &Player,
        named: &Named,
        effects: &mut Vec<Effect>,
    ) -> Result<Answer, PartyError> {
        if caller.is(named) {
            return Err(PartyError::RemoveSelf);
        }
        if let Some(member) = self.members.iter().position(|member| member.is(named)) {
            let session = self.members.remove(member).session;
            effects.push(self.farewell(|farewell| Effect::Tell(session, farewell)));
            effects.push(Effect::CastOff(session));
            self.changed(effects);
            return Ok(Answer::Done);
        }
        let request = self.requests.iter().position(|request| request.is(named));
        self.requests.remove(request.ok_or(PartyError::NotMember)?);
        Ok(Answer::Done)
    }

    /// A session is on the party's stream.
    pub fn entered(&mut self, player: Player, effects: &mut Vec<Effect>) {
        let session = player.session;
        self.places.retain(|held| held.session != session);
        self.requests.retain(|request| request.session != session);
        if self.member(session).is_none() {
            self.members.push(player.clone());
            self.changed(effects);
        }
        // Whoever led has left before anybody else was here.
        self.leader.get_or_insert(player);
    }

    /// A session is off the party's stream. A place that is held for it is for another time.
    pub fn left(&mut self, session: SessionId, effects: &mut Vec<Effect>) {
        let before = self.members.len();
        self.members.retain(|member| member.session != session);
        if self.members.len() < before {
            self.changed(effects);
        }
        if self.creator == Some(session) {
            self.creator = None;
        }
        self.settle(effects);
    }

    /// A session for which a place was held does not come.
    pub fn release(&mut self, session: SessionId, effects: &mut Vec<Effect>) {
        self.places.retain(|held| held.session != session);
        self.settle(effects);
    }

    /// Gives up the places of those who never came.
    pub fn sweep(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        self.places.retain(|held| held.until_ms > now_ms);
        self.settle(effects);
    }

    /// The envelopes for members who have just been announced to the others.
    pub fn greet(&mut self, joined: &[SessionId], effects: &mut Vec<Effect>) {
        let presences: Vec<_> = self.members.iter().map(Player::shown).collect();
        for session in joined {
            if self.creator == Some(*session) {
                self.creator = None;
                continue;
            }
            let Some(member) = self.member(*session) else { continue };
            let party = realtime::Party {
                party_id: self.wire_id.clone(),
                open: self.open,
                max_size: self.size_max as i32,
                self_: Some(member.shown()),
                leader: self.leader.as_ref().map(Player::shown),
                presences: presences.clone(),
                ..realtime::Party::default()
            };
            effects.push(Effect::Tell(*session, envelope(Message::Party(party))));
        }
    }

    /// The party is over, or not who it was: it is matched with nobody as such.
    pub fn changed(&mut self, effects: &mut Vec<Effect>) {
        self.changes += 1;
        if std::mem::take(&mut self.looks) {
            effects.push(Effect::Unlist);
        }
    }

    /// Sees to it that somebody leads: the oldest member after a leader that is gone.
    fn settle(&mut self, effects: &mut Vec<Effect>) {
        let leads = |leader: &Player| {
            let here = self.members.iter().any(|member| member.session == leader.session);
            here || self.places.iter().any(|held| held.session == leader.session)
        };
        if self.leader.as_ref().is_some_and(leads) {
            return;
        }
        self.leader = None;
        if let Some(oldest) = self.members.first() {
            self.lead(oldest.clone(), effects);
        }
    }

    fn lead(&mut self, leader: Player, effects: &mut Vec<Effect>) {
        let presence = Some(leader.shown());
        self.leader = Some(leader);
        let told = PartyLeader { party_id: self.wire_id.clone(), presence };
        effects.push(Effect::TellAll(envelope(Message::PartyLeader(told))));
    }

    pub fn check_leader(&self, caller: &Player) -> Result<(), PartyError> {
        let leads = self.leader.as_ref().is_some_and(|leader| leader.session == caller.session);
        if leads { Ok(()) } else { Err(PartyError::NotLeader) }
    }

    fn member(&self, session: SessionId) -> Option<&Player> {
        self.members.iter().find(|member| member.session == session)
    }

    /// Members and places that are held.
    fn size(&mut self, now_ms: u64) -> usize {
        let leader = self.leader.as_ref().map(|leader| leader.session);
        // The creator's place ends with its creation, whenever that is.
        self.places.retain(|held| held.until_ms > now_ms || Some(held.session) == leader);
        let on_the_way = self.places.iter().filter(|held| self.member(held.session).is_none());
        self.members.len() + on_the_way.count()
    }

    fn hold(&mut self, session: SessionId, now_ms: u64) {
        self.places.retain(|held| held.session != session);
        self.places.push(Held { session, until_ms: now_ms + PLACE_LIFE_MS });
    }

    fn farewell(&self, to: impl FnOnce(Envelope) -> Effect) -> Effect {
        to(envelope(Message::PartyClose(PartyClose { party_id: self.wire_id.clone() })))
    }
}

fn envelope(message: Message) -> Envelope {
    Envelope { cid: String::new(), message: Some(message) }
}
