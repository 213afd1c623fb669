//! How presence reaches other shards. The mesh does it in the server, the simulator in tests.

use std::rc::Rc;

use kakera_shards::Address;

use super::{Reply, Request};
use crate::ids::{StreamId, UserId};

/// Called with the answer, in the order in which the asked shard's messages arrive. Not re-entrant.
pub type Then = Box<dyn FnOnce(Result<Reply, PostError>)>;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostError {
    /// The request was not sent: its lane is full, or nobody has this address. State unchanged.
    Refused,
    /// The request was sent, and whether it was carried out is not known.
    Lost,
}

/// The way to other shards. Requests of one shard to another arrive in the order in which they were
/// sent; so do deliveries and answers, in a lane of their own.
pub trait Post {
    /// This shard.
    fn me(&self) -> Address;

    /// Who owns a key.
    fn owner_of(&self, stream: &StreamId) -> Address;

    /// Who keeps what belongs to a user: sessions, notifications, status and followers.
    fn owner_of_user(&self, user: UserId) -> Address;

    /// Every shard of the cluster.
    fn shards(&self) -> Vec<Address>;

    /// Sends a request that has no answer; a refused one comes back.
    fn cast(&self, to: Address, request: Request) -> Result<(), Request>;

    /// Sends a request and calls `then` with its answer, also where it is refused; never before returning.
    fn call(&self, to: Address, request: Request, then: Then);

    /// Sends in the lane of answers. `droppable` messages are dropped and counted above its bound.
    fn deliver(&self, to: Address, request: Request, droppable: bool) -> bool;
}

/// Where an answer goes.
pub type Answer = Box<dyn FnOnce(Reply)>;

/// A shared way to other shards.
pub type SharedPost = Rc<dyn Post>;
