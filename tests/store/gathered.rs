//! Single writes that come together share a commit, and keys that are looked up together a statement; and
//! nothing else.

use std::time::Duration;

use futures_util::future::{join, join_all};
use kakera::{
    ids::UserId,
    leaderboards::{
        Authority as By, LeaderboardError, Leaderboards, Listing, NewLeaderboard, Operator,
        SortOrder, Submission, Unranked,
    },
    params,
    storage::{Authority, ObjectDraft, ObjectId, Storage, StorageError},
    store::{Reader, Store, StoreError, Tx, users},
};
use kakera_shards::{Clock, runtime};

use crate::{
    on_both_databases,
    support::{Bench, boards::leaderboards, new_id},
};

async fn player(store: &Store) -> UserId {
    let id = new_id();
    users::sign_in::create_with_device(store, id, "me", "my device").await.unwrap();
    id
}

/// How many objects there are, exactly.
async fn objects(store: &Store) -> i64 {
    let count: Result<(i64,), StoreError> = store
        .read(async |reader: &mut Reader<'_>| reader.one("select count(*) from storage", &[]).await)
        .await;
    count.unwrap().0
}

fn draft(owner: UserId, key: &str, n: usize) -> ObjectDraft {
    let id = ObjectId { collection: "c".into(), key: key.into(), owner };
    let value = format!("{{\"n\":{n}}}");
    ObjectDraft { id, value, version: String::new(), read: None, write: None }
}

async fn sum(store: &Store) -> Boards {
    let boards = leaderboards(store, Clock::system(), Unranked::default());
    let new = NewLeaderboard {
        id: "sum".into(),
        authoritative: false,
        sort_order: SortOrder::Descending,
        operator: Operator::Increment,
        reset_schedule: String::new(),
        metadata: String::new(),
        enable_ranks: true,
    };
    boards.create(new).await.unwrap();
    Boards(boards)
}

struct Boards(Leaderboards);

impl Boards {
    async fn add(&self, owner: UserId, score: i64) -> Result<i64, LeaderboardError> {
        let submission = Submission {
            owner,
            username: "me".into(),
            score,
            subscore: 0,
            metadata: String::new(),
            operator: None,
        };
        Ok(self.0.write("sum", By::Player, submission).await?.score)
    }
}

on_both_databases! {
    async fn all_are_there_once_they_are_acknowledged(bench: Bench) {
        let me = player(&bench.store).await;
        let storage = Storage::new(bench.store.clone());
        let write = async |n: usize| {
            let draft = draft(me, &n.to_string(), n);
            let acks = storage.write(Authority::Player(me), vec![draft]).await.unwrap();
            assert_eq!((acks.len(), acks[0].key.clone()), (1, n.to_string()), "each has its own");
        };
        join_all((0..300).map(write)).await;
        assert_eq!(objects(&bench.store).await, 300);
        if matches!(bench.store, Store::Postgres(_)) {
            assert!(bench.store.counters().gathered.get() > 0, "nobody shared a transaction");
        }
    }

    async fn each_reads_what_it_asked_for_and_may_see(bench: Bench) {
        const PLAYERS: usize = 40;
        let storage = Storage::new(bench.store.clone());
        let mut players = Vec::new();
        for n in 0..PLAYERS {
            let (id, name) = (new_id(), n.to_string());
            let create = users::sign_in::create_with_device(&bench.store, id, &name, &name);
            create.await.unwrap();
            // One for everybody, one for its owner, one for the server.
            let drafts = (0..3).map(|read| ObjectDraft {
                read: Some(2 - read),
                ..draft(id, &format!("{read}"), n)
            });
            storage.write(Authority::Server, drafts.collect()).await.unwrap();
            players.push(id);
        }
        let read = async |n: usize| {
            let (me, next) = (players[n], players[(n + 1) % PLAYERS]);
            let id = |owner, key: &str| ObjectId { collection: "c".into(), key: key.into(), owner };
            // The first is named again, and the last is not there.
            let keys = [(next, "1"), (me, "2"), (next, "0"), (me, "1"), (me, "0"), (next, "1"), (me, "9")];
            let ids = || keys.iter().map(|(owner, key)| id(*owner, key)).collect::<Vec<_>>();
            let seen = |found: Vec<kakera_proto::api::StorageObject>| {
                found.into_iter().map(|it| (it.user_id, it.key)).collect::<Vec<_>>()
            };
            let named = |kept: &[usize]| {
                kept.iter().map(|at| (keys[*at].0.to_string(), keys[*at].1.to_owned())).collect::<Vec<_>>()
            };
            let own = storage.read(Authority::Player(me), ids()).await.unwrap();
            assert_eq!(seen(own), named(&[2, 3, 4]));
            let all = storage.read(Authority::Server, ids()).await.unwrap();
            assert_eq!(seen(all), named(&[0, 1, 2, 3, 4]));
        };
        join_all((0..PLAYERS).map(read)).await;
    }

    async fn one_that_fails_fails_alone(bench: Bench) {
        let (me, nobody) = (player(&bench.store).await, new_id());
        let storage = Storage::new(bench.store.clone());
        let write = async |n: usize| {
            let owner = if n % 10 == 3 { nobody } else { me };
            storage.write(Authority::Server, vec![draft(owner, &n.to_string(), n)]).await
        };
        let results = join_all((0..100).map(write)).await;
        for (n, result) in results.into_iter().enumerate() {
            match result {
                Ok(_) => assert_ne!(n % 10, 3, "{n}"),
                Err(error) => {
                    assert!(matches!(error, StorageError::NoOwner), "{error}");
                    assert_eq!(n % 10, 3, "{n}");
                }
            }
        }
        assert_eq!(objects(&bench.store).await, 90);
    }

    async fn a_look_up_that_is_refused_costs_nobody_else_an_answer(bench: Bench) {
        // Before the first day of PostgreSQL's calendar.
        const NO_TIME: i64 = -300_000_000_000;
        let boards = sum(&bench.store).await;
        let me = new_id();
        boards.add(me, 1).await.unwrap();
        let list = async |n: usize| {
            let expiry = if n % 10 == 3 { NO_TIME } else { 0 };
            let listing = Listing { owners: vec![me], expiry, ..Listing::default() };
            boards.0.records("sum", listing).await.map(|list| list.owner_records.len())
        };
        for (n, found) in join_all((0..100).map(list)).await.into_iter().enumerate() {
            match found {
                Ok(1) => assert_ne!(n % 10, 3, "{n}"),
                other => assert_eq!(n % 10, 3, "{n}: {other:?}"),
            }
        }
    }

    async fn what_others_made_them_repeat_counts_once(bench: Bench) {
        const TIMES: i64 = 200;
        let boards = sum(&bench.store).await;
        let (me, other) = (new_id(), new_id());
        assert_eq!(boards.add(other, i64::MAX).await.unwrap(), i64::MAX);
        // Every fifth would leave the range, and takes those that went with it along.
        let add = async |n: i64| boards.add(if n % 5 == 4 { other } else { me }, 1).await;
        let results = join_all((0..TIMES).map(add)).await;
        let mut sums: Vec<i64> = results.into_iter().filter_map(Result::ok).collect();
        sums.sort_unstable();
        let expected: Vec<i64> = (1..=TIMES * 4 / 5).collect();
        assert_eq!(sums, expected, "each was told the sum with its own in it");
        assert_eq!(boards.add(me, 0).await.unwrap(), TIMES * 4 / 5);
        if matches!(bench.store, Store::Postgres(_)) {
            assert!(bench.store.counters().gathered_again.get() > 0, "none was undone");
        }
    }
}

/// To read the first row: the holder is about to change it.
async fn permission(store: &Store) -> i32 {
    let read = async |reader: &mut Reader<'_>| {
        let found: Result<(i32,), StoreError> =
            reader.one("select read from storage where key = $1", params!["one"]).await;
        found
    };
    store.read(read).await.unwrap().0
}

#[test]
fn whoever_holds_a_row_holds_up_nobody_elses_for_long() {
    // The embedded store has one writer, which nobody holds for long.
    Bench::run_postgres(while_rows_are_held);
}

async fn while_rows_are_held(bench: Bench) {
    let me = player(&bench.store).await;
    let storage = Storage::new(bench.store.clone());
    let held = ["one", "two", "three"];
    let first = held.map(|key| draft(me, key, 0)).into();
    storage.write(Authority::Server, first).await.unwrap();
    let hold = bench.store.write(async |tx: &mut Tx<'_>| {
        tx.execute("update storage set read = 2", &[]).await?;
        let (_,): (i64,) = tx.one("select count(*) from (select pg_sleep(2)) s", &[]).await?;
        Ok::<_, StoreError>(())
    });
    let others = async {
        let mut waiting = Vec::new();
        for key in held {
            // Not together: each holds up a flight of its own.
            runtime::sleep(Duration::from_millis(100)).await;
            let (draft, storage) = (draft(me, key, 1), storage.clone());
            waiting.push(runtime::spawn_owned("held", async move {
                storage.write(Authority::Server, vec![draft]).await.map(drop)
            }));
        }
        let write = async |n: usize| {
            storage.write(Authority::Server, vec![draft(me, &n.to_string(), n)]).await.unwrap();
        };
        // With a condition and without: no flight carries both.
        let create = async |n: usize| {
            let draft = ObjectDraft { version: "*".into(), ..draft(me, &format!("new {n}"), n) };
            storage.write(Authority::Server, vec![draft]).await.unwrap();
        };
        join(join_all((0..20).map(write)), join_all((0..20).map(create))).await;
        assert_eq!(permission(&bench.store).await, 1, "the rows are still held");
        for waiting in waiting {
            waiting.await.unwrap().unwrap();
        }
    };
    let (hold, ()) = join(hold, others).await;
    hold.unwrap();
    assert_eq!(objects(&bench.store).await, 43);
}
