//! Who has a socket open: what accounts ask of the realtime side.

use std::sync::Arc;

use futures_util::future::{self, FutureExt, LocalBoxFuture};

use crate::ids::UserId;

/// Why sockets are closed from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disconnect {
    Banned,
    Deleted,
}

/// The users with sockets, on any shard.
pub trait LiveUsers {
    /// For each user whether a socket is open that shows itself; as many answers as users.
    fn online(&self, users: Vec<UserId>) -> LocalBoxFuture<'_, Vec<bool>>;

    /// Closes all sockets of the users; resolves when that is under way.
    fn disconnect(&self, users: Arc<[UserId]>, why: Disconnect) -> LocalBoxFuture<'_, ()>;
}

/// A server without a realtime side: tools, and tests of the request side.
#[derive(Clone, Copy, Debug, Default)]
pub struct NobodyLive;

impl LiveUsers for NobodyLive {
    fn online(&self, users: Vec<UserId>) -> LocalBoxFuture<'_, Vec<bool>> {
        future::ready(vec![false; users.len()]).boxed_local()
    }

    fn disconnect(&self, _: Arc<[UserId]>, _: Disconnect) -> LocalBoxFuture<'_, ()> {
        future::ready(()).boxed_local()
    }
}
