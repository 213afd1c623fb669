//! How leaderboards reach other shards. The mesh does it in the server.

use futures_util::future::LocalBoxFuture;

use super::{
    Change,
    ranks::{RankReply, RankRequest},
};

/// The way to other shards.
pub trait Peers {
    /// Asks the owner of a period's ranks. [`RankReply::Unknown`] when it does not answer soon.
    fn rank(&self, request: RankRequest) -> LocalBoxFuture<'static, RankReply>;

    /// Tells every shard, this one too, of a change; resolves when all of them know. False when one did
    /// not say so: it may learn of the change only when somebody asks for the board.
    fn tell(&self, change: Change) -> LocalBoxFuture<'static, bool>;

    /// Whether this shard keeps the schedule of a board.
    fn keeps_schedule(&self, board: &str) -> bool;
}
