//! The periods that one shard ranks: pure and synchronous.

use hashbrown::{HashMap, HashSet};

use super::{Ask, PeriodKey, RankReply, RankRequest, Ranks, doubts::Doubts};
use crate::{ids::UserId, store::leaderboards::RankRecord};

/// How long the ranks of an expired period are kept for those who still ask for them. Whoever asks for past
/// periods again and again does not have them loaded as often.
const EXPIRED_KEPT_SEC: i64 = 600;

/// How many of each a shard has at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) records: usize,
    pub(super) periods: usize,
    pub(super) waiters: usize,
    /// Records that a load has read when nobody waits for it any more.
    pub(super) patience: usize,
    /// Owners whose ranks are in doubt.
    pub(super) doubts: usize,
}

/// What becomes of a request.
pub(super) enum Step<W> {
    /// Answer the waiter.
    Answer(W, RankReply),
    /// It waits; the period is to be loaded under this number.
    Load(u64),
    /// It waits for a load that is under way.
    Wait,
}

enum Period<W> {
    Loading {
        /// Tells this load from one that was given up.
        number: u64,
        ranks: Ranks,
        /// Who was deleted meanwhile, and may yet be read.
        deleted: HashSet<UserId>,
        waiters: Vec<(Ask, W)>,
    },
    Ready {
        ranks: Ranks,
        used: u64,
        /// When that was, by the sweeps.
        used_sec: i64,
    },
    /// More records than a shard has room for.
    TooLarge { used: u64 },
}

pub(super) struct Periods<W> {
    limits: Limits,
    by_key: HashMap<PeriodKey, Period<W>>,
    records: usize,
    waiting: usize,
    /// Counts the requests; it orders the periods by their last use.
    now: u64,
    /// The time of the last sweep, in Unix seconds.
    now_sec: i64,
    pub(super) evicted: u64,
    pub(super) doubts: Doubts,
}

impl<W> Periods<W> {
    pub(super) fn new(limits: Limits) -> Self {
        let by_key = HashMap::new();
        let doubts = Doubts::default();
        Self { limits, by_key, records: 0, waiting: 0, now: 0, now_sec: 0, evicted: 0, doubts }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn records(&self) -> usize {
        self.records
    }

    pub(super) fn ask(&mut self, request: RankRequest, waiter: W) -> Step<W> {
        self.now += 1;
        let RankRequest { period: key, ask } = request;
        if ask == Ask::Forget {
            // Whoever waits for it is answered by its load, which finds out.
            if !matches!(self.by_key.get(&key), Some(Period::Loading { .. })) {
                self.drop(&key);
            } else if let Some(Period::Loading { ranks, deleted, .. }) = self.by_key.get_mut(&key) {
                self.records -= ranks.len();
                *ranks = Ranks::default();
                deleted.clear();
            }
            return Step::Answer(waiter, RankReply::Done);
        }
        match &ask {
            Ask::Written { score, .. } => self.doubts.written(&key, score.owner),
            // Also where nothing is held: what is late may be the first of which a load hears.
            Ask::Deleted(owner) => {
                self.doubts.deleted(&key, *owner, self.now_sec, self.limits.doubts);
            }
            Ask::Of { .. } | Ask::Around { .. } | Ask::At { .. } | Ask::Forget => {}
        }
        match self.by_key.get_mut(&key) {
            Some(Period::Ready { ranks, used, used_sec }) => {
                (*used, *used_sec) = (self.now, self.now_sec);
                let before = ranks.len();
                let reply = answer(ranks, &ask);
                self.records = self.records + ranks.len() - before;
                self.make_room(&key);
                Step::Answer(waiter, reply)
            }
            Some(Period::TooLarge { used }) => {
                *used = self.now;
                Step::Answer(waiter, RankReply::Unknown)
            }
            Some(Period::Loading { ranks, deleted, waiters, .. }) => {
                let before = ranks.len();
                match &ask {
                    Ask::Written { score, generation, .. } => {
                        ranks.set(*score, *generation);
                        deleted.remove(&score.owner);
                    }
                    Ask::Deleted(owner) => {
                        ranks.remove(*owner);
                        deleted.insert(*owner);
                    }
                    Ask::Of { .. } | Ask::Around { .. } | Ask::At { .. } | Ask::Forget => {}
                }
                self.records = self.records + ranks.len() - before;
                if matches!(ask, Ask::Deleted(_)) {
                    return Step::Answer(waiter, RankReply::Done);
                }
                // A large board takes longer than anybody likes to wait.
                if self.waiting >= self.limits.waiters || ranks.len() > self.limits.patience {
                    return Step::Answer(waiter, RankReply::Unknown);
                }
                self.waiting += 1;
                waiters.push((ask, waiter));
                Step::Wait
            }
            // What is not held needs no telling.
            None if matches!(ask, Ask::Deleted(_)) => Step::Answer(waiter, RankReply::Done),
            None if self.waiting >= self.limits.waiters => Step::Answer(waiter, RankReply::Unknown),
            None => {
                self.evict(self.limits.periods.saturating_sub(1), self.limits.records, &key);
                let number = self.now;
                let mut ranks = Ranks::default();
                if let Ask::Written { score, generation, .. } = &ask {
                    ranks.set(*score, *generation);
                    self.records += 1;
                }
                self.waiting += 1;
                let waiters = vec![(ask, waiter)];
                let deleted = HashSet::new();
                self.by_key.insert(key, Period::Loading { number, ranks, deleted, waiters });
                Step::Load(number)
            }
        }
    }

    /// Takes over what a load has read. False when the load is to stop: it was given up, or there is no
    /// room for more.
    pub(super) fn read(&mut self, key: &PeriodKey, load: u64, records: &[RankRecord]) -> bool {
        match self.by_key.get_mut(key) {
            Some(Period::Loading { number, ranks, deleted, .. }) if *number == load => {
                let before = ranks.len();
                for record in records {
                    if !deleted.contains(&record.place.owner) {
                        ranks.set(record.place.into(), record.num_score);
                    }
                }
                self.records = self.records + ranks.len() - before;
                self.make_room(key)
            }
            Some(_) | None => false,
        }
    }

    /// Ends a load. Yields those who waited, with their answers.
    pub(super) fn loaded(
        &mut self,
        key: &PeriodKey,
        load: u64,
        whole: bool,
    ) -> Vec<(W, RankReply)> {
        let Some(Period::Loading { number, .. }) = self.by_key.get(key) else {
            return Vec::new();
        };
        if *number != load {
            return Vec::new();
        }
        let Some(Period::Loading { ranks, waiters, .. }) = self.by_key.remove(key) else {
            return Vec::new();
        };
        self.waiting -= waiters.len();
        let fits = self.records <= self.limits.records;
        if !whole || !fits {
            self.records -= ranks.len();
            if whole {
                self.by_key.insert(key.clone(), Period::TooLarge { used: self.now });
            }
            return waiters.into_iter().map(|(_, waiter)| (waiter, RankReply::Unknown)).collect();
        }
        let mut ranks = ranks;
        let answers =
            waiters.into_iter().map(|(ask, waiter)| (waiter, answer(&mut ranks, &ask))).collect();
        // An empty period is soon read again, and anybody may ask for any number of them.
        if !ranks.is_empty() {
            self.by_key.insert(
                key.clone(),
                Period::Ready { ranks, used: self.now, used_sec: self.now_sec },
            );
        }
        answers
    }

    /// Whom to look up now, by period. Of what is not held there is nothing to doubt.
    pub(super) fn doubtful(&mut self, now_sec: i64) -> HashMap<PeriodKey, Vec<UserId>> {
        let mut due = self.doubts.due(now_sec);
        let (by_key, doubts) = (&self.by_key, &mut self.doubts);
        due.retain(|key, owners| {
            let held = by_key.contains_key(key);
            if !held {
                doubts.settled(key, owners);
            }
            held
        });
        due
    }

    /// Takes over what the store has of owners who were in doubt, and of whom nothing else has arrived.
    pub(super) fn settle(&mut self, key: &PeriodKey, owners: &[UserId], found: &[RankRecord]) {
        match self.by_key.get_mut(key) {
            Some(Period::Ready { ranks, .. }) => {
                let before = ranks.len();
                let settled = self.doubts.settled(key, owners);
                for owner in &settled {
                    ranks.remove(*owner);
                }
                for record in found.iter().filter(|record| settled.contains(&record.place.owner)) {
                    ranks.set(record.place.into(), record.num_score);
                }
                self.records = self.records + ranks.len() - before;
            }
            // What is read may be older than what was found.
            Some(Period::Loading { .. }) => self.doubts.unanswered(key, owners),
            Some(Period::TooLarge { .. }) | None => drop(self.doubts.settled(key, owners)),
        }
    }

    /// Forgets the periods that have expired, and that nobody has asked for lately.
    pub(super) fn sweep(&mut self, now: i64) {
        self.now_sec = now;
        let expired: Vec<PeriodKey> = self
            .by_key
            .iter()
            .filter(|(key, period)| {
                let used_sec = match period {
                    Period::Ready { used_sec, .. } => *used_sec,
                    Period::TooLarge { .. } => 0,
                    Period::Loading { .. } => return false,
                };
                key.expiry > 0 && key.expiry.max(used_sec + EXPIRED_KEPT_SEC) <= now
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in &expired {
            self.drop(key);
        }
    }

    /// Forgets others until the records fit; false when they do not fit even so.
    fn make_room(&mut self, keep: &PeriodKey) -> bool {
        if self.records > self.limits.records {
            self.evict(self.limits.periods, self.limits.records, keep);
        }
        self.records <= self.limits.records
    }

    fn evict(&mut self, periods_max: usize, records_max: usize, keep: &PeriodKey) {
        if self.by_key.len() <= periods_max && self.records <= records_max {
            return;
        }
        let mut unused: Vec<(u64, PeriodKey)> = self
            .by_key
            .iter()
            .filter(|(key, _)| *key != keep)
            .filter_map(|(key, period)| match period {
                Period::Ready { used, .. } | Period::TooLarge { used } => {
                    Some((*used, key.clone()))
                }
                Period::Loading { .. } => None,
            })
            .collect();
        unused.sort_unstable_by_key(|(used, _)| *used);
        // Some more than must, so that the next one finds room without a search.
        let spare = periods_max / 16;
        for (_, key) in unused {
            if self.by_key.len() <= periods_max.saturating_sub(spare) && self.records <= records_max
            {
                return;
            }
            self.drop(&key);
            self.evicted += 1;
        }
    }

    fn drop(&mut self, key: &PeriodKey) {
        if let Some(Period::Ready { ranks, .. }) = self.by_key.remove(key) {
            self.records -= ranks.len();
        }
    }
}

fn answer(ranks: &mut Ranks, ask: &Ask) -> RankReply {
    match ask {
        Ask::Written { score, generation, order } => {
            ranks.set(*score, *generation);
            RankReply::Rank(ranks.rank(score.owner, *order).unwrap_or(0))
        }
        Ask::Deleted(owner) => {
            ranks.remove(*owner);
            RankReply::Done
        }
        Ask::Of { owners, order } => {
            let rank = |owner: &UserId| ranks.rank(*owner, *order).unwrap_or(0);
            let count = ranks.len() as u64;
            RankReply::Ranks { ranks: owners.iter().map(rank).collect(), count }
        }
        Ask::Around { owner, order, limit } => {
            RankReply::Around(ranks.around(*owner, *order, *limit as usize).map(Box::new))
        }
        Ask::At { rank, order } => {
            let score = ranks.page(*order, *rank, 1).pop();
            RankReply::At(score.filter(|_| *rank > 0).map(Box::new))
        }
        Ask::Forget => RankReply::Done,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        leaderboards::{SortOrder, ranks::Score},
        store::leaderboards::Place,
    };

    const SMALL: Limits = Limits { records: 10, periods: 3, waiters: 2, patience: 8, doubts: 2 };

    fn owner(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn record(n: u128, score: i64) -> RankRecord {
        RankRecord { place: Place { owner: owner(n), score, subscore: 0 }, num_score: 1 }
    }

    fn request(board: &str, ask: Ask) -> RankRequest {
        RankRequest { period: key(board), ask }
    }

    fn key(board: &str) -> PeriodKey {
        PeriodKey { board: board.into(), expiry: 0 }
    }

    fn of(n: u128) -> Ask {
        Ask::Of { owners: vec![owner(n)], order: SortOrder::Descending }
    }

    fn written(n: u128, score: i64, generation: i32) -> Ask {
        let score = Score { owner: owner(n), score, subscore: 0 };
        Ask::Written { score, generation, order: SortOrder::Descending }
    }

    fn ranks(rank: u64, count: u64) -> RankReply {
        RankReply::Ranks { ranks: Box::new([rank]), count }
    }

    fn load(periods: &mut Periods<u8>, board: &str, records: &[RankRecord]) {
        let Step::Load(load) = periods.ask(request(board, of(1)), 0) else { panic!("{board}") };
        periods.read(&key(board), load, records);
        periods.loaded(&key(board), load, true);
    }

    #[test]
    fn who_asks_first_waits_for_the_load_and_later_ones_do_not() {
        let mut periods = Periods::new(SMALL);
        let Step::Load(load) = periods.ask(request("a", of(2)), 7) else { panic!() };
        assert!(matches!(periods.ask(request("a", of(1)), 8), Step::Wait));
        assert!(periods.read(&key("a"), load, &[record(1, 5), record(2, 9)]));
        assert_eq!(periods.loaded(&key("a"), load, true), [(7, ranks(1, 2)), (8, ranks(2, 2))]);
        let Step::Answer(9, reply) = periods.ask(request("a", of(3)), 9) else { panic!() };
        assert_eq!(reply, ranks(0, 2));
    }

    #[test]
    fn what_is_written_and_deleted_during_a_load_counts_more_than_what_is_read() {
        let mut periods = Periods::new(SMALL);
        let Step::Load(load) = periods.ask(request("a", written(1, 50, 2)), 7) else { panic!() };
        let Step::Answer(_, RankReply::Done) = periods.ask(request("a", Ask::Deleted(owner(2))), 8)
        else {
            panic!()
        };
        periods.read(&key("a"), load, &[record(1, 5), record(2, 9), record(3, 20)]);
        assert_eq!(periods.loaded(&key("a"), load, true), [(7, RankReply::Rank(1))]);
        let Step::Answer(_, reply) = periods.ask(request("a", of(3)), 9) else { panic!() };
        assert_eq!(reply, ranks(2, 2), "the deleted one is not there");
    }

    #[test]
    fn what_was_written_before_a_deletion_and_comes_after_it_does_not_stay() {
        let mut periods = Periods::new(SMALL);
        load(&mut periods, "a", &[record(1, 5), record(2, 9)]);
        let due = |periods: &mut Periods<u8>, now| {
            periods.sweep(now);
            periods.doubtful(now).remove(&key("a")).unwrap_or_default()
        };
        periods.ask(request("a", Ask::Deleted(owner(1))), 1);
        periods.ask(request("a", written(1, 50, 7)), 1);
        assert_eq!(due(&mut periods, 1), [], "more may be on its way");
        assert_eq!(due(&mut periods, 2), [owner(1)]);
        assert_eq!(due(&mut periods, 2), [], "the store is asked once");
        periods.settle(&key("a"), &[owner(1)], &[]);
        let Step::Answer(_, reply) = periods.ask(request("a", of(1)), 1) else { panic!() };
        assert_eq!((reply, periods.records()), (ranks(0, 1), 1));

        // Written anew, with a younger generation than the one that was late.
        periods.ask(request("a", Ask::Deleted(owner(2))), 1);
        periods.ask(request("a", written(2, 50, 7)), 1);
        assert_eq!(due(&mut periods, 9), [owner(2)]);
        periods.settle(&key("a"), &[owner(2)], &[record(2, 3)]);
        let Step::Answer(_, reply) = periods.ask(request("a", written(1, 4, 1)), 1) else {
            panic!()
        };
        assert_eq!(reply, RankReply::Rank(1));
        assert_eq!(due(&mut periods, 99), []);
    }

    #[test]
    fn a_deletion_is_remembered_where_nothing_is_held_for_a_late_write_may_start_the_load() {
        let mut periods = Periods::new(SMALL);
        periods.ask(request("b", Ask::Deleted(owner(1))), 1);
        periods.ask(request("a", Ask::Deleted(owner(1))), 1);
        let Step::Load(load) = periods.ask(request("a", written(1, 50, 1)), 7) else { panic!() };
        periods.read(&key("a"), load, &[record(1, 5), record(2, 9)]);
        assert_eq!(periods.loaded(&key("a"), load, true), [(7, RankReply::Rank(1))]);
        let due = periods.doubtful(2);
        assert_eq!((due.len(), &due[&key("a")][..]), (1, &[owner(1)][..]));
        periods.settle(&key("a"), &[owner(1)], &[record(1, 5)]);
        let Step::Answer(_, reply) = periods.ask(request("a", of(1)), 1) else { panic!() };
        assert_eq!(reply, ranks(2, 2));
        assert!(periods.doubtful(9).is_empty());
    }

    #[test]
    fn what_arrives_while_the_store_is_asked_counts_more_than_its_answer() {
        let mut periods = Periods::new(SMALL);
        load(&mut periods, "a", &[record(1, 5), record(2, 9)]);
        periods.ask(request("a", Ask::Deleted(owner(1))), 1);
        assert_eq!(periods.doubtful(2).len(), 1);
        periods.ask(request("a", written(1, 50, 1)), 1);
        periods.settle(&key("a"), &[owner(1)], &[]);
        let Step::Answer(_, reply) = periods.ask(request("a", of(1)), 1) else { panic!() };
        assert_eq!(reply, ranks(1, 2));
        assert_eq!(periods.doubtful(2)[&key("a")], [owner(1)], "it is asked again");
        periods.settle(&key("a"), &[owner(1)], &[record(1, 50)]);
        for n in 1..=3 {
            periods.ask(request("a", Ask::Deleted(owner(n))), 1);
        }
        assert_eq!(periods.doubts.refused, 1, "there are no more than so many");
    }

    #[test]
    fn a_load_that_fails_is_tried_again_by_whoever_asks_next() {
        let mut periods = Periods::new(SMALL);
        let Step::Load(load) = periods.ask(request("a", of(1)), 7) else { panic!() };
        periods.read(&key("a"), load, &[record(1, 5)]);
        assert_eq!(periods.loaded(&key("a"), load, false), [(7, RankReply::Unknown)]);
        assert_eq!((periods.len(), periods.records()), (0, 0));
        let Step::Load(again) = periods.ask(request("a", of(1)), 8) else { panic!() };
        assert!(!periods.read(&key("a"), load, &[record(2, 5)]), "the old load is over");
        assert!(again != load);
    }

    #[test]
    fn a_full_shard_forgets_what_nobody_asked_for_the_longest() {
        let mut periods = Periods::new(SMALL);
        let many: Vec<RankRecord> = (0..4).map(|n| record(n, 1)).collect();
        load(&mut periods, "a", &many);
        load(&mut periods, "b", &many);
        assert!(matches!(periods.ask(request("a", of(1)), 1), Step::Answer(..)));
        load(&mut periods, "c", &many);
        assert_eq!((periods.len(), periods.records(), periods.evicted), (2, 8, 1));
        assert!(matches!(periods.ask(request("a", of(1)), 1), Step::Answer(..)));
        assert!(matches!(periods.ask(request("b", of(1)), 1), Step::Load(_)), "b was forgotten");
    }

    #[test]
    fn what_is_too_large_for_a_shard_has_no_ranks_and_says_so() {
        let mut periods = Periods::new(SMALL);
        let Step::Load(load) = periods.ask(request("a", of(1)), 7) else { panic!() };
        let many: Vec<RankRecord> = (0..11).map(|n| record(n, 1)).collect();
        assert!(!periods.read(&key("a"), load, &many));
        assert_eq!(periods.loaded(&key("a"), load, true), [(7, RankReply::Unknown)]);
        assert_eq!(periods.records(), 0);
        let Step::Answer(_, reply) = periods.ask(request("a", of(1)), 8) else { panic!() };
        assert_eq!(reply, RankReply::Unknown);
    }

    #[test]
    fn too_many_who_wait_are_answered_that_it_is_not_known() {
        let mut periods = Periods::new(SMALL);
        assert!(matches!(periods.ask(request("a", of(1)), 1), Step::Load(_)));
        assert!(matches!(periods.ask(request("a", of(1)), 2), Step::Wait));
        for board in ["a", "b"] {
            let Step::Answer(3, reply) = periods.ask(request(board, of(1)), 3) else { panic!() };
            assert_eq!(reply, RankReply::Unknown);
        }
    }

    #[test]
    fn nobody_waits_for_a_load_that_takes_long_and_what_is_written_counts_all_the_same() {
        let mut periods = Periods::new(SMALL);
        let Step::Load(load) = periods.ask(request("a", of(1)), 7) else { panic!() };
        let many: Vec<RankRecord> = (0..9).map(|n| record(n, 5)).collect();
        assert!(periods.read(&key("a"), load, &many));
        let Step::Answer(8, reply) = periods.ask(request("a", written(0, 9, 2)), 8) else {
            panic!()
        };
        assert_eq!(reply, RankReply::Unknown);
        assert_eq!(periods.loaded(&key("a"), load, true), [(7, ranks(9, 9))]);
        let Step::Answer(_, reply) = periods.ask(request("a", of(0)), 9) else { panic!() };
        assert_eq!(reply, ranks(1, 9));
        let ask = Ask::At { rank: 1, order: SortOrder::Descending };
        let Step::Answer(_, RankReply::At(Some(first))) = periods.ask(request("a", ask), 9) else {
            panic!()
        };
        assert_eq!((first.owner, first.score), (owner(0), 9));
    }

    #[test]
    fn a_period_goes_when_it_is_forgotten_empty_or_expired() {
        let mut periods: Periods<u8> = Periods::new(SMALL);
        load(&mut periods, "a", &[]);
        assert_eq!(periods.len(), 0);
        load(&mut periods, "a", &[record(1, 1)]);
        periods.ask(request("a", Ask::Forget), 1);
        assert_eq!((periods.len(), periods.records()), (0, 0));
        let expiring = PeriodKey { expiry: 100, ..key("a") };
        let ask = RankRequest { period: expiring.clone(), ask: of(1) };
        let Step::Load(load) = periods.ask(ask, 1) else { panic!() };
        periods.read(&expiring, load, &[record(1, 1)]);
        periods.loaded(&expiring, load, true);
        let far = 10 * EXPIRED_KEPT_SEC;
        periods.sweep(99);
        let again = RankRequest { period: expiring.clone(), ask: of(1) };
        periods.ask(again.clone(), 1);
        periods.sweep(far);
        assert_eq!(periods.len(), 0, "nobody asked for long");
        let Step::Load(load) = periods.ask(again, 1) else { panic!() };
        periods.read(&expiring, load, &[record(1, 1)]);
        periods.loaded(&expiring, load, true);
        periods.sweep(far + EXPIRED_KEPT_SEC - 1);
        assert_eq!(periods.len(), 1, "somebody asked after it had expired");
        periods.sweep(far + EXPIRED_KEPT_SEC);
        assert_eq!((periods.len(), periods.records()), (0, 0));
    }
}
