//! The mesh as leaderboards know it.

use std::{sync::Arc, time::Duration};

use futures_util::future::{FutureExt, LocalBoxFuture, join_all};
use kakera_shards::StableHash;

use super::{Ports, Reply, Request};
use crate::leaderboards::{
    Change, Peers,
    ranks::{RankReply, RankRequest},
};

/// How long somebody waits for a rank. A large board takes longer to load; its ranks are missing until then.
const RANK_DEADLINE: Duration = Duration::from_secs(1);

/// How long a shard may take to acknowledge a change of a board.
const CHANGE_DEADLINE: Duration = Duration::from_secs(5);

impl Peers for Ports {
    fn rank(&self, request: RankRequest) -> LocalBoxFuture<'static, RankReply> {
        let key = StableHash::new("ranks")
            .u64(request.period.expiry as u64)
            .bytes(request.period.board.as_bytes());
        let owner = self.0.owner(key.finish());
        let call = self.0.call(owner, Request::Rank(Box::new(request)), RANK_DEADLINE);
        async move {
            match call.await {
                Ok(Reply::Rank(reply)) => reply,
                Ok(_) | Err(_) => RankReply::Unknown,
            }
        }
        .boxed_local()
    }

    fn tell(&self, change: Change) -> LocalBoxFuture<'static, bool> {
        let change = Arc::new(change);
        let shards: Vec<_> = self.0.ring().shards().collect();
        let calls = shards
            .into_iter()
            .map(|shard| self.0.call(shard, Request::Board(Arc::clone(&change)), CHANGE_DEADLINE));
        let calls = join_all(calls);
        async move { calls.await.iter().all(|reply| matches!(reply, Ok(Reply::BoardKnown))) }
            .boxed_local()
    }

    fn keeps_schedule(&self, board: &str) -> bool {
        let key = StableHash::new("schedule").bytes(board.as_bytes());
        self.0.owner(key.finish()) == self.0.me()
    }
}
