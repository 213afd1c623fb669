//! Storage objects: conditions, permissions, batches, pages, and many writers of the same rows.

use futures_util::future::join_all;
use kakera::{
    ids::UserId,
    leaderboards::{NewLeaderboard, Operator, SortOrder, Unranked},
    params,
    storage::{
        Authority, Key, ObjectDelete, ObjectDraft, ObjectId, Scope, Search, Storage, StorageError,
    },
    store::{
        Param, Reader, Store, StoreError, Timestamp,
        leaderboards::fences::{self, Kind},
        size::{self, Table},
        users,
    },
};
use kakera_proto::api;
use kakera_shards::Clock;

use crate::{
    on_both_databases,
    support::{boards::leaderboards, new_id},
};

async fn player(store: &Store, name: &str) -> UserId {
    let id = new_id();
    users::sign_in::create_with_device(store, id, name, &format!("device of {name}"))
        .await
        .unwrap();
    id
}

/// How many objects there are, exactly.
async fn objects(store: &Store) -> i64 {
    let count: Result<(i64,), StoreError> = store
        .read(async |reader: &mut Reader<'_>| reader.one("select count(*) from storage", &[]).await)
        .await;
    count.unwrap().0
}

fn id(collection: &str, key: &str, owner: UserId) -> ObjectId {
    ObjectId { collection: collection.into(), key: key.into(), owner }
}

fn draft(id: ObjectId, value: &str, version: &str) -> ObjectDraft {
    ObjectDraft { id, value: value.into(), version: version.into(), read: None, write: None }
}

fn open_to(draft: ObjectDraft, read: i32, write: i32) -> ObjectDraft {
    ObjectDraft { read: Some(read), write: Some(write), ..draft }
}

async fn value(storage: &Storage, id: ObjectId) -> Option<serde_json::Value> {
    let found = storage.read(Authority::Server, vec![id]).await.unwrap();
    found.first().map(|object| serde_json::from_str(&object.value).unwrap())
}

fn refusal<T: std::fmt::Debug>(result: Result<T, StorageError>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind().grpc_code(), 3, "{error}");
    error.to_string()
}

const VERSION: &str = "Storage write rejected - version check failed.";
const PERMISSION: &str = "Storage write rejected - permission denied.";
const NOT_DELETED: &str =
    "Storage delete rejected - not found, version check failed, or permission denied.";

fn keys(objects: &[api::StorageObject]) -> Vec<&str> {
    objects.iter().map(|object| object.key.as_str()).collect()
}

on_both_databases! {
    async fn conditions_are_held(bench: Bench) {
        let me = player(&bench.store, "me").await;
        let storage = Storage::new(bench.store);
        let by = Authority::Player(me);
        let save = || id("saves", "one", me);
        let put = async |value: &str, version: &str| {
            storage.write(by, vec![draft(save(), value, version)]).await
        };
        assert_eq!(refusal(put("{}", "99914b932bd37a50b983c5e7c90ae93b").await), VERSION);
        let first = put("{\"n\":1}", "*").await.unwrap().remove(0);
        assert_eq!(refusal(put("{\"n\":1}", "*").await), VERSION, "the same value is there already");
        let second = put("{\"n\":2}", &first.version).await.unwrap().remove(0);
        assert_eq!(second.create_time, first.create_time);
        assert_ne!(second.update_time, first.update_time);
        assert_eq!(refusal(put("{\"n\":3}", &first.version).await), VERSION);
        assert_eq!(value(&storage, save()).await.unwrap()["n"], 2);
        let third = put("{\"n\":4}", "").await.unwrap().remove(0);
        let same = put("{\"n\":4}", "").await.unwrap().remove(0);
        assert_eq!(same, third, "nothing changed, the time of the last change neither");

        let gone = |version: Option<&str>| ObjectDelete { id: save(), version: version.map(Into::into) };
        assert_eq!(refusal(storage.delete(by, vec![gone(Some(&first.version))]).await), NOT_DELETED);
        storage.delete(by, vec![gone(Some(&third.version))]).await.unwrap();
        assert_eq!(refusal(storage.delete(by, vec![gone(None)]).await), NOT_DELETED);
        storage.delete(Authority::Server, vec![gone(None)]).await.unwrap();
        let named = storage.delete(Authority::Server, vec![gone(Some("x"))]).await;
        assert_eq!(refusal(named), NOT_DELETED);
    }

    async fn permissions_bind_players_and_not_the_server(bench: Bench) {
        let (me, other) = (player(&bench.store, "me").await, player(&bench.store, "other").await);
        let storage = Storage::new(bench.store);
        let (by_me, by_other) = (Authority::Player(me), Authority::Player(other));
        for (key, read, write) in [("hidden", 0, 0), ("own", 1, 1), ("public", 2, 0)] {
            let draft = open_to(draft(id("c", key, me), "{\"v\":1}", ""), read, write);
            storage.write(by_me, vec![draft]).await.unwrap();
        }
        let all = || vec![id("c", "public", me), id("c", "own", me), id("c", "hidden", me)];
        let read = async |by| storage.read(by, all()).await.unwrap();
        assert_eq!(keys(&read(by_me).await), ["public", "own"]);
        assert_eq!(keys(&read(by_other).await), ["public"]);
        assert_eq!(keys(&read(Authority::Server).await), ["public", "own", "hidden"]);
        let public = read(by_other).await.remove(0);
        assert_eq!((public.permission_read, public.permission_write), (2, 0));
        assert_eq!(public.user_id, me.to_string());

        for version in ["", &public.version] {
            let again = draft(id("c", "public", me), "{\"v\":2}", version);
            assert_eq!(refusal(storage.write(by_me, vec![again]).await), PERMISSION);
        }
        // In a batch as well, of which nothing stays.
        let batch = vec![
            draft(id("c", "aside", me), "{}", ""),
            draft(id("c", "public", me), "{\"v\":2}", ""),
        ];
        assert_eq!(refusal(storage.write(by_me, batch).await), PERMISSION);
        assert_eq!(value(&storage, id("c", "aside", me)).await, None);
        let gone = || vec![ObjectDelete { id: id("c", "public", me), version: None }];
        assert_eq!(refusal(storage.delete(by_me, gone()).await), NOT_DELETED);
        storage
            .write(Authority::Server, vec![draft(id("c", "public", me), "{\"v\":3}", "")])
            .await
            .unwrap();
        assert_eq!(value(&storage, id("c", "public", me)).await.unwrap()["v"], 3);
        storage.delete(by_me, gone()).await.unwrap();
    }

    async fn what_belongs_to_nobody_is_the_servers(bench: Bench) {
        let me = player(&bench.store, "me").await;
        let storage = Storage::new(bench.store);
        let rules = || id("config", "rules", UserId::NIL);
        let draft = open_to(draft(rules(), "{\"speed\":3}", ""), 2, 0);
        storage.write(Authority::Server, vec![draft]).await.unwrap();
        let read = storage.read(Authority::Player(me), vec![rules()]).await.unwrap();
        assert_eq!(read[0].user_id, "00000000-0000-0000-0000-000000000000");
        assert_eq!(storage.read(Authority::Player(me), vec![rules(), rules()]).await.unwrap().len(), 1);
    }

    async fn a_batch_is_answered_in_its_own_order_and_happens_as_a_whole(bench: Bench) {
        let me = player(&bench.store, "me").await;
        let storage = Storage::new(bench.store);
        let by = Authority::Player(me);
        let batch = ["z", "a", "m", "a"]
            .iter()
            .enumerate()
            .map(|(n, key)| draft(id("c", key, me), &format!("{{\"n\":{n}}}"), ""))
            .collect();
        let acks = storage.write(by, batch).await.unwrap();
        let order: Vec<&str> = acks.iter().map(|ack| ack.key.as_str()).collect();
        assert_eq!(order, ["z", "a", "m", "a"]);
        assert_eq!(value(&storage, id("c", "a", me)).await.unwrap()["n"], 3, "the later one stands");
        let broken = vec![
            draft(id("c", "b", me), "{}", ""),
            draft(id("c", "z", me), "{}", "*"),
        ];
        assert_eq!(refusal(storage.write(by, broken).await), VERSION);
        assert_eq!(value(&storage, id("c", "b", me)).await, None);
        let gone = |key| ObjectDelete { id: id("c", key, me), version: None };
        assert_eq!(refusal(storage.delete(by, vec![gone("a"), gone("none")]).await), NOT_DELETED);
        assert!(value(&storage, id("c", "a", me)).await.is_some());
    }

    async fn a_write_for_nobody_known_or_with_too_long_a_name_is_refused(bench: Bench) {
        let me = player(&bench.store, "me").await;
        let storage = Storage::new(bench.store);
        let stranger = new_id();
        let lost = draft(id("c", "k", stranger), "{}", "");
        let error = storage.write(Authority::Player(stranger), vec![lost]).await.unwrap_err();
        assert_eq!(error.kind().grpc_code(), 5);
        let long = "x".repeat(129);
        for (collection, key) in [("c", long.as_str()), (long.as_str(), "k")] {
            let draft = draft(id(collection, key, me), "{}", "");
            refusal(storage.write(Authority::Player(me), vec![draft]).await);
        }
    }

    async fn pages_follow_each_other_without_gap_or_repetition(bench: Bench) {
        let (me, other) = (player(&bench.store, "me").await, player(&bench.store, "other").await);
        let storage = Storage::new(bench.store);
        let mut batch = Vec::new();
        for owner in [me, other] {
            for n in 0..12 {
                let draft = draft(id("c", &format!("k{n:02}"), owner), "{}", "");
                batch.push(open_to(draft, n % 3, 1));
            }
        }
        batch.push(draft(id("elsewhere", "k", me), "{}", ""));
        storage.write(Authority::Server, batch).await.unwrap();

        let walk = async |by, scope, limit| {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = storage.list(by, ("c", scope), limit, &cursor).await.unwrap();
                assert!(page.objects.len() <= limit);
                seen.extend(page.objects.into_iter().map(|object| {
                    (object.permission_read, object.key, object.user_id)
                }));
                cursor = page.cursor;
                if cursor.is_empty() {
                    return seen;
                }
            }
        };
        let mine = Authority::Player(me);
        for limit in [1, 3, 4, 100] {
            let own = walk(mine, Scope::Owner(me), limit).await;
            assert_eq!(own.len(), 8, "all but what only the server reads");
            assert!(own.is_sorted());
            let theirs = walk(mine, Scope::Owner(other), limit).await;
            assert!(theirs.len() == 4 && theirs.iter().all(|(read, ..)| *read == 2));
            assert!(theirs.is_sorted());
            let public = walk(mine, Scope::All, limit).await;
            assert!(public.len() == 8 && public.iter().all(|(read, ..)| *read == 2));
            assert!(public.is_sorted());
            let everything = walk(Authority::Server, Scope::All, limit).await;
            assert!(everything.len() == 24 && everything.is_sorted());
            assert_eq!(walk(Authority::Server, Scope::Owner(me), limit).await.len(), 12);
        }
        let page = storage.list(Authority::Server, ("c", Scope::All), 20, "").await.unwrap();
        let widened = storage.list(mine, ("c", Scope::Owner(other)), 100, &page.cursor).await.unwrap();
        assert!(widened.objects.iter().all(|object| object.permission_read == 2));
        assert!(matches!(
            storage.list(mine, ("c", Scope::All), 1, "nonsense").await,
            Err(StorageError::BadCursor)
        ));
    }

    async fn what_the_schedules_keep_is_not_the_operators(bench: Bench) {
        let store = &bench.store;
        let boards = leaderboards(store, Clock::system(), Unranked::default());
        let board = NewLeaderboard {
            id: "b".to_owned(), authoritative: false, sort_order: SortOrder::Descending, operator: Operator::Best,
            reset_schedule: "0 12 * * *".to_owned(), metadata: String::new(), enable_ranks: true,
        };
        boards.create(board).await.unwrap();
        fences::begin(store, Kind::Reset, &["b".to_owned()], Timestamp::from_unix_sec(9)).await.unwrap();
        let storage = Storage::new(store.clone());
        let of_system = draft(id("rules", "all", UserId::NIL), "{}", "");
        storage.write(Authority::Server, vec![of_system]).await.unwrap();
        let (found, _) = storage.search(Search::default(), 9, "").await.unwrap();
        assert_eq!(found.iter().map(|object| &*object.id.collection).collect::<Vec<_>>(), ["rules"]);
        assert_eq!(storage.collections().await.unwrap(), ["rules"]);
        let exported = storage.all_of(UserId::NIL).await.unwrap();
        assert_eq!(exported.iter().map(|object| &*object.collection).collect::<Vec<_>>(), ["rules"]);
        storage.delete_all().await.unwrap();
        assert_eq!(fences::all(store, Kind::Reset).await.unwrap().len(), 1);
        assert_eq!(objects(store).await, 1);
    }

    async fn many_objects_are_exported_and_deleted_in_batches(bench: Bench) {
        let me = player(&bench.store, "me").await;
        let numbers = "with recursive n(n) as (select 1 union all select n + 1 from n where n < 12000) \
                       insert into storage (collection, key, user_id, value, version, read, write) \
                       select 'c' || (n % 3), 'k' || n, $1, $2, '', 1, 1 from n";
        bench.store.execute(numbers, params![me, Param::json("{}")]).await.unwrap();
        let storage = Storage::new(bench.store.clone());
        let all = storage.all_of(me).await.unwrap();
        let names = |object: &api::StorageObject| (object.collection.clone(), object.key.clone());
        assert_eq!(all.iter().map(names).collect::<std::collections::BTreeSet<_>>().len(), 12_000);
        assert!(all.is_sorted_by_key(names));
        storage.delete_all().await.unwrap();
        assert_eq!(objects(&bench.store).await, 0);
    }

    async fn the_size_of_a_table_is_what_the_database_knows_of_it(bench: Bench) {
        let store = &bench.store;
        assert_eq!(size::about(store, Table::Users).await, 1);
        player(store, "me").await;
        assert_eq!(size::about(store, Table::Users).await, 2);
        if matches!(store, Store::Postgres(_)) {
            let known = "update pg_class set reltuples = 20000 where oid = 'users'::regclass";
            store.execute(known, &[]).await.unwrap();
            assert_eq!(size::about(store, Table::Users).await, 20_000, "nobody counts");
            store.execute("alter table user_tombstone rename to away", &[]).await.unwrap();
            assert_eq!(size::about(store, Table::Tombstones).await, 0, "and nobody fails");
        }
    }

    async fn an_operator_finds_objects_by_what_it_knows_of_them(bench: Bench) {
        let (me, other) = (player(&bench.store, "me").await, player(&bench.store, "other").await);
        let storage = Storage::new(bench.store.clone());
        let batch = [("a", "x1", me), ("a", "x2", me), ("b", "x1", other), ("b", "y%", me)];
        let drafts = batch.map(|(collection, key, owner)| draft(id(collection, key, owner), "{}", ""));
        storage.write(Authority::Server, drafts.to_vec()).await.unwrap();
        let find = async |what: Search, limit: usize, cursor: &str| {
            let (found, cursor) = storage.search(what, limit, cursor).await.unwrap();
            let names: Vec<String> =
                found.iter().map(|object| format!("{}/{}", object.id.collection, object.id.key)).collect();
            (names, cursor)
        };
        let hidden = open_to(draft(id("a", "z", me), "{}", ""), 0, 1);
        storage.write(Authority::Server, vec![hidden]).await.unwrap();
        let in_order = find(Search::default(), 9, "").await.0;
        assert_eq!(in_order, ["a/z", "a/x1", "a/x2", "b/x1", "b/y%"], "by permission, as the reference");
        storage.delete(Authority::Server, vec![ObjectDelete { id: id("a", "z", me), version: None }]).await.unwrap();
        let (first, cursor) = find(Search::default(), 3, "").await;
        assert_eq!(first, ["a/x1", "a/x2", "b/x1"]);
        let elsewhere = Search { collection: Some("a".into()), ..Search::default() };
        assert_eq!(
            refusal(storage.search(elsewhere, 3, &cursor).await),
            "Requires a matching cursor and collection filter property."
        );
        assert_eq!(find(Search::default(), 3, &cursor).await, (vec!["b/y%".into()], String::new()));
        let in_a = Search { collection: Some("a".into()), ..Search::default() };
        let begins = Search { key: Some(Key::Begins("x".into())), ..in_a.clone() };
        let is = Search { key: Some(Key::Is("x2".into())), ..in_a };
        assert_eq!(find(begins, 9, "").await.0.len(), 2);
        assert_eq!(find(is, 9, "").await.0, ["a/x2"]);
        let of_other = Search { owner: Some(other), ..Search::default() };
        assert_eq!(find(of_other, 9, "").await.0, ["b/x1"]);
        assert_eq!(storage.collections().await.unwrap(), ["a", "b"]);
        assert_eq!(objects(&bench.store).await, 4);
        storage.delete_all().await.unwrap();
        assert_eq!(objects(&bench.store).await, 0);
        assert!(storage.collections().await.unwrap().is_empty());
    }

    async fn what_one_database_cannot_keep_both_refuse(bench: Bench) {
        let me = player(&bench.store, "me").await;
        let storage = Storage::new(bench.store.clone());
        let deep = format!("{}1{}", "{\"a\":".repeat(30_000), "}".repeat(30_000));
        let swelling = format!("{{\"a\":[{}1]}}", "1e131000,".repeat(50));
        let good = draft(id("c", "good", me), "{\"a\":\"\\ud83d\\ude00\"}", "");
        for (key, value) in [
            ("nul\0", "{}"),
            ("k", "{\"a\":\"\\u0000\"}"),
            ("k", "{\"a\":\"\\ud800\"}"),
            ("k", deep.as_str()),
            ("k", swelling.as_str()),
        ] {
            let bad = draft(id("c", key, me), value, "");
            let refused = storage.write(Authority::Player(me), vec![good.clone(), bad]).await;
            let refused = refusal(refused);
            assert!(refused.starts_with("a value is out of its bounds"), "{refused}: {value:.40}");
            assert_eq!(objects(&bench.store).await, 0, "the good one went with it");
        }
        storage.write(Authority::Player(me), vec![good]).await.unwrap();
        assert_eq!(value(&storage, id("c", "good", me)).await.unwrap()["a"], "\u{1f600}");
    }

    async fn many_writers_with_versions_lose_no_update(bench: Bench) {
        const WRITERS: usize = 8;
        const TIMES: usize = 10;
        let me = player(&bench.store, "me").await;
        let storage = Storage::new(bench.store);
        let counter = || id("c", "counter", me);
        storage.write(Authority::Server, vec![draft(counter(), "{\"n\":0}", "*")]).await.unwrap();
        let add = async || {
            for _ in 0..TIMES {
                loop {
                    let found = storage.read(Authority::Server, vec![counter()]).await.unwrap();
                    let value: serde_json::Value = serde_json::from_str(&found[0].value).unwrap();
                    let next = format!("{{\"n\":{}}}", value["n"].as_u64().unwrap() + 1);
                    let next = draft(counter(), &next, &found[0].version);
                    match storage.write(Authority::Player(me), vec![next]).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.to_string(), VERSION),
                    }
                }
            }
        };
        join_all((0..WRITERS).map(|_| add())).await;
        let n = value(&storage, counter()).await.unwrap()["n"].as_u64().unwrap();
        assert_eq!(n as usize, WRITERS * TIMES);
    }

    async fn batches_over_the_same_rows_in_any_order_never_wait_in_a_circle(bench: Bench) {
        let me = player(&bench.store, "me").await;
        let storage = Storage::new(bench.store);
        let write = async |n: usize| {
            for round in 0..5 {
                let mut keys: Vec<usize> = (0..6).collect();
                keys.rotate_left((n + round) % 6);
                if n % 2 == 1 {
                    keys.reverse();
                }
                let value = format!("{{\"by\":{n}}}");
                let batch =
                    keys.iter().map(|key| draft(id("c", &key.to_string(), me), &value, "")).collect();
                storage.write(Authority::Player(me), batch).await.unwrap();
            }
        };
        join_all((0..8).map(write)).await;
        let ids = (0..6).map(|key| id("c", &key.to_string(), me)).collect();
        let left = storage.read(Authority::Server, ids).await.unwrap();
        assert_eq!(left.len(), 6);
        assert!(left.iter().all(|object| object.value == left[0].value), "one batch was the last");
    }

    async fn of_many_who_create_one_object_one_succeeds(bench: Bench) {
        let me = player(&bench.store, "me").await;
        let storage = Storage::new(bench.store);
        let create = async |n: usize| {
            let draft = draft(id("c", "first", me), &format!("{{\"by\":{n}}}"), "*");
            storage.write(Authority::Player(me), vec![draft]).await
        };
        let results = join_all((0..16).map(create)).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for error in results.into_iter().filter_map(Result::err) {
            assert_eq!(error.to_string(), VERSION);
        }
    }
}
