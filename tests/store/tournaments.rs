//! Tournaments: who may join and write when, how often, and what happens at the end of a period.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures_util::future::{FutureExt, LocalBoxFuture, join_all, ready};
use kakera::{
    ids::UserId,
    leaderboards::{
        Authority, Leaderboards, Listing, NewLeaderboard, Operator, SortOrder, Submission, Unranked,
    },
    scheduler::{Effects, Event, Scheduler},
    store::{
        Database, Store, Timestamp,
        leaderboards::{fences, scores},
        users::{lifecycle, sign_in},
    },
    tournaments::{Filter, NewTournament, TournamentError, Tournaments},
};
use kakera_proto::api;
use kakera_shards::{Clock, runtime};

use crate::{
    on_both_databases,
    support::{boards::leaderboards, new_id},
};

const DAY: i64 = 86_400;

/// The services of a node whose clock can be put forward.
struct Node {
    boards: Leaderboards,
    tournaments: Tournaments,
    ahead_micros: Rc<Cell<i64>>,
}

impl Node {
    fn new(store: &Store) -> Self {
        let ahead_micros = Rc::new(Cell::new(0));
        let clock = Clock::shifted(Rc::clone(&ahead_micros));
        let boards = leaderboards(store, clock, Unranked::default());
        let tournaments = Tournaments::new(boards.clone());
        Self { boards, tournaments, ahead_micros }
    }

    /// Puts the clock to a second.
    fn set(&self, second: i64) {
        let by = (second - self.boards.now()) * 1_000_000;
        self.ahead_micros.set(self.ahead_micros.get() + by);
    }

    async fn create(&self, new: NewTournament) {
        assert!(self.tournaments.create(new).await.unwrap().1);
    }

    async fn write(
        &self,
        id: &str,
        owner: UserId,
        score: i64,
    ) -> Result<api::LeaderboardRecord, TournamentError> {
        self.tournaments.write(id, Authority::Player, submission(owner, score)).await
    }

    async fn size(&self, id: &str) -> u32 {
        self.tournaments.get(&[id.to_owned()]).await.unwrap()[0].size
    }
}

fn submission(owner: UserId, score: i64) -> Submission {
    Submission {
        owner,
        username: "somebody".to_owned(),
        score,
        subscore: 0,
        metadata: String::new(),
        operator: None,
    }
}

fn new(id: &str) -> NewTournament {
    NewTournament {
        id: id.to_owned(),
        authoritative: false,
        sort_order: SortOrder::Descending,
        operator: Operator::Best,
        duration_sec: 3600,
        reset_schedule: String::new(),
        metadata: String::new(),
        title: "A title".to_owned(),
        description: String::new(),
        category: 1,
        start_time: 0,
        end_time: 0,
        max_size: 0,
        max_num_score: 0,
        join_required: false,
        enable_ranks: true,
    }
}

fn page(limit: u32) -> Listing {
    Listing { limit: Some(limit), ..Listing::default() }
}

/// The next midnight.
fn midnight(node: &Node) -> i64 {
    (node.boards.now() / DAY + 1) * DAY
}

fn said<T: std::fmt::Debug>(result: Result<T, TournamentError>) -> String {
    result.unwrap_err().to_string()
}

/// Remembers what happened.
#[derive(Default)]
struct Recorder(RefCell<Vec<String>>);

impl Effects for Recorder {
    fn happened(&self, event: Event) -> LocalBoxFuture<'_, ()> {
        let said = match event {
            Event::LeaderboardReset { leaderboard, reset } => {
                format!("{} reset {reset}", leaderboard.id)
            }
            Event::TournamentEnd { tournament, end, .. } => {
                format!("{} of {} end {end}", tournament.id, tournament.size)
            }
            Event::TournamentReset { tournament, reset, .. } => {
                format!("{} of {} reset {reset}", tournament.id, tournament.size)
            }
        };
        self.0.borrow_mut().push(said);
        ready(()).boxed_local()
    }
}

fn scheduler(node: &Node, recorder: &Rc<Recorder>) -> Scheduler {
    Scheduler::new(node.boards.clone(), Some(Rc::clone(recorder) as _), &runtime::counters())
}

on_both_databases! {
    async fn every_attempt_counts_and_the_last_one_is_the_last(bench: Bench) {
        let node = Node::new(&bench.store);
        node.create(NewTournament { max_num_score: 3, max_size: 10, ..new("t") }).await;
        let owner = new_id();
        for (score, best, times) in [(5, 5, 1), (3, 5, 2), (9, 9, 3)] {
            let record = node.write("t", owner, score).await.unwrap();
            assert_eq!((record.score, record.num_score, record.max_num_score), (best, times, 3));
            assert_eq!(record.rank, 1);
        }
        assert_eq!(said(node.write("t", owner, 10).await), "Reached allowed max number of score attempts.");
        let list = node.tournaments.records("t", page(10)).await.unwrap();
        assert_eq!((list.records[0].score, list.records[0].num_score, list.rank_count), (9, 3, 1));
        assert_eq!(node.size("t").await, 1);
        node.tournaments.add_attempts("t", owner, 1).await.unwrap();
        assert_eq!(node.write("t", owner, 10).await.unwrap().max_num_score, 4);
        node.tournaments.delete_record("t", Authority::Player, owner).await.unwrap();
        node.tournaments.delete_record("t", Authority::Player, owner).await.unwrap();
        assert_eq!(node.size("t").await, 0);
        assert_eq!(node.write("t", owner, 1).await.unwrap().num_score, 1);
    }

    async fn places_run_out_for_those_who_write_and_for_those_who_join(bench: Bench) {
        let node = Node::new(&bench.store);
        node.create(NewTournament { max_size: 3, ..new("open") }).await;
        node.create(NewTournament { max_size: 3, join_required: true, ..new("joined") }).await;
        let owners: Vec<UserId> = (0..8).map(|_| new_id()).collect();
        let writes = join_all(owners.iter().map(|owner| node.write("open", *owner, 1))).await;
        let (taken, full): (Vec<_>, Vec<_>) = writes.into_iter().partition(Result::is_ok);
        assert_eq!((taken.len(), node.size("open").await), (3, 3));
        assert!(full.into_iter().all(|full| said(full) == "Tournament has reached max size."));
        assert_eq!(node.tournaments.records("open", page(10)).await.unwrap().records.len(), 3);

        let joins = owners.iter().map(|owner| node.tournaments.join("joined", *owner, "somebody"));
        let joins = join_all(joins).await;
        let joined: Vec<UserId> =
            owners.iter().zip(&joins).filter(|(_, join)| join.is_ok()).map(|(owner, _)| *owner).collect();
        assert_eq!((joined.len(), node.size("joined").await), (3, 3));
        let full = joins.into_iter().filter(Result::is_err).map(said);
        assert!(full.eq(std::iter::repeat_n("Tournament cannot be joined as it has reached its max size.", 5)));
        node.tournaments.join("joined", joined[0], "somebody").await.unwrap();
        assert_eq!(node.size("joined").await, 3, "to join again takes no place");
        let shown = &node.tournaments.get(&["joined".to_owned()]).await.unwrap()[0];
        assert!(!shown.can_enter && shown.join_required);
    }

    async fn who_must_join_first_is_told_and_ranks_from_then_on(bench: Bench) {
        let node = Node::new(&bench.store);
        node.create(NewTournament { join_required: true, max_num_score: 1, ..new("t") }).await;
        let owner = new_id();
        assert_eq!(said(node.write("t", owner, 1).await), "Must join tournament before attempting to write value.");
        node.tournaments.join("t", owner, "somebody").await.unwrap();
        let list = node.tournaments.records("t", Listing { owners: vec![owner], ..page(1) }).await.unwrap();
        let joined = &list.owner_records[0];
        assert_eq!((joined.rank, joined.num_score, joined.score, list.rank_count), (1, 0, 0, 1));
        assert_eq!(node.write("t", owner, 5).await.unwrap().num_score, 1);
        // Where joining is required, a spent attempt is answered with the record as it is.
        let record = node.write("t", owner, 9).await.unwrap();
        assert_eq!((record.score, record.num_score), (5, 1));
        node.tournaments.join("none", owner, "somebody").await.unwrap_err();
    }

    async fn scores_are_taken_while_the_period_runs_only(bench: Bench) {
        let node = Node::new(&bench.store);
        let start = midnight(&node);
        let ends = NewTournament { start_time: start, end_time: start + 2 * 3600, join_required: false, ..new("t") };
        node.create(ends).await;
        node.create(NewTournament { start_time: start, join_required: true, ..new("j") }).await;
        let owner = new_id();
        assert_eq!(said(node.write("t", owner, 1).await), "Tournament is not active and cannot accept new scores.");
        node.tournaments.join("j", owner, "early").await.unwrap();
        node.set(start);
        assert_eq!(node.write("t", owner, 1).await.unwrap().expiry_time.unwrap().seconds, start + 2 * 3600);
        node.set(start + 3600);
        assert_eq!(said(node.write("t", owner, 1).await), "Tournament is not active and cannot accept new scores.");
        assert_eq!(said(node.tournaments.join("j", owner, "late").await), "Tournament is not active and cannot accept new joins.");
        assert_eq!(node.tournaments.records("t", page(10)).await.unwrap().records.len(), 1);
        node.set(start + 2 * 3600);
        assert_eq!(said(node.write("t", owner, 1).await), "Tournament not found or has ended.");
        assert_eq!(said(node.tournaments.records("t", page(10)).await), "Tournament has ended.");
        let old = Listing { expiry: start + 2 * 3600, ..page(10) };
        assert_eq!(node.tournaments.records("t", old).await.unwrap().records.len(), 1);
        let around = node.tournaments.around("t", owner, 5, Listing::default()).await.unwrap();
        assert!(around.records.is_empty());
        let around = Listing { expiry: start + 2 * 3600, ..Listing::default() };
        assert_eq!(node.tournaments.around("t", owner, 5, around).await.unwrap().records.len(), 1);
    }

    async fn only_scripts_write_where_the_board_says_so_and_leaderboards_are_no_tournaments(bench: Bench) {
        let node = Node::new(&bench.store);
        node.create(NewTournament { authoritative: true, ..new("t") }).await;
        let owner = new_id();
        assert_eq!(said(node.write("t", owner, 1).await), "Tournament only allows authoritative score submissions.");
        let written = node.tournaments.write("t", Authority::Server, submission(owner, 1)).await;
        assert_eq!(written.unwrap().score, 1);
        let deleted = node.tournaments.delete_record("t", Authority::Player, owner).await;
        assert_eq!(said(deleted), "Tournament only allows authoritative score deletions.");
        let board = NewLeaderboard {
            id: "b".to_owned(), authoritative: false, sort_order: SortOrder::Descending, operator: Operator::Best,
            reset_schedule: String::new(), metadata: String::new(), enable_ranks: true,
        };
        node.boards.create(board).await.unwrap();
        for refused in [said(node.write("b", owner, 1).await), said(node.tournaments.records("b", page(1)).await)] {
            assert_eq!(refused, "Tournament not found.");
        }
        assert!(node.boards.write("t", Authority::Server, submission(owner, 9)).await.is_err());
        assert_eq!(said(node.tournaments.create(new("b")).await), "cannot create tournament as leaderboard is already in use");
        assert!(!node.tournaments.delete("b").await.unwrap());
        assert!(node.tournaments.delete("t").await.unwrap());
    }

    async fn lists_are_filtered_and_go_on_after_their_cursors(bench: Bench) {
        let node = Node::new(&bench.store);
        let now = node.boards.now();
        for (id, category, start, end) in [
            ("past", 1, now - 500, now - 100), ("runs", 1, now - 400, 0), ("other", 9, now - 300, now + 900),
            ("soon", 1, now + 600, now + 800), ("later", 2, now + 700, 0),
        ] {
            node.create(NewTournament { category, start_time: start, end_time: end, ..new(id) }).await;
        }
        let list = async |categories, start: Option<i64>, end: Option<i64>| -> Vec<String> {
            let filter = Filter { categories, start, end };
            let list = node.tournaments.list(&filter, 100, None).await.unwrap();
            assert_eq!(list.cursor, "");
            list.tournaments.into_iter().map(|tournament| tournament.id).collect()
        };
        assert_eq!(list(0..=127, None, None).await, ["runs", "other", "soon", "later"]);
        assert_eq!(list(0..=2, None, None).await, ["runs", "soon", "later"]);
        assert_eq!(list(0..=127, Some(now), None).await, ["soon", "later"]);
        assert_eq!(list(0..=127, None, Some(0)).await, ["runs", "later"]);
        assert_eq!(list(0..=127, None, Some(now + 850)).await, ["past", "soon"]);
        let all = Filter { categories: 0..=127, start: None, end: None };
        let first = node.tournaments.list(&all, 3, None).await.unwrap();
        let rest = node.tournaments.list(&all, 3, Some(&first.cursor)).await.unwrap();
        assert_eq!((rest.tournaments.len(), &*rest.tournaments[0].id, &*rest.cursor), (1, "later", ""));
        assert!(matches!(node.tournaments.list(&all, 3, Some("x")).await, Err(TournamentError::InvalidCursor)));
        let runs = &first.tournaments[0];
        assert!(runs.can_enter && runs.end_time.is_none() && runs.title == "A title");
        assert_eq!((runs.max_size, runs.max_num_score, runs.duration), (2_147_483_647, 1_000_000, 3600));
        assert_eq!((i64::from(runs.start_active), i64::from(runs.end_active)), (now - 400, now + 3200));
    }

    async fn each_end_and_reset_happens_once_whoever_looks_and_after_a_restart(bench: Bench) {
        let (one, other) = (Node::new(&bench.store), Node::new(&bench.store));
        let start = midnight(&one);
        let daily = NewTournament { reset_schedule: "0 0 * * *".to_owned(), max_size: 5, ..new("t") };
        one.create(daily).await;
        let board = NewLeaderboard {
            id: "b".to_owned(), authoritative: false, sort_order: SortOrder::Descending, operator: Operator::Best,
            reset_schedule: "0 12 * * *".to_owned(), metadata: String::new(), enable_ranks: true,
        };
        one.boards.create(board).await.unwrap();
        other.boards.load().await.unwrap();
        let recorder = Rc::new(Recorder::default());
        let (mut first, mut second) = (scheduler(&one, &recorder), scheduler(&other, &recorder));
        one.set(start - 8 * 3600);
        other.set(start - 8 * 3600);
        first.turn().await;
        second.turn().await;
        let events = || std::mem::take(&mut *recorder.0.borrow_mut());
        assert_eq!(events(), Vec::<String>::new(), "what was before nobody asked for");

        one.set(start);
        one.write("t", new_id(), 1).await.unwrap();
        first.turn().await;
        assert_eq!((events(), one.size("t").await), (Vec::new(), 1), "its first period begins");
        one.set(start + 3600);
        other.set(start + 3600);
        for _ in 0..2 {
            futures_util::join!(first.turn(), second.turn());
        }
        assert_eq!(events(), [format!("t of 1 end {}", start + 3600)]);

        // The nodes are down until the day after that.
        drop((first, second));
        let restarted = Node::new(&bench.store);
        restarted.boards.load().await.unwrap();
        let mut again = scheduler(&restarted, &recorder);
        restarted.set(start + DAY + 60);
        again.turn().await;
        let mut happened = events();
        happened.sort();
        let expected = [
            format!("b reset {}", start + DAY / 2),
            format!("t of 1 reset {}", start + DAY),
        ];
        assert_eq!(happened, expected);
        assert_eq!(restarted.size("t").await, 0);
        again.turn().await;
        scheduler(&restarted, &recorder).turn().await;
        assert_eq!(events(), Vec::<String>::new());
    }

    async fn who_joins_the_new_period_before_the_reset_keeps_the_place(bench: Bench) {
        let node = Node::new(&bench.store);
        let start = midnight(&node);
        let daily = NewTournament { reset_schedule: "0 0 * * *".to_owned(), max_size: 5, join_required: true, duration_sec: DAY as i32, ..new("t") };
        node.create(daily).await;
        let recorder = Rc::new(Recorder::default());
        let mut scheduler = scheduler(&node, &recorder);
        scheduler.turn().await;
        for name in ["a", "b"] {
            node.tournaments.join("t", new_id(), name).await.unwrap();
        }
        node.set(start + 1);
        node.tournaments.join("t", new_id(), "c").await.unwrap();
        assert_eq!(node.size("t").await, 3);
        scheduler.turn().await;
        assert_eq!(node.size("t").await, 1);
    }

    async fn a_deleted_account_gives_its_places_back(bench: Bench) {
        let node = Node::new(&bench.store);
        node.create(NewTournament { max_size: 2, ..new("t") }).await;
        let (one, two) = (new_id(), new_id());
        for (owner, name) in [(one, "one"), (two, "two")] {
            sign_in::create_with_device(&bench.store, owner, name, &format!("device-of-{name}")).await.unwrap();
            node.write("t", owner, 1).await.unwrap();
        }
        assert_eq!(scores::periods_of(&bench.store, one).await.unwrap(), [("t".to_owned(), Timestamp::EPOCH)]);
        assert!(lifecycle::delete(&bench.store, one, false).await.unwrap());
        assert_eq!(node.size("t").await, 1);
        node.write("t", new_id(), 1).await.unwrap();
    }

    async fn a_claim_is_for_one_and_never_for_an_earlier_event(bench: Bench) {
        let store = &bench.store;
        let node = Node::new(store);
        let at = |second| Timestamp::from_unix_sec(second);
        let claim = async |second| fences::claim(store, fences::Kind::End, "t", (at(second), at(0))).await.unwrap();
        let begin = async |second| {
            fences::begin(store, fences::Kind::End, &["t".to_owned(), "gone".to_owned()], at(second)).await.unwrap()
        };
        assert!(!claim(5).await, "there is no such board");
        assert!(begin(5).await.is_empty());
        node.create(new("t")).await;
        assert_eq!(begin(10).await, [("t".to_owned(), at(10))]);
        assert_eq!(begin(99).await, [("t".to_owned(), at(10))]);
        assert!(!claim(10).await);
        let claims = join_all((0..6).map(|_| claim(20))).await;
        assert_eq!(claims.into_iter().filter(|claimed| *claimed).count(), 1);
        assert!(!claim(15).await);
        assert_eq!(fences::all(store, fences::Kind::End).await.unwrap(), [("t".to_owned(), at(20))]);
        fences::forget(store, "t").await.unwrap();
        assert!(fences::all(store, fences::Kind::End).await.unwrap().is_empty());
        let claims = join_all((0..6).map(|_| claim(30))).await;
        assert_eq!(claims.into_iter().filter(|claimed| *claimed).count(), 1, "without the row it goes on");
    }

    async fn a_store_that_fails_for_a_while_costs_no_board_its_schedule(bench: Bench) {
        let node = Node::new(&bench.store);
        let start = midnight(&node);
        let recorder = Rc::new(Recorder::default());
        let mut scheduler = scheduler(&node, &recorder);
        scheduler.turn().await;
        node.create(NewTournament { reset_schedule: "0 0 * * *".to_owned(), ..new("t") }).await;
        bench.store.execute("alter table storage rename to away", &[]).await.unwrap();
        scheduler.turn().await;
        bench.store.execute("alter table away rename to storage", &[]).await.unwrap();
        scheduler.turn().await;
        node.set(start + 3600);
        scheduler.turn().await;
        assert_eq!(*recorder.0.borrow(), [format!("t of 0 end {}", start + 3600)]);
    }

    async fn an_event_that_fails_blocks_no_other(bench: Bench) {
        let node = Node::new(&bench.store);
        let start = midnight(&node);
        for id in ["a", "b", "c"] {
            node.create(NewTournament { reset_schedule: "0 0 * * *".to_owned(), ..new(id) }).await;
        }
        let recorder = Rc::new(Recorder::default());
        let mut scheduler = scheduler(&node, &recorder);
        scheduler.turn().await;
        node.set(start + 3600);
        let [refuse, allow] = match bench.database {
            Database::Sqlite(_) => [
                vec!["create trigger refused before insert on storage when new.key = 'a' begin \
                      select raise(abort, 'refused'); end"],
                vec!["drop trigger refused"],
            ],
            Database::Postgres(_) => [
                vec![
                    "create function refused() returns trigger language plpgsql as \
                     $$ begin raise exception 'refused'; end $$",
                    "create trigger refused before insert on storage for each row \
                     when (new.key = 'a') execute function refused()",
                ],
                vec!["drop trigger refused on storage"],
            ],
        };
        for sql in refuse {
            bench.store.execute(sql, &[]).await.unwrap();
        }
        scheduler.turn().await;
        let ended = |id| format!("{id} of 0 end {}", start + 3600);
        assert_eq!(*recorder.0.borrow(), [ended("b"), ended("c")]);
        for sql in allow {
            bench.store.execute(sql, &[]).await.unwrap();
        }
        scheduler.turn().await;
        assert_eq!(*recorder.0.borrow(), [ended("b"), ended("c"), ended("a")]);
    }

    async fn a_board_with_nothing_to_come_leaves_no_row_and_a_new_one_owes_nothing_to_an_old_one(bench: Bench) {
        let store = &bench.store;
        let node = Node::new(store);
        let now = node.boards.now();
        node.create(NewTournament { start_time: now - 100, end_time: now - 10, ..new("over") }).await;
        let hourly = NewTournament { reset_schedule: "0 * * * *".to_owned(), duration_sec: 60, ..new("t") };
        node.create(hourly).await;
        let boards = ["t".to_owned()];
        for kind in [fences::Kind::End, fences::Kind::Reset] {
            fences::begin(store, kind, &boards, Timestamp::from_unix_sec(now - 5 * DAY)).await.unwrap();
        }
        let recorder = Rc::new(Recorder::default());
        scheduler(&node, &recorder).turn().await;
        assert_eq!(*recorder.0.borrow(), Vec::<String>::new());
        for kind in [fences::Kind::End, fences::Kind::Reset] {
            let known = fences::all(store, kind).await.unwrap();
            assert_eq!(known.iter().map(|(board, _)| &**board).collect::<Vec<_>>(), ["t"]);
        }
    }
}
