//! Transactions: all or nothing, on their own and in a batch.

use std::time::Duration;

use kakera::{
    params,
    store::{MigrateCommand, Param, Reader, Store, StoreError, Timestamp, Tx, migrate},
};
use kakera_shards::runtime;

use crate::{
    on_both_databases,
    support::{Bench, cluster, on_shard, postgres_config},
};

/// A table of settings stands in for any table: a name and a JSON value.
const PUT: &str = "insert into setting (name, value, update_time) values ($1, $2, {now})";

async fn names(store: &Store) -> Vec<String> {
    let rows: Vec<(String,)> = store
        .scan(async |r: &mut Reader<'_>| {
            r.all("select name from setting where name <> 'utc_toggle' order by name", &[]).await
        })
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"));
    rows.into_iter().map(|(name,)| name).collect()
}

async fn put(store: &Store, name: &str) -> Result<(), StoreError> {
    let name = name.to_owned();
    store
        .write(async move |tx: &mut Tx<'_>| {
            tx.execute(PUT, params![&name, Param::json("1")]).await.map(|_| ())
        })
        .await
}

#[derive(Debug, PartialEq)]
enum Refused {
    ByRule(&'static str),
    ByStore(String),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::ByStore(error.to_string())
    }
}

on_both_databases! {
    async fn a_refusal_of_the_domain_rolls_back(bench: Bench) {
        let store = bench.store;
        let result: Result<(), Refused> = store
            .write(async |tx: &mut Tx<'_>| {
                tx.execute(PUT, params!["a", Param::json("1")]).await?;
                let (seen,): (i64,) = tx.one("select count(*) from setting where name = 'a'", &[]).await?;
                assert_eq!(seen, 1);
                Err(Refused::ByRule("not allowed"))
            })
            .await;
        assert_eq!(result, Err(Refused::ByRule("not allowed")));
        assert!(names(&store).await.is_empty());
    }

    async fn a_failed_statement_fails_the_transaction_even_if_it_is_ignored(bench: Bench) {
        let store = bench.store;
        put(&store, "a").await.unwrap();
        let result: Result<(), StoreError> = store
            .write(async |tx: &mut Tx<'_>| {
                tx.execute(PUT, params!["b", Param::json("1")]).await?;
                let clash = tx.execute(PUT, params!["a", Param::json("1")]).await;
                assert!(matches!(clash, Err(StoreError::Unique(_))));
                let after = tx.execute(PUT, params!["c", Param::json("1")]).await;
                assert!(matches!(after, Err(StoreError::Failed)));
                Ok(())
            })
            .await;
        assert!(matches!(result, Err(StoreError::Unique(_))), "{result:?}");
        assert_eq!(names(&store).await, ["a"]);
    }

    async fn one_refused_unit_does_not_take_its_neighbours_with_it(bench: Bench) {
        let store = bench.store;
        put(&store, "n050").await.unwrap();
        let all = (0..100).map(|n| {
            let store = store.clone();
            async move { put(&store, &format!("n{n:03}")).await }
        });
        let results = futures_util::future::join_all(all).await;
        for (n, result) in results.iter().enumerate() {
            assert_eq!(result.is_ok(), n != 50, "{n}: {result:?}");
        }
        assert_eq!(names(&store).await.len(), 100);
    }

    async fn a_panic_in_a_unit_is_that_units_error(bench: Bench) {
        let store = bench.store;
        let all = (0..10).map(|n| {
            let store = store.clone();
            async move {
                store
                    .write(async move |tx: &mut Tx<'_>| {
                        tx.execute(PUT, params![format!("n{n}"), Param::json("1")]).await?;
                        assert_ne!(n, 5, "a bug in a unit");
                        Ok::<_, StoreError>(())
                    })
                    .await
            }
        });
        let results = futures_util::future::join_all(all).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 9);
        assert!(results[5].is_err());
        assert_eq!(names(&store).await.len(), 9);
    }

    async fn increments_in_parallel_are_all_counted(bench: Bench) {
        let store = bench.store;
        store
            .execute(PUT, params!["counter", Param::json("0")])
            .await
            .unwrap();
        let all = (0..50).map(|_| {
            let store = store.clone();
            async move {
                store
                    .write(async |tx: &mut Tx<'_>| {
                        let (value,): (String,) = tx
                            .one("select value from setting where name = 'counter' {for update}", &[])
                            .await?;
                        let next = (value.parse::<u32>().unwrap() + 1).to_string();
                        let sql = "update setting set value = $1 where name = 'counter'";
                        tx.execute(sql, params![Param::json(&next)]).await?;
                        Ok::<_, StoreError>(())
                    })
                    .await
                    .unwrap();
            }
        });
        futures_util::future::join_all(all).await;
        let (value,): (String,) = store
            .read(async |r: &mut Reader<'_>| {
                r.one("select value from setting where name = 'counter'", &[]).await
            })
            .await
            .unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert_eq!(value, "50");
    }

    async fn every_kind_of_value_comes_back_as_it_went(bench: Bench) {
        let store = bench.store;
        let id = crate::support::new_id();
        let at = Timestamp(1_700_000_000_123_456);
        store
            .execute(
                "insert into console_user (id, username, email, password, mfa_required, metadata, create_time) \
                 values ($1, $2, $3, $4, $5, $6, $7)",
                params![id, "zoë", "z@example.com", vec![0_u8, 255, 7], true, Param::json("{\"n\": null}"), at],
            )
            .await
            .unwrap();
        type Values = (kakera::ids::UserId, String, Vec<u8>, Option<Vec<u8>>, bool, String, Timestamp);
        let found: Values = store
            .read(async move |r: &mut Reader<'_>| {
                r.one(
                    "select id, username, password, mfa_secret, mfa_required, metadata, create_time \
                     from console_user where id = $1",
                    params![id],
                )
                .await
            })
            .await
            .unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert_eq!(found, (id, "zoë".into(), vec![0, 255, 7], None, true, "{\"n\": null}".into(), at));
        store
            .execute(
                "insert into leaderboard (id, operator, max_size, metadata, end_time) values ($1, $2, $3, $4, $5)",
                params!["b", 3_i16, i32::MAX, Param::json("{}"), Timestamp::EPOCH],
            )
            .await
            .unwrap();
        store
            .execute(
                "insert into leaderboard_record (leaderboard_id, owner_id, score) values ($1, $2, $3)",
                params!["b", id, i64::MAX],
            )
            .await
            .unwrap();
        let found: (i16, i32, i64, Timestamp) = store
            .read(async |r: &mut Reader<'_>| {
                r.one(
                    "select l.operator, l.max_size, r.score, l.end_time from leaderboard l \
                     join leaderboard_record r on r.leaderboard_id = l.id",
                    &[],
                )
                .await
            })
            .await
            .unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert_eq!(found, (3, i32::MAX, i64::MAX, Timestamp::EPOCH));
    }

    async fn now_is_the_time_of_the_transaction(bench: Bench) {
        let store = bench.store;
        let (one, two) = store
            .write(async |tx: &mut Tx<'_>| {
                let (one,): (Timestamp,) = tx.one("select {now}", &[]).await?;
                std::thread::sleep(Duration::from_millis(5));
                let (two,): (Timestamp,) = tx.one("select {now}", &[]).await?;
                Ok::<_, StoreError>((one, two))
            })
            .await
            .unwrap();
        assert_eq!(one, two);
        let clock = runtime::clock().unix_micros();
        assert!((clock - one.0).abs() < 60_000_000, "{clock} and {one:?}");
    }
}

#[test]
fn on_sqlite_a_unit_that_waits_for_something_else_is_refused() {
    Bench::run_sqlite(async |bench| {
        let store = bench.store;
        let result: Result<(), StoreError> = store
            .write(async |tx: &mut Tx<'_>| {
                tx.execute(PUT, params!["a", Param::json("1")]).await?;
                std::future::pending().await
            })
            .await;
        assert!(matches!(result, Err(StoreError::Statement(_))), "{result:?}");
        assert!(names(&store).await.is_empty());
    });
}

#[test]
fn on_postgres_a_transaction_that_never_ends_is_cut_at_its_deadline() {
    let name = cluster::shared().create_database("template1");
    let mut config = postgres_config(cluster::shared().by_socket(&name));
    on_shard(migrate(&config, MigrateCommand::Up { limit: None })).unwrap();
    config.call_timeout_ms = 200;
    Bench::run(&config, async |bench| {
        let store = bench.store;
        let result: Result<(), StoreError> = store
            .write(async |tx: &mut Tx<'_>| {
                tx.execute(PUT, params!["a", Param::json("1")]).await?;
                std::future::pending().await
            })
            .await;
        assert!(matches!(result, Err(StoreError::Deadline)), "{result:?}");
        assert!(names(&store).await.is_empty());
        put(&store, "b").await.unwrap();
    });
}

/// The database of a test that asks it for more than the store's own steps would.
async fn serializable_increment(store: &Store) -> Result<(), StoreError> {
    store
        .write(async |tx: &mut Tx<'_>| {
            tx.execute("set transaction isolation level serializable", &[]).await?;
            let (value,): (String,) =
                tx.one("select value from setting where name = 'counter'", &[]).await?;
            let next = (value.parse::<u32>().unwrap() + 1).to_string();
            let sql = "update setting set value = $1 where name = 'counter'";
            tx.execute(sql, params![Param::json(&next)]).await.map(|_| ())
        })
        .await
}

#[test]
fn on_postgres_a_serialization_failure_runs_the_transaction_again() {
    Bench::run_postgres(async |bench| {
        let store = bench.store;
        store.execute(PUT, params!["counter", Param::json("0")]).await.unwrap();
        // Reads before it writes: of those that overlap, all but one fail with 40001.
        let all = (0..12).map(|_| serializable_increment(&store));
        let results = futures_util::future::join_all(all).await;
        let done = results.iter().filter(|result| result.is_ok()).count();
        for result in &results {
            assert!(matches!(result, Ok(()) | Err(StoreError::Contended)), "{result:?}");
        }
        let (value,): (String,) = store
            .read(async |r: &mut Reader<'_>| {
                r.one("select value from setting where name = 'counter'", &[]).await
            })
            .await
            .unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert_eq!(value, done.to_string());
        assert!(store.counters().retries.get() > 0);
        assert!(done > 1);
    });
}
