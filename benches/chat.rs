//! What it costs to keep a channel's message in the embedded store, durably, by how many senders wait at
//! the same time: those who do share a commit. Beside it: a page of a history.

#[allow(dead_code)]
#[path = "../tests/store/support/folder.rs"]
mod folder;

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use folder::Folder;
use futures_util::future::join_all;
use kakera::{
    chat::{Deed, Draft, History, Listing},
    ids::{StreamId, UserId},
    store::{
        Database, DriverConfig, SqliteConfig, StoreConfig, Timestamp, messages::MessageRecord,
        users::sign_in,
    },
};
use kakera_shards::{
    runtime::{self, ExecutorConfig},
    socket::{SocketConfig, Sockets},
};
use uuid::Uuid;

const SENDER: UserId = UserId(Uuid::from_u128(7));

/// Runs a body on a shard with an empty database in which one user may write.
fn on_shard<F: Future<Output = Duration>>(body: impl FnOnce(Database, History) -> F) -> Duration {
    let folder = Folder::new("bench");
    let driver = SqliteConfig { path: folder.path().join("store.db"), ..SqliteConfig::default() };
    let config = StoreConfig { driver: DriverConfig::Sqlite(driver), ..StoreConfig::default() };
    let database = Database::open(&config).expect("the folder is writable");
    let spent = runtime::block_on(&ExecutorConfig::default(), async {
        let sockets = Sockets::start(SocketConfig::default()).expect("a ring");
        let store = database.attach(1, &sockets).expect("a store");
        let created = sign_in::create_with_device(&store, SENDER, "ann", "device-of-ann").await;
        created.expect("an account");
        let spent = body(database.clone(), History::new(store)).await;
        sockets.shut_down().await;
        spent
    });
    database.close();
    spent.expect("a shard")
}

fn draft(number: u64) -> Draft {
    let time = Timestamp(1_700_000_000_000_000 + number as i64);
    let message = MessageRecord {
        id: Uuid::new_v4(),
        code: Deed::Send.code() as i32,
        sender: SENDER,
        username: "ann".to_owned(),
        content: r#"{"text":"a message of the usual length, which is not long"}"#.to_owned(),
        create_time: time,
        update_time: time,
    };
    Draft { stream: StreamId::room("lobby"), deed: Deed::Send, message, persistent: true }
}

/// Keeps `count` messages, `senders` at a time, each with one on its way.
async fn keep(history: &History, count: u64, senders: u64) {
    let next = Cell::new(0);
    let sender = async || {
        while next.get() < count {
            next.set(next.get() + 1);
            history.keep(draft(next.get())).await.expect("is kept");
        }
    };
    join_all((0..senders).map(|_| sender())).await;
}

fn kept(c: &mut Criterion) {
    let mut group = c.benchmark_group("a message kept");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    group.measurement_time(Duration::from_secs(3));
    for senders in [1_u64, 16, 256] {
        let per_commit = Cell::new(0.0);
        group.bench_with_input(BenchmarkId::from_parameter(senders), &senders, |b, senders| {
            b.iter_custom(|count| {
                on_shard(async |database, history| {
                    let start = Instant::now();
                    keep(&history, count, *senders).await;
                    let spent = start.elapsed();
                    if let Some((writer, _)) = database.writer_counters() {
                        let commits = writer.commits.get().max(1);
                        per_commit.set(writer.units.get() as f64 / commits as f64);
                    }
                    spent
                })
            });
        });
        println!("{senders} senders: {:.1} messages a commit", per_commit.get());
    }
    group.finish();
}

fn listed(c: &mut Criterion) {
    let mut group = c.benchmark_group("a page of a history of 10,000");
    group.sample_size(10);
    for limit in [20, 100] {
        group.throughput(Throughput::Elements(limit as u64));
        group.bench_with_input(BenchmarkId::from_parameter(limit), &limit, |b, limit| {
            b.iter_custom(|count| {
                on_shard(async |_, history| {
                    keep(&history, 10_000, 256).await;
                    let listing = Listing {
                        channel_id: "2...lobby".to_owned(),
                        limit: Some(*limit),
                        forward: Some(false),
                        cursor: String::new(),
                    };
                    let start = Instant::now();
                    for _ in 0..count {
                        let list = history.list(SENDER, listing.clone()).await.expect("a page");
                        assert_eq!(list.messages.len(), *limit as usize);
                    }
                    start.elapsed()
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, kept, listed);
criterion_main!(benches);
