//! The calls of the matchmaker, for sessions and parties of this shard.

use std::{cell::RefCell, rc::Rc, time::Duration};

use kakera_proto::realtime::Envelope;
use kakera_shards::{Clock, Counters, Rng};
use uuid::Uuid;

use super::{
    Entry, Gone, MatchmakerError, Player, Reply, Request, Rules, Seeker, SharedPost, State, Then,
    Wanted, counters::MatchmakerCounters, home::Home,
};
use crate::{
    config::Config,
    ids::{PartyId, SessionId, TicketId},
    matches::MatchTokens,
    metrics::Timer,
    session::Sessions,
};

/// What the configuration says of the matchmaker.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub rules: Rules,
    /// From one round to the next (`matchmaker.interval_sec`).
    pub interval: Duration,
}

impl Settings {
    pub fn new(config: &Config) -> Self {
        let matchmaker = &config.matchmaker;
        let interval_ms = u64::from(matchmaker.interval_sec) * 1000;
        let rounds = u64::from(matchmaker.rev_threshold);
        let rules = Rules {
            seeker_tickets_max: matchmaker.max_tickets as usize,
            rounds_max: matchmaker.max_intervals,
            mutual: matchmaker.rev_precision,
            mutual_for_ms: (rounds > 0).then(|| interval_ms * rounds),
        };
        Self { rules, interval: Duration::from_millis(interval_ms) }
    }
}

/// Who hands envelopes to the sessions of this shard.
pub trait Tell {
    /// A session that is gone misses it.
    fn tell(&self, session: SessionId, envelope: &Envelope);
}

impl Tell for Sessions {
    fn tell(&self, session: SessionId, envelope: &Envelope) {
        if let Some(session) = self.get(session) {
            session.send(envelope);
        }
    }
}

/// What the matchmaker works with.
pub struct Tools {
    pub sessions: Rc<dyn Tell>,
    pub post: SharedPost,
    pub clock: Clock,
    pub rng: Rng,
    pub tokens: Rc<MatchTokens>,
}

/// See the module's description. Clones are the same.
#[derive(Clone)]
pub struct Matchmaker(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) tools: Tools,
    pub(super) interval: Duration,
    pub(super) counters: MatchmakerCounters,
    pub(super) home: RefCell<Home>,
    /// The pool, if the ring gives it to this shard.
    pub(super) state: RefCell<State>,
}

impl Matchmaker {
    /// One that counts on the shard's board; without one, nobody reads its numbers.
    pub fn new(tools: Tools, settings: Settings, counters: Option<(&Counters, Timer)>) -> Self {
        let counters = counters.map_or_else(MatchmakerCounters::detached, |(counters, timer)| {
            MatchmakerCounters::new(counters, timer)
        });
        Self(Rc::new(Inner {
            tools,
            interval: settings.interval,
            counters,
            home: RefCell::default(),
            state: RefCell::new(State::new(settings.rules)),
        }))
    }

    /// A session of this shard looks for others; `then` runs with its ticket, before what comes of it.
    pub fn add(
        &self,
        player: Player,
        wanted: Wanted,
        then: impl FnOnce(Result<TicketId, MatchmakerError>) + 'static,
    ) {
        let session = player.session;
        let seeker = Seeker::Session(session);
        let entry = Entry::new(self.new_ticket(), (seeker, ""), vec![player], wanted);
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return then(Err(self.refuse(error))),
        };
        let ticket = entry.ticket;
        self.0.home.borrow_mut().begin(session, ticket);
        let this = self.clone();
        self.send(entry, move |added| {
            if added.is_err() {
                this.0.home.borrow_mut().end(session, ticket);
            } else if !this.0.home.borrow().has(session, ticket) {
                // It ended meanwhile, and that may have overtaken the ticket.
                this.forget(Gone::Ticket(ticket));
            }
            then(added.map(|()| ticket));
        });
    }

    /// A party of this shard looks for others, whole; `then` runs with its ticket.
    pub fn add_party(
        &self,
        (party, party_id): (PartyId, &str),
        players: Vec<Player>,
        wanted: Wanted,
        then: impl FnOnce(Result<TicketId, MatchmakerError>) + 'static,
    ) {
        let seeker = Seeker::Party(party);
        let entry = Entry::new(self.new_ticket(), (seeker, party_id), players, wanted);
        match entry {
            Ok(entry) => {
                let ticket = entry.ticket;
                self.send(entry, move |added| then(added.map(|()| ticket)));
            }
            Err(error) => then(Err(self.refuse(error))),
        }
    }

    /// Who has a ticket takes it back.
    pub fn remove(
        &self,
        seeker: Seeker,
        ticket: &str,
        then: impl FnOnce(Result<(), MatchmakerError>) + 'static,
    ) {
        let Ok(ticket) = ticket.parse::<TicketId>() else {
            return then(Err(self.refuse(MatchmakerError::TicketNotFound)));
        };
        let this = self.clone();
        let removed = move |reply| {
            let removed = this.done(&reply);
            if let (Seeker::Session(session), Ok(())) = (seeker, removed) {
                this.0.home.borrow_mut().end(session, ticket);
            }
            then(removed);
        };
        self.call(Request::Remove(Box::new((seeker, ticket))), Box::new(removed));
    }

    /// Takes out who looks for nobody any more.
    pub fn forget(&self, gone: Gone) {
        let post = &self.0.tools.post;
        post.deliver(post.pool(), Request::Forget(gone));
    }

    /// A session of this shard has ended.
    pub fn ended(&self, session: SessionId) {
        if self.0.home.borrow_mut().leave(session) {
            self.forget(Gone::Session(session));
        }
    }

    fn send(&self, entry: Entry, then: impl FnOnce(Result<(), MatchmakerError>) + 'static) {
        let (this, ticket) = (self.clone(), entry.ticket);
        let answered = move |reply: Result<Reply, _>| {
            if reply.is_err() {
                // Whether it is in the pool is not known.
                this.forget(Gone::Ticket(ticket));
            }
            then(this.done(&reply));
        };
        self.call(Request::Add(Box::new(entry)), Box::new(answered));
    }

    pub(super) fn call(&self, request: Request, then: Then) {
        let post = &self.0.tools.post;
        post.call(post.pool(), request, then);
    }

    fn done(&self, reply: &Result<Reply, super::Unanswered>) -> Result<(), MatchmakerError> {
        match reply {
            Ok(Reply::Done(Ok(()))) => Ok(()),
            Ok(Reply::Done(Err(error))) => Err(self.refuse(*error)),
            Ok(Reply::Stats(_) | Reply::None) | Err(_) => {
                self.0.counters.unanswered.increment();
                Err(MatchmakerError::NotAvailable)
            }
        }
    }

    fn refuse(&self, error: MatchmakerError) -> MatchmakerError {
        self.0.counters.refused.increment();
        error
    }

    fn new_ticket(&self) -> TicketId {
        TicketId(uuid::Builder::from_random_bytes(self.0.tools.rng.bytes_16()).into_uuid())
    }

    /// A new match for those whose first lives on `home`.
    pub(super) fn new_match(&self, home: kakera_shards::Address) -> crate::ids::StreamId {
        crate::matches::unnamed(home, Uuid::from_bytes(self.0.tools.rng.bytes_16()).as_u128())
    }
}
