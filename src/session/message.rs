//! What shards ask each other about sessions, and the way those messages take.

use std::rc::Rc;

use kakera_shards::Address;

use super::{CloseCause, users};
use crate::ids::{SessionId, UserId};

/// A message about sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To the home of a session: close it. A session that is gone stays gone.
    Close { session: SessionId, cause: CloseCause },
    /// To the owner of a user's sessions.
    User(users::Request),
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    User(users::Reply),
}

/// The asked shard did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The server is too busy to look up sessions now.")]
pub struct Unanswered;

/// Called with an answer; never before the call that it belongs to has returned.
pub type Then = Box<dyn FnOnce(Result<Reply, Unanswered>)>;

/// The way to other shards. The mesh provides it in the server, a fake in tests.
pub trait Post {
    /// This shard.
    fn me(&self) -> Address;

    /// Who keeps a user's sessions.
    fn owner_of_user(&self, user: UserId) -> Address;

    /// Sends in the lane of answers: in order, never refused.
    fn deliver(&self, to: Address, request: Request);

    /// Asks, and calls `then` with the answer.
    fn call(&self, to: Address, request: Request, then: Then);
}

/// A shared way to other shards.
pub type SharedPost = Rc<dyn Post>;
