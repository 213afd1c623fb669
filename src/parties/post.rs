//! How parties reach other shards. The mesh does it in the server, the simulator in tests.

use std::rc::Rc;

use kakera_shards::Address;

use super::{Reply, Request};

/// Called with the answer, in the order in which the asked shard's messages arrive. Not re-entrant.
pub type Then = Box<dyn FnOnce(Result<Reply, Unanswered>)>;

/// There is no answer: the request was refused, or whether it was carried out is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

/// The way to other shards.
pub trait Post {
    /// This shard.
    fn me(&self) -> Address;

    /// Every shard of the cluster.
    fn shards(&self) -> Vec<Address>;

    /// Sends a request and calls `then` with its answer, also where it is refused; never before returning.
    fn call(&self, to: Address, request: Request, then: Then);

    /// Sends what needs no answer, in the lane of answers: in order with them, and never refused.
    fn deliver(&self, to: Address, request: Request);
}

/// A shared way to other shards.
pub type SharedPost = Rc<dyn Post>;
