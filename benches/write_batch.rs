//! A batch of the embedded store: objects that are written in one call, and calls that wait together and so share a
//! commit. Durable: every commit is synced.
//!
//! `cargo bench --bench write_batch`

#[allow(dead_code, unused_imports)]
#[path = "../tests/store/support/mod.rs"]
mod support;

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use kakera::{
    ids::UserId,
    storage::{Authority, ObjectDraft, ObjectId, Storage},
    store::users,
};

use support::{Bench, new_id};

/// Runs a body on a shard with an empty database in which one user may write.
fn on_shard<F: Future<Output = Duration>>(body: impl FnOnce(Storage, UserId) -> F) -> Duration {
    let spent = Cell::new(Duration::ZERO);
    Bench::run_sqlite(async |bench| {
        let user = new_id();
        let created =
            users::sign_in::create_with_device(&bench.store, user, "me", "device-0001").await;
        created.expect("an account");
        spent.set(body(Storage::new(bench.store.clone()), user).await);
    });
    spent.get()
}

fn draft(owner: UserId, key: usize, n: u64) -> ObjectDraft {
    let id = ObjectId { collection: "saves".into(), key: key.to_string(), owner };
    let value = format!("{{\"level\":{n},\"name\":\"somebody\",\"items\":[1,2,3,4,5,6,7,8]}}");
    ObjectDraft { id, value, version: String::new(), read: None, write: None }
}

/// Objects of one call.
fn of_one_call(c: &mut Criterion) {
    let mut group = c.benchmark_group("store: objects written in one call");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for objects in [1_usize, 10, 100] {
        group.throughput(Throughput::Elements(objects as u64));
        group.bench_with_input(BenchmarkId::from_parameter(objects), &objects, |b, objects| {
            b.iter_custom(|count| {
                on_shard(async |storage, user| {
                    let start = Instant::now();
                    for n in 0..count {
                        let batch = (0..*objects).map(|key| draft(user, key, n)).collect();
                        storage.write(Authority::Player(user), batch).await.expect("is written");
                    }
                    start.elapsed()
                })
            });
        });
    }
    group.finish();
}

/// Calls of one object each that are under way together.
fn of_one_commit(c: &mut Criterion) {
    let mut group = c.benchmark_group("store: calls that wait together");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(1));
    for callers in [16_usize, 256] {
        group.bench_with_input(BenchmarkId::from_parameter(callers), &callers, |b, callers| {
            b.iter_custom(|count| {
                on_shard(async |storage, user| {
                    let (start, next) = (Instant::now(), Cell::new(0));
                    let (storage, next) = (&storage, &next);
                    join_all((0..*callers).map(|key| async move {
                        while next.get() < count {
                            next.set(next.get() + 1);
                            let batch = vec![draft(user, key, next.get())];
                            let written = storage.write(Authority::Player(user), batch).await;
                            written.expect("is written");
                        }
                    }))
                    .await;
                    start.elapsed()
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, of_one_call, of_one_commit);
criterion_main!(benches);
