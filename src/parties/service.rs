//! The calls of parties, for sessions of this shard.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use kakera_proto::realtime::{self, PartyCreate};
use kakera_shards::{Clock, Counters, Rng};

use super::{
    Answer, Ask, Asked, Label, PartyError, PartyRef, Player, Reply, Request, Seek, Settings,
    SharedPost, Sought, State, counters::PartyCounters, id::wire_id,
};
use crate::{
    fanout::Slot,
    ids::{PartyId, SessionId, StreamId, StreamMode},
    matchmaker::Matchmaker,
    presence::{JoinOptions, Member, Presences},
};

/// What the configuration says of parties.
#[derive(Clone, Debug)]
pub struct PartySettings {
    /// The name of this node.
    pub node: Arc<str>,
    /// Joining a party leaves the others (`session.single_party`).
    pub single_party: bool,
    /// Most members that a party may be created for (`party.max_size`).
    pub size_max: i32,
    /// Most parties of one shard (`party.max_parties`).
    pub parties_max: usize,
}

/// See the module's description. Clones are the same.
#[derive(Clone)]
pub struct Parties(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) presences: Presences,
    pub(super) matchmaker: Matchmaker,
    pub(super) post: SharedPost,
    pub(super) clock: Clock,
    rng: Rng,
    pub(super) node: Arc<str>,
    pub(super) single_party: bool,
    size_max: i32,
    pub(super) counters: PartyCounters,
    pub(super) state: RefCell<State>,
}

impl Parties {
    /// Parties that count on the shard's board; without one, nobody reads their numbers.
    pub fn new(
        (presences, matchmaker): (Presences, Matchmaker),
        post: SharedPost,
        (clock, rng): (Clock, Rng),
        settings: PartySettings,
        counters: Option<&Counters>,
    ) -> Self {
        let PartySettings { node, single_party, size_max, parties_max } = settings;
        let counters = counters.map_or_else(PartyCounters::detached, PartyCounters::new);
        let state = RefCell::new(State::new(parties_max));
        Self(Rc::new(Inner {
            presences,
            matchmaker,
            post,
            clock,
            rng,
            node,
            single_party,
            size_max,
            counters,
            state,
        }))
    }

    /// Whether a party may be created for so many members; else the bound, and the refusal is counted.
    pub fn check_size(&self, wanted: i32) -> Result<(), i32> {
        let inner = &*self.0;
        if (0..=inner.size_max).contains(&wanted) {
            return Ok(());
        }
        inner.counters.refused.increment();
        Err(inner.size_max)
    }

    /// Creates a party that its creator leads. `then` runs when the creator is in it; the reply has to be
    /// queued there.
    pub fn create(
        &self,
        slot: Slot,
        create: PartyCreate,
        then: impl FnOnce(Result<realtime::Party, PartyError>) + 'static,
    ) {
        let inner = &*self.0;
        let Some(member) = inner.presences.member(slot) else { return then(Err(PartyError::Join)) };
        let creator = Player::from(&member);
        let id = PartyId::at(inner.post.me(), u128::from_be_bytes(inner.rng.bytes_16()));
        if let Err(error) = self.begin(id, &creator, &create) {
            inner.counters.refused.increment();
            return then(Err(error));
        }
        let stream = self.stream(id);
        let this = self.clone();
        self.enter(slot, &member, id, &stream.clone(), move |entered| {
            if entered.is_err() {
                let session = creator.session;
                this.change(id, |state, effects| state.release(id, session, effects));
            }
            let PartyCreate { open, max_size, label, hidden } = create;
            let shown = creator.shown();
            then(entered.map(|()| realtime::Party {
                party_id: wire_id(&stream),
                open,
                hidden,
                max_size,
                self_: Some(shown.clone()),
                leader: Some(shown.clone()),
                presences: vec![shown],
                label,
            }));
        });
    }

    fn begin(&self, id: PartyId, creator: &Player, create: &PartyCreate) -> Result<(), PartyError> {
        let inner = &*self.0;
        let settings = Settings {
            open: create.open,
            hidden: create.hidden,
            size_max: usize::try_from(create.max_size).unwrap_or(0),
            label: Label::read(&create.label)?,
        };
        let wire_id = wire_id(&self.stream(id));
        let now = (inner.clock.unix_micros(), inner.clock.monotonic_ms());
        self.change(id, |state, _| state.create(id, wire_id, (creator.clone(), settings), now))
    }

    /// Joins an open party, or asks the leader of a closed one. `then` runs when the session is in it, or
    /// has asked; what the party sends to it comes after what `then` queues.
    pub fn join(
        &self,
        slot: Slot,
        party: PartyRef,
        then: impl FnOnce(Result<(), PartyError>) + 'static,
    ) {
        let Some(member) = self.0.presences.member(slot) else {
            return then(Err(PartyError::Join));
        };
        let (id, stream) = (party.id, party.stream());
        let this = self.clone();
        self.ask(slot, party, Ask::Join, move |answer| match answer {
            Ok(Answer::Enter) => this.enter(slot, &member, id, &stream, then),
            Ok(Answer::Done | Answer::TakeIn(_) | Answer::Requests(_) | Answer::Ticket(_)) => {
                then(Ok(()));
            }
            Err(error) => {
                // The party may hold a place for an answer that got lost.
                if error == PartyError::Busy {
                    this.release(id, member.session);
                }
                then(Err(error));
            }
        });
    }

    /// Leaves a party; `then` runs when the others no longer see the session there. Who is not in it
    /// leaves it too.
    pub fn leave(&self, slot: Slot, party: &PartyRef, then: impl FnOnce() + 'static) {
        self.0.presences.leave(slot, &party.stream(), then);
    }

    /// Asks the party's home.
    pub fn ask(
        &self,
        slot: Slot,
        party: PartyRef,
        ask: Ask,
        then: impl FnOnce(Result<Answer, PartyError>) + 'static,
    ) {
        let inner = &*self.0;
        if let Ask::Update { label, hidden: true, .. } = &ask
            && !Label::is_blank(label)
        {
            inner.counters.refused.increment();
            return then(Err(PartyError::HiddenLabel));
        }
        let request = |party, caller| Request::Ask(Box::new(Asked { party, caller, ask }));
        self.call(slot, party, request, then);
    }

    /// Asks the party's home to have the party matched, or no longer.
    pub fn seek_others(
        &self,
        slot: Slot,
        party: PartyRef,
        seek: Seek,
        then: impl FnOnce(Result<Answer, PartyError>) + 'static,
    ) {
        let request = |party, caller| Request::Seek(Box::new(Sought { party, caller, seek }));
        self.call(slot, party, request, then);
    }

    fn call(
        &self,
        slot: Slot,
        party: PartyRef,
        request: impl FnOnce(PartyRef, Player) -> Request,
        then: impl FnOnce(Result<Answer, PartyError>) + 'static,
    ) {
        let inner = &*self.0;
        let Some(member) = inner.presences.member(slot) else { return then(Err(PartyError::Busy)) };
        let home = party.id.home();
        if !inner.post.shards().contains(&home) {
            inner.counters.refused.increment();
            return then(Err(PartyError::NotFound));
        }
        let request = request(party, Player::from(&member));
        let this = self.clone();
        let answered = move |reply| {
            if let Ok(Reply::Answer(answer)) = reply {
                return then(answer);
            }
            this.0.counters.unanswered.increment();
            then(Err(PartyError::Busy));
        };
        inner.post.call(home, request, Box::new(answered));
    }

    /// Goes onto the stream of a party that holds a place for the session.
    fn enter(
        &self,
        slot: Slot,
        member: &Member,
        id: PartyId,
        stream: &StreamId,
        then: impl FnOnce(Result<(), PartyError>) + 'static,
    ) {
        let session = member.session;
        // The slot may be another session's by now.
        let here = self.0.presences.member(slot).is_some_and(|member| member.session == session);
        if !here {
            self.release(id, session);
            return then(Err(PartyError::Join));
        }
        let this = self.clone();
        let joined = stream.clone();
        self.0.presences.join(slot, stream, JoinOptions::default(), move |entered| {
            match &entered {
                Ok(entered) => {
                    // Of who was there already, the party does not hear again.
                    if !entered.new {
                        this.release(id, session);
                    }
                    this.leave_others(slot, &joined);
                }
                Err(_) => this.release(id, session),
            }
            then(entered.map(|_| ()).map_err(|_| PartyError::Join));
        });
    }

    fn release(&self, id: PartyId, session: SessionId) {
        self.0.post.deliver(id.home(), Request::Release(Box::new((id, session))));
    }

    /// Leaves every other party, where a session may be in one only.
    pub(super) fn leave_others(&self, slot: Slot, party: &StreamId) {
        if self.0.single_party {
            self.0.presences.leave_modes(slot, &[StreamMode::PARTY], party);
        }
    }

    pub(super) fn stream(&self, id: PartyId) -> StreamId {
        StreamId::party(id, &self.0.node)
    }

    /// What this shard knows of the parties that it keeps.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.0.state.borrow())
    }
}
