//! One shard: its owners, and one match that says which of them a message is for.

mod boards;
mod message;
mod ports;
mod watch;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use kakera_shards::{Address, Clock, Handler, ReplyTo, runtime};

pub use message::{Messages, Reply, Request};
pub use ports::{Live, Ports};
pub use watch::Keepers;

use crate::{
    auth::{attempts::Attempts, revocation::Revocations},
    leaderboards::{Definitions, ranks::RankOwner},
    matches::MatchIndex,
    matchmaker::Matchmaker,
    parties::Parties,
    presence::Presences,
    session::Sessions,
};

/// How soon a leave that a full lane refused is sent again.
const OWED_RETRY_MS: u64 = 5;

/// Everything that this shard owns.
pub struct ShardState {
    pub sessions: Sessions,
    pub presences: Presences,
    pub parties: Parties,
    pub matches: MatchIndex,
    pub matchmaker: Matchmaker,
    pub revocations: Rc<RefCell<Revocations>>,
    pub attempts: RefCell<Attempts>,
    pub ranks: RankOwner,
    pub boards: Rc<RefCell<Definitions>>,
    pub clock: Clock,
    /// The end of the turn is on its way.
    turn_ends: Cell<bool>,
}

impl ShardState {
    pub fn new(
        sessions: Sessions,
        presences: Presences,
        (parties, matches, matchmaker): (Parties, MatchIndex, Matchmaker),
        revocations: Rc<RefCell<Revocations>>,
        (ranks, boards): (RankOwner, Rc<RefCell<Definitions>>),
        clock: Clock,
    ) -> Rc<Self> {
        Rc::new(Self {
            sessions,
            presences,
            parties,
            matches,
            matchmaker,
            revocations,
            attempts: RefCell::default(),
            ranks,
            boards,
            clock,
            turn_ends: Cell::new(false),
        })
    }

    fn handle(&self, request: Request, reply: ReplyTo<Messages>) {
        match request {
            Request::Presence(request) => {
                self.presences.handle(request, move |answer| reply.send(Reply::Presence(answer)));
            }
            Request::Session(request) => {
                self.sessions.handle(request, move |answer| reply.send(Reply::Session(answer)));
            }
            Request::Party(request) => {
                self.parties.handle(request, move |answer| reply.send(Reply::Party(answer)));
            }
            Request::Match(request) => {
                self.matches.handle(request, move |answer| reply.send(Reply::Match(answer)));
            }
            Request::Matchmaker(request) => {
                self.matchmaker.handle(request, move |answer| {
                    reply.send(Reply::Matchmaker(answer));
                });
            }
            Request::Revoke(revoke) => {
                let now_sec = self.clock.unix_sec();
                let applied = self.revocations.borrow_mut().apply(&revoke, now_sec);
                reply.send(Reply::Revoked(applied.is_ok()));
            }
            Request::Attempt(request) => {
                let now_ms = self.clock.unix_ms();
                let verdict = self.attempts.borrow_mut().handle(&request, now_ms);
                reply.send(Reply::Attempt(verdict));
            }
            Request::Rank(request) => {
                self.ranks.handle(*request, move |answer| reply.send(Reply::Rank(answer)));
            }
            Request::Board(change) => {
                self.boards.borrow_mut().apply(&change);
                reply.send(Reply::BoardKnown);
            }
        }
    }

    /// Presence events of a batch leave together, after the batch. Leaves that are owed are tried again.
    pub fn end_turn_soon(self: &Rc<Self>) {
        let presences = &self.presences;
        let wanted = presences.read_owner(crate::presence::Owner::is_dirty) || presences.owes();
        if wanted && !self.turn_ends.replace(true) {
            let this = Rc::clone(self);
            runtime::spawn("end of turn", async move {
                this.turn_ends.set(false);
                this.presences.end_turn();
                if this.presences.owes() {
                    runtime::sleep(std::time::Duration::from_millis(OWED_RETRY_MS)).await;
                    this.end_turn_soon();
                }
            });
        }
    }
}

/// The shard's ear at the mailbox.
pub struct Ear(pub Rc<ShardState>);

impl Handler<Messages> for Ear {
    fn handle(&self, _: Address, request: Request, reply: ReplyTo<Messages>) {
        self.0.handle(request, reply);
        self.0.end_turn_soon();
    }
}
