//! What shards ask each other about sessions, and the way those messages take.

use std::{fmt, rc::Rc, sync::Arc};

use kakera_shards::Address;

use super::{CloseCause, users};
use crate::{
    fanout::Outgoing,
    ids::{SessionId, UserId},
};

/// A message about sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To the home of a session: close it. A session that is gone stays gone.
    Close { session: SessionId, cause: CloseCause },
    /// To the owner of a user's sessions.
    User(users::Request),
    /// To every shard: for each of its sessions.
    ToAll(ForAll),
}

/// One message for every session, encoded once for all shards.
#[derive(Clone)]
pub struct ForAll(pub Arc<Outgoing>);

impl PartialEq for ForAll {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ForAll {}

impl fmt::Debug for ForAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForAll")
    }
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

    /// Every shard there is, this one too.
    fn shards(&self) -> Vec<Address>;

    /// Sends in the lane of answers: in order, never refused.
    fn deliver(&self, to: Address, request: Request);

    /// Asks, and calls `then` with the answer.
    fn call(&self, to: Address, request: Request, then: Then);
}

/// A shared way to other shards.
pub type SharedPost = Rc<dyn Post>;
