//! Simulated shards with presence, parties and clients, in virtual time.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use kakera_proto::realtime::{self, PartyCreate, envelope::Message};
use kakera_shards::{
    Address, CallError, Loss, Mesh, MeshLimits, NodeId, Protocol, ReplyTo, StableHash,
    ring::Member as Node,
    runtime,
    sim::{Faults, SimConfig, Simulation},
};
use uuid::Uuid;

use super::client::Clients;
use crate::{
    fanout::{Format, Slot},
    ids::{PartyId, SessionId, StreamId, StreamMode, UserId},
    matches::MatchTokens,
    matchmaker::{self, Matchmaker, Rules},
    parties::{
        self, Answer, Ask, Named, Parties, PartyError, PartyRef, PartySettings, Seek, Unanswered,
    },
    presence::{self, Limits, Member, PostError, Presences, Reason},
};

const DEADLINE: Duration = Duration::from_secs(5);
pub(super) const NODE: &str = "node";

pub(super) struct Wire;

pub(super) enum Request {
    Presence(presence::Request),
    Party(parties::Request),
    Matchmaker(matchmaker::Request),
}

pub(super) enum Reply {
    Presence(presence::Reply),
    Party(parties::Reply),
    Matchmaker(matchmaker::Reply),
}

impl Protocol for Wire {
    type Request = Request;
    type Reply = Reply;
}

struct Port(Mesh<Wire>);

impl Port {
    fn ring(&self, key: u128) -> Address {
        self.0.owner(StableHash::new("test").bytes_16(&key.to_be_bytes()).finish())
    }
}

impl presence::Post for Port {
    fn me(&self) -> Address {
        self.0.me()
    }

    fn owner_of(&self, stream: &StreamId) -> Address {
        match stream.mode {
            StreamMode::PARTY => PartyId(stream.subject).home(),
            _ => self.ring(stream.subject.as_u128()),
        }
    }

    fn owner_of_user(&self, user: UserId) -> Address {
        self.ring(user.0.as_u128())
    }

    fn shards(&self) -> Vec<Address> {
        self.0.ring().shards().collect()
    }

    fn cast(&self, to: Address, request: presence::Request) -> Result<(), presence::Request> {
        self.0.cast(to, Request::Presence(request)).map_err(|refused| match refused.request {
            Request::Presence(request) => request,
            Request::Party(_) | Request::Matchmaker(_) => {
                unreachable!("the mesh gives back what it was given")
            }
        })
    }

    fn call(&self, to: Address, request: presence::Request, then: presence::Then) {
        self.0.call_then(to, Request::Presence(request), DEADLINE, move |reply| {
            then(match reply {
                Ok(Reply::Presence(reply)) => Ok(reply),
                Err(CallError::Full | CallError::TooManyCalls | CallError::Unreachable) => {
                    Err(PostError::Refused)
                }
                Ok(_) | Err(_) => Err(PostError::Lost),
            });
        });
    }

    fn deliver(&self, to: Address, request: presence::Request, droppable: bool) -> bool {
        let loss = if droppable { Loss::Droppable } else { Loss::Never };
        self.0.deliver(to, Request::Presence(request), loss)
    }
}

impl parties::Post for Port {
    fn me(&self) -> Address {
        self.0.me()
    }

    fn shards(&self) -> Vec<Address> {
        self.0.ring().shards().collect()
    }

    fn call(&self, to: Address, request: parties::Request, then: parties::Then) {
        self.0.call_then(to, Request::Party(request), DEADLINE, move |reply| {
            then(match reply {
                Ok(Reply::Party(reply)) => Ok(reply),
                Ok(_) | Err(_) => Err(Unanswered),
            });
        });
    }

    fn deliver(&self, to: Address, request: parties::Request) {
        self.0.deliver(to, Request::Party(request), Loss::Never);
    }
}

impl matchmaker::Post for Port {
    fn me(&self) -> Address {
        self.0.me()
    }

    fn pool(&self) -> Address {
        self.ring(0)
    }

    fn call(&self, to: Address, request: matchmaker::Request, then: matchmaker::Then) {
        self.0.call_then(to, Request::Matchmaker(request), DEADLINE, move |reply| {
            then(match reply {
                Ok(Reply::Matchmaker(reply)) => Ok(reply),
                Ok(_) | Err(_) => Err(matchmaker::Unanswered),
            });
        });
    }

    fn deliver(&self, to: Address, request: matchmaker::Request) {
        self.0.deliver(to, Request::Matchmaker(request), Loss::Never);
    }
}

#[derive(Clone)]
pub(super) struct Shard {
    pub(super) address: Address,
    pub(super) presences: Presences,
    pub(super) parties: Parties,
    pub(super) matchmaker: Matchmaker,
    pub(super) clients: Rc<Clients>,
    turn_ends: Rc<Cell<bool>>,
}

impl Shard {
    fn end_turn_soon(&self) {
        let presences = &self.presences;
        let wanted = presences.read_owner(presence::Owner::is_dirty) || presences.owes();
        if wanted && !self.turn_ends.replace(true) {
            let this = self.clone();
            runtime::spawn("end of turn", async move {
                this.turn_ends.set(false);
                this.presences.end_turn();
                if this.presences.owes() {
                    runtime::sleep(Duration::from_millis(5)).await;
                    this.end_turn_soon();
                }
            });
        }
    }
}

/// An open session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guest {
    pub(super) shard: usize,
    pub(super) slot: Slot,
    pub(super) session: SessionId,
    pub(super) user: UserId,
}

impl Guest {
    pub(super) fn username(&self) -> String {
        format!("user-{}", self.user.0.as_u128())
    }

    pub(super) fn named(&self) -> Named {
        let presence = realtime::UserPresence {
            user_id: self.user.to_string(),
            session_id: self.session.to_string(),
            username: self.username(),
            ..realtime::UserPresence::default()
        };
        Named::read(Some(presence)).expect("complete")
    }
}

pub(super) struct World {
    pub(super) sim: Simulation<Wire>,
    pub(super) shards: Vec<Shard>,
    sessions: Cell<u128>,
}

pub(super) type Answered<T> = Rc<RefCell<Option<T>>>;

impl World {
    pub(super) fn new(seed: u64, shards: u16, faults: Faults, single_party: bool) -> Self {
        Self::limited(seed, shards, (faults, MeshLimits::default()), single_party)
    }

    pub(super) fn limited(
        seed: u64,
        shards: u16,
        (faults, limits): (Faults, MeshLimits),
        single_party: bool,
    ) -> Self {
        let members = vec![Node { node: NodeId(7), shards }];
        let config = SimConfig { members, limits, faults };
        let built: Rc<RefCell<BTreeMap<Address, Shard>>> = Rc::default();
        let made = Rc::clone(&built);
        let mut sim = Simulation::new(seed, config, move |context| {
            let made = Rc::clone(&made);
            async move {
                let clients = Rc::new(Clients::default());
                let port = Rc::new(Port(context.mesh.clone()));
                let presences =
                    Presences::new(port.clone(), Rc::clone(&clients) as _, Limits::default());
                let settings = PartySettings {
                    node: NODE.into(),
                    single_party,
                    size_max: 256,
                    parties_max: usize::MAX,
                };
                let chance = (context.clock(), context.rng.clone());
                let tools = matchmaker::Tools {
                    sessions: Rc::clone(&clients) as _,
                    post: port.clone(),
                    clock: context.clock(),
                    rng: context.rng.clone(),
                    tokens: Rc::new(MatchTokens::new("secret")),
                };
                let rules = Rules {
                    seeker_tickets_max: 3,
                    rounds_max: 2,
                    mutual: false,
                    mutual_for_ms: None,
                };
                let interval = Duration::from_secs(1);
                let matchmaking = matchmaker::Settings { rules, interval };
                let matchmaker = Matchmaker::new(tools, matchmaking, None);
                let keeps = (presences.clone(), matchmaker.clone());
                let parties = Parties::new(keeps, port, chance, settings, None);
                assert!(clients.parties.set(parties.clone()).is_ok());
                let turn_ends = Rc::default();
                let address = context.me();
                let shard = Shard { address, presences, parties, matchmaker, clients, turn_ends };
                made.borrow_mut().insert(address, shard.clone());
                context.serve(Rc::new(move |_, request, reply: ReplyTo<Wire>| {
                    match request {
                        Request::Presence(request) => shard
                            .presences
                            .handle(request, move |answer| reply.send(Reply::Presence(answer))),
                        Request::Party(request) => shard
                            .parties
                            .handle(request, move |answer| reply.send(Reply::Party(answer))),
                        Request::Matchmaker(request) => {
                            shard.matchmaker.handle(request, move |answer| {
                                reply.send(Reply::Matchmaker(answer));
                            });
                        }
                    }
                    shard.end_turn_soon();
                }));
                Ok(())
            }
        });
        assert!(sim.run_until_quiet(Duration::from_secs(1)));
        let shards: Vec<_> = built.borrow().values().cloned().collect();
        assert_eq!(shards.len(), sim.addresses().len());
        Self { sim, shards, sessions: Cell::new(0) }
    }

    /// Everything that is on its way arrives.
    pub(super) fn settle(&mut self) {
        assert!(self.sim.run_until_quiet(Duration::from_mins(1)), "the shards come to rest");
    }

    pub(super) fn open(&self, shard: usize, user: u128) -> Guest {
        self.sessions.set(self.sessions.get() + 1);
        let home = &self.shards[shard];
        let session = SessionId::at(home.address, self.sessions.get() << 64);
        let user = UserId(Uuid::from_u128(user));
        let format =
            if self.sessions.get().is_multiple_of(2) { Format::Json } else { Format::Protobuf };
        let slot = home.clients.open(session, format);
        let guest = Guest { shard, slot, session, user };
        let username = Arc::from(guest.username());
        self.on(shard, |home| {
            home.presences.open(slot, Member { session, user, username, format });
        });
        guest
    }

    pub(super) fn close(&self, guest: Guest) {
        self.on(guest.shard, |home| home.presences.close(guest.slot, Reason::Disconnect));
        self.shards[guest.shard].clients.close(guest.slot);
    }

    pub(super) fn on<T>(&self, shard: usize, run: impl FnOnce(&Shard) -> T) -> T {
        let shard = &self.shards[shard];
        self.sim.on(shard.address, |_| run(shard)).expect("the shard is up")
    }

    // Calls. Their answers come while the shards run.

    pub(super) fn create(
        &self,
        guest: Guest,
        create: PartyCreate,
    ) -> Answered<Result<realtime::Party, PartyError>> {
        let answered: Answered<_> = Rc::default();
        let put = Rc::clone(&answered);
        self.on(guest.shard, |home| {
            let clients = Rc::clone(&home.clients);
            home.parties.create(guest.slot, create, move |created| {
                if let Ok(party) = &created {
                    clients.with((guest.slot, guest.session), |client| client.begin(party));
                }
                *put.borrow_mut() = Some(created);
            });
        });
        answered
    }

    pub(super) fn join(&self, guest: Guest, party: &str) -> Answered<Result<(), PartyError>> {
        let answered: Answered<_> = Rc::default();
        let put = Rc::clone(&answered);
        let party = PartyRef::read(party).expect("an id");
        let then = move |joined| *put.borrow_mut() = Some(joined);
        self.on(guest.shard, |home| home.parties.join(guest.slot, party, then));
        answered
    }

    pub(super) fn ask(
        &self,
        guest: Guest,
        party: &str,
        ask: Ask,
    ) -> Answered<Result<Answer, PartyError>> {
        let answered: Answered<_> = Rc::default();
        let put = Rc::clone(&answered);
        let party = PartyRef::read(party).expect("an id");
        let then = move |answer| *put.borrow_mut() = Some(answer);
        self.on(guest.shard, |home| home.parties.ask(guest.slot, party, ask, then));
        answered
    }

    pub(super) fn seek(
        &self,
        guest: Guest,
        party: &str,
        seek: Seek,
    ) -> Answered<Result<Answer, PartyError>> {
        let answered: Answered<_> = Rc::default();
        let put = Rc::clone(&answered);
        let party = PartyRef::read(party).expect("an id");
        let then = move |answer| *put.borrow_mut() = Some(answer);
        self.on(guest.shard, |home| home.parties.seek_others(guest.slot, party, seek, then));
        answered
    }

    /// One round of the matchmaker, to its end.
    pub(super) fn round(&mut self) {
        for shard in 0..self.shards.len() {
            self.on(shard, |shard| {
                let matchmaker = shard.matchmaker.clone();
                runtime::spawn("round", async move { matchmaker.round().await });
            });
        }
        self.settle();
    }

    /// Tickets in the matchmaker's pool.
    pub(super) fn tickets_len(&self) -> usize {
        let len = |shard: &Shard| shard.matchmaker.read(matchmaker::State::len);
        self.shards.iter().map(len).sum()
    }

    pub(super) fn leave(&self, guest: Guest, party: &str) {
        let read = PartyRef::read(party).expect("an id");
        self.on(guest.shard, |home| home.parties.leave(guest.slot, &read, || ()));
        let clients = &self.shards[guest.shard].clients;
        clients.with((guest.slot, guest.session), |client| client.views.remove(party));
    }

    // The same, to the end.

    pub(super) fn created(&mut self, guest: Guest, open: bool, max_size: i32) -> String {
        let create = PartyCreate { open, max_size, ..PartyCreate::default() };
        let answered = self.create(guest, create);
        self.settle();
        let created = answered.borrow_mut().take().expect("an answer");
        created.expect("creates").party_id
    }

    pub(super) fn joined(&mut self, guest: Guest, party: &str) -> Result<(), PartyError> {
        let answered = self.join(guest, party);
        self.settle();
        let joined = answered.borrow_mut().take();
        joined.expect("an answer")
    }

    pub(super) fn asked(
        &mut self,
        guest: Guest,
        party: &str,
        ask: Ask,
    ) -> Result<Answer, PartyError> {
        let answered = self.ask(guest, party, ask);
        self.settle();
        let answer = answered.borrow_mut().take();
        answer.expect("an answer")
    }

    pub(super) fn sought(
        &mut self,
        guest: Guest,
        party: &str,
        seek: Seek,
    ) -> Result<Answer, PartyError> {
        let answered = self.seek(guest, party, seek);
        self.settle();
        let answer = answered.borrow_mut().take();
        answer.expect("an answer")
    }

    pub(super) fn left(&mut self, guest: Guest, party: &str) {
        self.leave(guest, party);
        self.settle();
    }

    /// What a client got since it was last asked.
    pub(super) fn received(&self, guest: Guest) -> Vec<Message> {
        let clients = &self.shards[guest.shard].clients;
        let received = clients
            .with((guest.slot, guest.session), |client| std::mem::take(&mut client.received));
        received.unwrap_or_default()
    }

    pub(super) fn is_member(&self, guest: Guest, party: &str) -> bool {
        let stream = PartyRef::read(party).expect("an id").stream();
        self.shards[guest.shard].presences.membership(guest.slot, &stream).is_some()
    }

    pub(super) fn parties_len(&self) -> usize {
        self.shards.iter().map(|shard| shard.parties.read(parties::State::len)).sum()
    }
}
