//! What the pool can be asked, the homes of those who are matched, and the way there.

use std::{rc::Rc, sync::Arc};

use kakera_shards::Address;

use super::{Entry, MatchmakerError, Seeker, formed::Announcement, stats::Stats};
use crate::ids::{PartyId, SessionId, TicketId};

/// Between shards. What is boxed keeps the lanes' messages small.
pub enum Request {
    /// To the pool, answered with [`Reply::Done`].
    Add(Box<Entry>),
    /// To the pool, answered with [`Reply::Done`].
    Remove(Box<(Seeker, TicketId)>),
    /// To the pool, answered with [`Reply::Stats`].
    Stats,
    /// To the pool, without an answer.
    Forget(Gone),
    /// To the homes of those who are matched, without an answer.
    Matched(Arc<Announcement>),
}

/// Who looks for nobody any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// With all tickets that it is on.
    Session(SessionId),
    /// With all its tickets.
    Party(PartyId),
    /// One ticket alone.
    Ticket(TicketId),
}

/// What [`Request`]s are answered with.
pub enum Reply {
    Done(Result<(), MatchmakerError>),
    Stats(Box<Stats>),
    /// Nobody waits for it.
    None,
}

/// Called with the answer, in the order in which the pool's messages arrive. Not re-entrant.
pub type Then = Box<dyn FnOnce(Result<Reply, Unanswered>)>;

/// There is no answer: the request was refused, or whether it was carried out is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

/// The way to other shards. The mesh is it in the server, the simulator in tests.
pub trait Post {
    /// This shard.
    fn me(&self) -> Address;

    /// The shard that keeps the pool.
    fn pool(&self) -> Address;

    /// Sends a request and calls `then` with its answer, also where it is refused; never before returning.
    fn call(&self, to: Address, request: Request, then: Then);

    /// Sends what needs no answer, in the lane of answers: in order with them, and never refused.
    fn deliver(&self, to: Address, request: Request);
}

/// A shared way to other shards.
pub type SharedPost = Rc<dyn Post>;

const _: () = assert!(size_of::<Request>() <= 32 && size_of::<Reply>() <= 32);
