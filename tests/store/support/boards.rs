//! Leaderboards on a node of one shard.

use std::{cell::RefCell, rc::Rc};

use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use kakera::{
    leaderboards::{
        Change, Definitions, Leaderboards, Peers, Unranked,
        ranks::{RankOwner, RankReply, RankRequest},
    },
    store::Store,
};
use kakera_shards::{Clock, runtime};

/// The only shard: it owns all ranks and keeps all schedules.
pub struct OneShard {
    ranks: RankOwner,
    known: Rc<RefCell<Definitions>>,
}

impl Peers for OneShard {
    fn rank(&self, request: RankRequest) -> LocalBoxFuture<'static, RankReply> {
        let (answer, answered) = futures_channel::oneshot::channel();
        self.ranks.handle(request, move |reply| {
            let _ = answer.send(reply);
        });
        async move { answered.await.unwrap_or(RankReply::Unknown) }.boxed_local()
    }

    fn tell(&self, change: Change) -> LocalBoxFuture<'static, bool> {
        self.known.borrow_mut().apply(&change);
        ready(true).boxed_local()
    }

    fn keeps_schedule(&self, _: &str) -> bool {
        true
    }
}

/// Leaderboards over a store, at the time of a clock.
pub fn leaderboards(store: &Store, clock: Clock, unranked: Unranked) -> Leaderboards {
    let known = Rc::new(RefCell::new(Definitions::default()));
    let ranks = RankOwner::new(store.clone(), &runtime::counters());
    let peers = Rc::new(OneShard { ranks, known: Rc::clone(&known) });
    Leaderboards::new(store.clone(), clock, peers, (known, unranked), &runtime::counters())
}
