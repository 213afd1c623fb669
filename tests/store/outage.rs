//! A database that goes away and comes back.

use std::time::{Duration, Instant};

use kakera::{
    error::ErrorKind,
    params,
    store::{
        DriverConfig, MigrateCommand, Param, Reader, Store, StoreConfig, StoreError, Tx, migrate,
    },
};
use kakera_shards::runtime;

use crate::support::{Bench, cluster::Cluster, on_shard, postgres_config};

/// No call may take longer than this while the database is away.
const QUICK: Duration = Duration::from_secs(2);

fn own_cluster() -> (Cluster, StoreConfig) {
    let cluster = Cluster::start();
    let config = postgres_config(cluster.by_tcp("game"));
    on_shard(migrate(&config, MigrateCommand::Up { limit: None })).unwrap();
    (cluster, config)
}

async fn read(store: &Store) -> Result<i64, StoreError> {
    let (count,): (i64,) = store
        .read(async |r: &mut Reader<'_>| {
            r.one("select count(*) from setting where name like 'n-%'", &[]).await
        })
        .await?;
    Ok::<_, StoreError>(count)
}

async fn write(store: &Store, name: String) -> Result<(), StoreError> {
    store
        .write(async move |tx: &mut Tx<'_>| {
            let sql = "insert into setting (name, value) values ($1, $2)";
            tx.execute(sql, params![&name, Param::json("1")]).await.map(|_| ())
        })
        .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    runtime::offload(work).await.unwrap_or_else(|_| panic!("the offload pool refused"))
}

#[test]
fn a_database_killed_in_mid_flight_is_unavailable_at_once_and_comes_back_without_a_restart() {
    let (cluster, config) = own_cluster();
    let cluster = std::sync::Arc::new(cluster);
    Bench::run(&config, async |bench| {
        let store = bench.store;
        // Writers and readers that never stop.
        let acknowledged = std::rc::Rc::new(std::cell::Cell::new(0_u64));
        let lost = std::rc::Rc::new(std::cell::Cell::new(0_u64));
        let mut load = Vec::new();
        for worker in 0..8 {
            let (store, acknowledged, lost) = (store.clone(), acknowledged.clone(), lost.clone());
            load.push(runtime::spawn_owned("load", async move {
                for n in 0.. {
                    match write(&store, format!("n-{worker}-{n}")).await {
                        Ok(()) => acknowledged.set(acknowledged.get() + 1),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                            lost.set(lost.get() + 1);
                            runtime::sleep(Duration::from_millis(5)).await;
                        }
                    }
                }
            }));
        }
        runtime::sleep(Duration::from_millis(200)).await;
        assert!(acknowledged.get() > 0);

        let killer = cluster.clone();
        blocking(move || killer.kill()).await;
        for _ in 0..20 {
            let started = Instant::now();
            let error = write(&store, "never".into()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            let error = read(&store).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(started.elapsed() < QUICK, "{:?}", started.elapsed());
            assert!(!error.to_string().contains("p@ss"), "{error}");
            runtime::sleep(Duration::from_millis(10)).await;
        }
        assert!(lost.get() > 0);

        let starter = cluster.clone();
        blocking(move || starter.up()).await;
        let back = Instant::now();
        while read(&store).await.is_err() {
            assert!(back.elapsed() < Duration::from_secs(10), "it does not come back");
            runtime::sleep(Duration::from_millis(20)).await;
        }
        let before = acknowledged.get();
        runtime::sleep(Duration::from_millis(500)).await;
        assert!(acknowledged.get() > before, "writes go on");
        drop(load);
        runtime::sleep(Duration::from_millis(200)).await;
        // What was acknowledged is there; what was in flight may be.
        let kept = read(&store).await.unwrap() as u64;
        assert!(kept >= acknowledged.get(), "{kept} of {}", acknowledged.get());
        assert!(kept <= acknowledged.get() + lost.get() + 8);
    });
}

#[test]
fn a_database_that_is_away_at_the_start_is_named_without_its_password() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = postgres_config(format!("game:hush@127.0.0.1:{port}/game"));
    let error = on_shard(migrate(&config, MigrateCommand::Status)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&format!("game@127.0.0.1:{port}/game")), "{error}");
    assert!(!error.to_string().contains("hush"), "{error}");
}

#[test]
fn a_wrong_password_is_said_without_saying_it() {
    let cluster = crate::support::cluster::shared();
    let config = postgres_config(format!("game:hush@127.0.0.1:{}/postgres", cluster.port()));
    let error = on_shard(migrate(&config, MigrateCommand::Status)).unwrap_err().to_string();
    assert!(error.contains("password") && error.contains("28P01"), "{error}");
    assert!(!error.contains("hush"), "{error}");
}

#[test]
fn addresses_are_tried_in_order_until_one_answers() {
    let cluster = crate::support::cluster::shared();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let name = cluster.create_database("template0");
    let mut config = postgres_config(format!("game@127.0.0.1:{port}/nothing"));
    let DriverConfig::Postgres(postgres) = &mut config.driver else { unreachable!() };
    postgres.addresses.push(cluster.by_tcp(&name).replace("127.0.0.1", "localhost"));
    on_shard(migrate(&config, MigrateCommand::Up { limit: None })).unwrap();
    Bench::run(&config, async |bench| assert_eq!(read(&bench.store).await.unwrap(), 0));
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_given_up() {
    // The listener's backlog accepts; nobody ever answers.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = postgres_config(format!("game@{}/game", mute.local_addr().unwrap()));
    let DriverConfig::Postgres(postgres) = &mut config.driver else { unreachable!() };
    postgres.connect_timeout_ms = 200;
    on_shard(async {
        let sockets =
            kakera_shards::socket::Sockets::start(kakera_shards::socket::SocketConfig::default())
                .unwrap();
        let database = kakera::store::Database::open(&config).unwrap();
        let store = database.attach(1, &sockets).unwrap();
        for _ in 0..2 {
            let started = Instant::now();
            let error = read(&store).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(started.elapsed() < QUICK);
        }
        sockets.shut_down().await;
    });
}

#[test]
fn connections_are_encrypted_and_the_authority_is_checked() {
    let cluster = Cluster::start();
    let authority = cluster.enable_tls();
    let run = |address: String| {
        let config = postgres_config(address);
        on_shard(async {
            let sockets = kakera_shards::socket::Sockets::start(
                kakera_shards::socket::SocketConfig::default(),
            )
            .unwrap();
            let database = kakera::store::Database::open(&config)?;
            let store = database.attach(1, &sockets)?;
            let (encrypted,): (bool,) = store
                .read(async |r: &mut Reader<'_>| {
                    r.one("select ssl from pg_stat_ssl where pid = pg_backend_pid()", &[]).await
                })
                .await?;
            sockets.shut_down().await;
            Ok::<bool, StoreError>(encrypted)
        })
    };
    let by_name = cluster.by_tcp("postgres").replace("127.0.0.1", "localhost");
    let by_number = cluster.by_tcp("postgres");
    let authority = authority.display();
    assert!(!run(format!("{by_name}?sslmode=disable")).unwrap());
    assert!(run(by_name.clone()).unwrap(), "preferred");
    assert!(run(format!("{by_number}?sslmode=require")).unwrap());
    assert!(run(format!("{by_name}?sslmode=verify-full&sslrootcert={authority}")).unwrap());
    assert!(run(format!("{by_number}?sslmode=verify-ca&sslrootcert={authority}")).unwrap());
    let wrong_name = run(format!("{by_number}?sslmode=verify-full&sslrootcert={authority}"));
    assert!(wrong_name.unwrap_err().to_string().contains("certificate"));
    let stranger = run(format!("{by_name}?sslmode=verify-full"));
    assert!(stranger.unwrap_err().to_string().contains("certificate"));
}
