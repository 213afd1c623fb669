//! What shards ask each other about the matches that they keep.

use std::rc::Rc;

use kakera_shards::Address;
use uuid::Uuid;

use super::Filter;

/// Between shards.
#[derive(Clone, Copy, Debug)]
pub enum Request {
    /// Which relayed matches of these sizes are there? Answered with [`Reply::Matches`].
    List(Filter),
}

/// What [`Request`]s are answered with.
#[derive(Debug)]
pub enum Reply {
    /// Relayed matches and their sizes.
    Matches(Vec<(Uuid, u32)>),
}

/// Called with the answer, in the order in which the asked shard's messages arrive. Not re-entrant.
pub type Then = Box<dyn FnOnce(Result<Reply, Unanswered>)>;

/// There is no answer: the request was refused, or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

/// The way to other shards. The mesh is it in the server, a loop in tests.
pub trait Post {
    /// Every shard of the cluster.
    fn shards(&self) -> Vec<Address>;

    /// Sends a request and calls `then` with its answer, also where it is refused; never before returning.
    fn call(&self, to: Address, request: Request, then: Then);
}

/// A shared way to other shards.
pub type SharedPost = Rc<dyn Post>;

const _: () = assert!(size_of::<Request>() <= 32 && size_of::<Reply>() <= 32);
