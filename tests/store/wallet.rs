//! Wallets, their ledger, and updates of several kinds in one transaction.

use futures_util::future::join_all;
use kakera::{
    accounts::AccountError,
    ids::UserId,
    multi_update::{MultiError, MultiUpdate, multi_update},
    storage::{Authority, ObjectDelete, ObjectDraft, ObjectId, Storage},
    store::{
        Param, Store, Timestamp,
        users::{self, ProfileChange, profiles},
    },
    wallet::{Amounts, LedgerFilter, WalletError, WalletUpdate, Wallets},
};
use kakera_shards::Rng;
use uuid::Uuid;

use crate::{on_both_databases, support::new_id};

async fn player(store: &Store, name: &str) -> UserId {
    let id = new_id();
    users::sign_in::create_with_device(store, id, name, &format!("device of {name}"))
        .await
        .unwrap();
    id
}

fn wallets(store: &Store) -> Wallets {
    Wallets::new(store.clone(), Rng::from_os())
}

fn amounts(pairs: &[(&str, i64)]) -> Amounts {
    pairs.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect()
}

fn update(user: UserId, pairs: &[(&str, i64)]) -> WalletUpdate {
    WalletUpdate { user, changes: amounts(pairs), metadata: "{\"why\":\"test\"}".into() }
}

async fn wallet(store: &Store, user: UserId) -> Amounts {
    let account = profiles::account(store, user).await.unwrap().unwrap();
    serde_json::from_str(&account.wallet).unwrap()
}

fn draft(key: &str, owner: UserId, version: &str) -> ObjectDraft {
    let id = ObjectId { collection: "c".into(), key: key.into(), owner };
    ObjectDraft { id, value: "{}".into(), version: version.into(), read: None, write: None }
}

on_both_databases! {
    async fn changes_add_up_and_none_falls_below_zero(bench: Bench) {
        let (a, b) = (player(&bench.store, "a").await, player(&bench.store, "b").await);
        let wallets = wallets(&bench.store);
        let results = wallets
            .update(
                vec![
                    update(a, &[("gold", 10), ("gem", 1)]),
                    update(new_id(), &[("gold", 1)]),
                    update(b, &[("gold", 5)]),
                    update(a, &[("gold", -4)]),
                ],
                true,
            )
            .await
            .unwrap();
        assert_eq!(results.len(), 3, "who does not exist is left out");
        assert_eq!(results[0].previous, amounts(&[]));
        assert_eq!(results[2].previous, amounts(&[("gem", 1), ("gold", 10)]));
        assert_eq!(results[2].updated, amounts(&[("gem", 1), ("gold", 6)]));
        assert_eq!(wallet(&bench.store, a).await, results[2].updated);

        let refused = wallets
            .update(vec![update(b, &[("gold", 1)]), update(a, &[("gem", -2)])], true)
            .await
            .unwrap_err();
        assert_eq!(refused.to_string(), "wallet update rejected negative value at path 'gem'");
        assert_eq!(refused.kind().grpc_code(), 3);
        assert_eq!(wallet(&bench.store, b).await, amounts(&[("gold", 5)]), "of no one");
        wallets.update(vec![update(a, &[("big", i64::MAX)])], false).await.unwrap();
        assert_eq!(wallet(&bench.store, a).await["big"], i64::MAX, "to the last digit");
        assert!(wallets.update(vec![update(a, &[("big", 1)])], false).await.is_err());
        let entries = wallets.ledger(a, LedgerFilter::default(), 100, "").await.unwrap().entries;
        assert_eq!(entries.len(), 2, "one an update that happened and was to be noted");
    }

    async fn the_ledger_is_paged_both_ways_and_its_metadata_grows(bench: Bench) {
        let me = player(&bench.store, "me").await;
        let other = player(&bench.store, "other").await;
        let wallets = wallets(&bench.store);
        for n in 1..=7 {
            wallets.update(vec![update(me, &[("n", n)])], true).await.unwrap();
        }
        let page = async |cursor: &str| {
            let page = wallets.ledger(me, LedgerFilter::default(), 3, cursor).await.unwrap();
            let amounts: Vec<i64> = page
                .entries
                .iter()
                .map(|entry| serde_json::from_str::<Amounts>(&entry.changes).unwrap()["n"])
                .collect();
            (amounts, page.next_cursor, page.prev_cursor)
        };
        let (first, next, prev) = page("").await;
        assert_eq!((first, prev.as_str()), (vec![7, 6, 5], ""));
        let (second, next, prev) = page(&next).await;
        assert_eq!(second, [4, 3, 2]);
        let (third, end, back) = page(&next).await;
        assert_eq!((third, end.as_str()), (vec![1], ""));
        assert_eq!(page(&back).await.0, [4, 3, 2]);
        let (again, next, none) = page(&prev).await;
        assert_eq!((again, none.as_str()), (vec![7, 6, 5], ""));
        assert_eq!(page(&next).await.0, [4, 3, 2]);

        let wrong = wallets.ledger(other, LedgerFilter::default(), 3, &next).await;
        assert!(matches!(wrong, Err(WalletError::BadCursor)));
        let later = LedgerFilter { after: Some(Timestamp(1)), before: None };
        let wrong = wallets.ledger(me, later, 3, &next).await;
        assert!(matches!(wrong, Err(WalletError::BadCursor)));
        let all = wallets.ledger(me, later, 100, "").await.unwrap().entries;
        assert_eq!(all.len(), 7);
        let middle = LedgerFilter {
            after: Some(all[4].create_time),
            before: Some(all[1].create_time),
        };
        let between = wallets.ledger(me, middle, 100, "").await.unwrap().entries;
        assert_eq!(between, all[2..4]);

        let entry = all[0].id;
        let changed = wallets.update_ledger(entry, "{\"seen\":true}").await.unwrap();
        assert_eq!(changed.metadata, "{\"seen\":true}", "what was added alone");
        let kept = wallets.ledger(me, LedgerFilter::default(), 1, "").await.unwrap().entries;
        let kept: serde_json::Value = serde_json::from_str(&kept[0].metadata).unwrap();
        assert_eq!(kept, serde_json::json!({"why": "test", "seen": true}));
        assert!(matches!(wallets.update_ledger(Uuid::nil(), "{}").await, Err(WalletError::NoEntry)));
        wallets.delete_ledger(other, entry).await.unwrap();
        wallets.delete_ledger(me, all[1].id).await.unwrap();
        let left = wallets.ledger(me, LedgerFilter::default(), 100, "").await.unwrap().entries;
        assert_eq!(left.len(), 6, "an entry is deleted of its own player alone");
    }

    async fn metadata_that_is_no_object_is_not_lost(bench: Bench) {
        let ann = player(&bench.store, "ann").await;
        let wallets = wallets(&bench.store);
        let update = WalletUpdate { user: ann, changes: Amounts::new(), metadata: "{}".to_owned() };
        wallets.update(vec![update], true).await.unwrap();
        let entry = wallets.all_of(ann).await.unwrap()[0].id;
        let exact = r#"{"n":1.50000000000000000001}"#;
        wallets.update_ledger(entry, exact).await.unwrap();
        wallets.update_ledger(entry, r#"{"m":1}"#).await.unwrap();
        let kept = wallets.all_of(ann).await.unwrap().remove(0).metadata;
        assert!(kept.contains("1.50000000000000000001") && kept.contains("\"m\""), "{kept}");
        let list = Param::json("[1]");
        bench.store.execute("update wallet_ledger set metadata = $1", &[list]).await.unwrap();
        wallets.update_ledger(entry, exact).await.unwrap_err();
        assert_eq!(wallets.all_of(ann).await.unwrap()[0].metadata, "[1]");
    }

    async fn many_who_change_the_same_wallets_lose_nothing(bench: Bench) {
        const CLIENTS: i64 = 8;
        const TIMES: i64 = 6;
        let (a, b) = (player(&bench.store, "a").await, player(&bench.store, "b").await);
        let wallets = wallets(&bench.store);
        let client = async |n: i64| {
            for _ in 0..TIMES {
                let mut both = vec![update(a, &[("gold", n)]), update(b, &[("gold", 1)])];
                if n % 2 == 0 {
                    both.reverse();
                }
                wallets.update(both, true).await.unwrap();
            }
        };
        join_all((1..=CLIENTS).map(client)).await;
        let sum = TIMES * CLIENTS * (CLIENTS + 1) / 2;
        assert_eq!(wallet(&bench.store, a).await["gold"], sum);
        assert_eq!(wallet(&bench.store, b).await["gold"], TIMES * CLIENTS);
        let entries = wallets.ledger(a, LedgerFilter::default(), 1000, "").await.unwrap().entries;
        let noted: i64 = entries
            .iter()
            .map(|entry| serde_json::from_str::<Amounts>(&entry.changes).unwrap()["gold"])
            .sum();
        assert_eq!(noted, sum, "the ledger adds up to the wallet");
    }

    async fn updates_of_everything_at_once_wait_for_each_other_and_lose_nothing(bench: Bench) {
        const CLIENTS: usize = 8;
        const TIMES: usize = 4;
        let mut players = Vec::new();
        for name in ["a", "b", "c"] {
            players.push(player(&bench.store, name).await);
        }
        // Each has a pool of its own, as shards have.
        let stores = [bench.store.clone(), bench.another_store()];
        let client = async |n: usize| {
            let store = &stores[n % 2];
            let wallets = wallets(store);
            for time in 0..TIMES {
                let mut order = players.clone();
                order.rotate_left(n % 3);
                if n.is_multiple_of(2) {
                    order.reverse();
                }
                let change = ProfileChange {
                    location: Some(format!("{n} {time}")),
                    ..ProfileChange::default()
                };
                let whole = MultiUpdate {
                    accounts: order.iter().map(|user| (*user, change.clone())).collect(),
                    writes: order.iter().rev().map(|user| draft("one", *user, "")).collect(),
                    deletes: Vec::new(),
                    wallets: order.iter().map(|user| update(*user, &[("gold", 1)])).collect(),
                    ledger: true,
                };
                multi_update(store, &wallets, whole).await.unwrap();
                let both = order.iter().map(|user| draft("one", *user, "")).collect();
                Storage::new(store.clone()).write(Authority::Server, both).await.unwrap();
                wallets.update(vec![update(order[0], &[("gems", 1)])], true).await.unwrap();
            }
        };
        join_all((0..CLIENTS).map(client)).await;
        let mut places = Vec::new();
        let mut gems = 0;
        for user in &players {
            let has = wallet(&bench.store, *user).await;
            assert_eq!(has["gold"], (CLIENTS * TIMES) as i64);
            gems += has.get("gems").copied().unwrap_or_default();
            let entries = wallets(&bench.store)
                .ledger(*user, LedgerFilter::default(), 1000, "")
                .await
                .unwrap()
                .entries;
            let noted = |what: &str| -> i64 {
                let changes = entries.iter().map(|entry| &entry.changes);
                changes
                    .filter_map(|text| serde_json::from_str::<Amounts>(text).unwrap().get(what).copied())
                    .sum()
            };
            assert_eq!(noted("gold"), has["gold"]);
            assert_eq!(noted("gems"), has.get("gems").copied().unwrap_or_default());
            let account = profiles::account(&bench.store, *user).await.unwrap().unwrap();
            places.push(account.user.location);
        }
        assert_eq!(gems, (CLIENTS * TIMES) as i64);
        places.dedup();
        assert_eq!(places.len(), 1, "the last one changed all three: {places:?}");
    }

    async fn an_update_of_everything_happens_as_a_whole(bench: Bench) {
        let (a, b) = (player(&bench.store, "a").await, player(&bench.store, "b").await);
        let (store, wallets) = (bench.store.clone(), wallets(&bench.store));
        let storage = Storage::new(bench.store);
        let renamed = |name: &str| ProfileChange {
            username: Some(name.into()),
            metadata: Some("{\"level\":2}".into()),
            ..ProfileChange::default()
        };
        storage.write(Authority::Server, vec![draft("old", a, "")]).await.unwrap();
        let whole = MultiUpdate {
            accounts: vec![(a, renamed("alice"))],
            writes: vec![draft("new", a, "*"), draft("new", b, "")],
            deletes: vec![ObjectDelete { id: draft("old", a, "").id, version: None }],
            wallets: vec![update(a, &[("gold", 3)])],
            ledger: true,
        };
        let done = multi_update(&store, &wallets, whole.clone()).await.unwrap();
        assert_eq!(done.acks.len(), 2);
        assert_eq!(done.acks[1].user_id, b.to_string());
        assert_eq!(done.wallets[0].updated, amounts(&[("gold", 3)]));
        let account = profiles::account(&store, a).await.unwrap().unwrap();
        assert_eq!(account.user.username, "alice");
        let objects = async || {
            let ids = ["old", "new"].map(|key| draft(key, a, "").id).to_vec();
            storage.read(Authority::Server, ids).await.unwrap().len()
        };
        assert_eq!(objects().await, 1);

        // Each part in turn is what refuses.
        let taken = MultiUpdate { accounts: vec![(b, renamed("alice"))], ..MultiUpdate::default() };
        let poor = vec![update(b, &[("gold", -1)])];
        let mut parts = vec![
            MultiUpdate { writes: vec![draft("x", b, "")], ..taken },
            MultiUpdate { accounts: vec![(b, renamed("bob"))], wallets: poor, ..MultiUpdate::default() },
            MultiUpdate { writes: vec![draft("new", a, "*")], accounts: vec![(b, renamed("bob"))], ..MultiUpdate::default() },
        ];
        let missing = ObjectDelete { id: draft("x", b, "").id, version: Some("v".into()) };
        parts.push(MultiUpdate {
            accounts: vec![(b, renamed("bob"))],
            deletes: vec![missing],
            wallets: vec![update(b, &[("gold", 1)])],
            ..MultiUpdate::default()
        });
        let mut errors = Vec::new();
        for part in parts {
            errors.push(multi_update(&store, &wallets, part).await.unwrap_err());
        }
        assert!(matches!(errors[0], MultiError::Account(AccountError::UsernameTaken)));
        assert!(matches!(errors[1], MultiError::Wallet(_)));
        assert!(matches!(errors[2], MultiError::Storage(_)));
        assert!(matches!(errors[3], MultiError::Storage(_)));
        let account = profiles::account(&store, b).await.unwrap().unwrap();
        assert_eq!(account.user.username, "b");
        assert_eq!(wallet(&store, b).await, amounts(&[]));
        assert_eq!(multi_update(&store, &wallets, MultiUpdate::default()).await.unwrap().acks, []);
    }
}
