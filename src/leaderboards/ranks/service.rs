//! The asynchronous edge of the ranks that a shard owns: it loads them from the store.

use std::{cell::RefCell, rc::Rc};

use kakera_shards::{Counter, Counters, runtime};

use super::{
    PeriodKey, RankReply, RankRequest, Score,
    state::{Limits, Periods, Step},
};
use crate::{
    ids::UserId,
    limits::{
        RANK_DOUBTS_MAX, RANK_PATIENCE_LEN, RANK_WAITERS_MAX, RANKED_PERIODS_MAX,
        RANKED_RECORDS_MAX,
    },
    store::{
        Store, StoreError, Timestamp,
        leaderboards::{Place, RankRecord, ScoreRecord, listing},
    },
};

/// Records read at a time: what other tasks of the shard wait for in between.
const BATCH_LEN: i64 = 1000;

type Waiter = Box<dyn FnOnce(RankReply)>;

/// The ranks that one shard owns. Clones are the same.
#[derive(Clone)]
pub struct RankOwner(Rc<Inner>);

struct Inner {
    store: Store,
    periods: RefCell<Periods<Waiter>>,
    counters: RankCounters,
}

struct RankCounters {
    periods: Counter,
    records: Counter,
    loads: Counter,
    loads_failed: Counter,
    evicted: Counter,
    unknown: Counter,
    doubts_refused: Counter,
}

impl RankOwner {
    pub fn new(store: Store, counters: &Counters) -> Self {
        let limits = Limits {
            records: RANKED_RECORDS_MAX,
            periods: RANKED_PERIODS_MAX,
            waiters: RANK_WAITERS_MAX,
            patience: RANK_PATIENCE_LEN,
            doubts: RANK_DOUBTS_MAX,
        };
        let counter = |name, help| counters.counter(name, help);
        let counters = RankCounters {
            periods: counters.gauge("rank_periods", "Periods of boards that the shard ranks."),
            records: counters.gauge("rank_records", "Records that the shard ranks."),
            loads: counter("rank_loads", "Periods whose ranks were loaded from the store."),
            loads_failed: counter("rank_loads_failed", "Loads of ranks that failed."),
            evicted: counter("rank_evicted", "Periods forgotten for want of room."),
            unknown: counter("rank_unknown", "Questions about ranks that had no answer."),
            doubts_refused: counter(
                "rank_doubts_refused",
                "Deleted records whose ranks were not looked at again, for there were too many.",
            ),
        };
        let periods = RefCell::new(Periods::new(limits));
        Self(Rc::new(Inner { store, periods, counters }))
    }

    /// Handles a request. `reply` runs before this returns, or when the ranks are loaded.
    pub fn handle(&self, request: RankRequest, reply: impl FnOnce(RankReply) + 'static) {
        let key = request.period.clone();
        // Bound first, so that the borrow ends before anybody is called.
        let step = self.0.periods.borrow_mut().ask(request, Box::new(reply));
        match step {
            Step::Answer(waiter, reply) => self.answer(waiter, reply),
            Step::Wait => {}
            Step::Load(number) => {
                let this = self.clone();
                runtime::spawn("load ranks", async move { this.load(key, number).await });
            }
        }
    }

    /// Forgets what has expired, and says how much is left. To be called about once a second.
    pub fn sweep(&self, now: i64) {
        let mut periods = self.0.periods.borrow_mut();
        periods.sweep(now);
        let counters = &self.0.counters;
        counters.periods.set(periods.len() as u64);
        counters.records.set(periods.records() as u64);
        counters.evicted.add(std::mem::take(&mut periods.evicted));
        counters.doubts_refused.add(std::mem::take(&mut periods.doubts.refused));
        let due = periods.doubtful(now);
        if !due.is_empty() {
            let this = self.clone();
            runtime::spawn("settle ranks", async move {
                for (key, owners) in due {
                    this.settle(&key, owners).await;
                }
            });
        }
    }

    /// Looks up owners whose ranks are in doubt.
    async fn settle(&self, key: &PeriodKey, owners: Vec<UserId>) {
        let expiry = Timestamp::from_unix_sec(key.expiry);
        for owners in owners.chunks(BATCH_LEN as usize) {
            let found =
                listing::of_owners(&self.0.store, &key.board, expiry, owners.to_vec()).await;
            let mut periods = self.0.periods.borrow_mut();
            match found {
                Ok(found) => {
                    let found: Vec<RankRecord> = found.iter().map(ScoreRecord::ranked).collect();
                    periods.settle(key, owners, &found);
                }
                Err(error) => {
                    periods.doubts.unanswered(key, owners);
                    tracing::warn!(board = %key.board, %error, "Ranks could not be looked up.");
                }
            }
        }
    }

    async fn load(&self, key: PeriodKey, number: u64) {
        let read = self.read(&key, number).await;
        let counters = &self.0.counters;
        counters.loads.increment();
        if let Err(error) = &read {
            counters.loads_failed.increment();
            tracing::warn!(board = %key.board, %error, "Ranks could not be loaded.");
        }
        let answers = self.0.periods.borrow_mut().loaded(&key, number, read.is_ok());
        for (waiter, reply) in answers {
            self.answer(waiter, reply);
        }
    }

    async fn read(&self, key: &PeriodKey, number: u64) -> Result<(), StoreError> {
        let expiry = Timestamp::from_unix_sec(key.expiry);
        let mut after: Option<Place> = None;
        loop {
            let records =
                listing::ranked(&self.0.store, &key.board, expiry, after, BATCH_LEN).await?;
            let wanted = self.0.periods.borrow_mut().read(key, number, &records);
            after = records.last().map(|record| record.place);
            if !wanted || (records.len() as i64) < BATCH_LEN {
                return Ok(());
            }
            runtime::yield_now().await;
        }
    }

    fn answer(&self, waiter: Waiter, reply: RankReply) {
        if reply == RankReply::Unknown {
            self.0.counters.unknown.increment();
        }
        waiter(reply);
    }
}

impl From<Place> for Score {
    fn from(place: Place) -> Self {
        let Place { score, subscore, owner } = place;
        Self { owner, score, subscore }
    }
}
