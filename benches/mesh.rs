//! Messages between two pinned shards: one-way throughput, and the round trip of a call.
//!
//! `cargo bench --bench mesh`

use std::{
    cell::Cell,
    future::Future,
    hint::black_box,
    rc::Rc,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kakera_shards::{
    Address, Loss, NodeId, Protocol, ReplyTo, ShardContext, ShardId,
    boot::{self, BootConfig},
    runtime,
};

struct Words;
impl Protocol for Words {
    /// The size of a realistic message: an id, a shared payload, a kind.
    type Request = [u64; 5];
    type Reply = u64;
}
type Context = ShardContext<Words>;

const NODE: NodeId = NodeId(1);
const PEER: Address = Address { node: NODE, shard: ShardId(1) };
const SOON: Duration = Duration::from_secs(10);

/// Boots two shards, runs `work` on the first and yields what it measured. The second answers what it
/// is asked, and what has a first word of 1 it counts and answers when asked for the count.
fn measured<F: Future<Output = Duration>>(
    spin: Duration,
    work: impl Fn(Context) -> F + Send + Sync + 'static,
) -> Duration {
    let config = BootConfig {
        shards: 2,
        pin: true,
        spin_before_park: spin,
        ..BootConfig::new(NODE).expect("the CPUs are known")
    };
    let (results, result) = mpsc::channel();
    let results = Mutex::new(results);
    let work = Arc::new(work);
    boot::run(&config, move |context: Context| {
        let results = results.lock().expect("nobody panics").clone();
        let work = Arc::clone(&work);
        async move {
            let counted = Cell::new(0);
            context.serve(Rc::new(move |_, words: [u64; 5], reply: ReplyTo<Words>| {
                if words[0] == 1 {
                    counted.set(counted.get() + 1);
                } else {
                    reply.send(counted.get());
                }
            }));
            if context.me().shard == ShardId(0) {
                // The measurement begins when the peer is up.
                all_handled(&context, 0).await;
                results.send(work(context.clone()).await)?;
                context.drain_node();
            }
            context.draining().await;
            Ok(())
        }
    })
    .expect("the node runs and stops");
    result.recv().expect("the first shard has measured")
}

/// Waits until the peer has handled `count` messages.
async fn all_handled(context: &Context, count: u64) {
    while context.mesh.call(PEER, [0; 5], SOON).await != Ok(count) {
        runtime::yield_now().await;
    }
}

fn one_way(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mesh one way");
    group.sample_size(10).throughput(Throughput::Elements(1));
    group.bench_function("requests", |bencher| {
        bencher.iter_custom(|count| {
            measured(Duration::ZERO, move |context| async move {
                let start = Instant::now();
                for i in 0..count {
                    while context.mesh.cast(PEER, [1, i, i, i, i]).is_err() {
                        runtime::yield_now().await;
                    }
                }
                all_handled(&context, count).await;
                start.elapsed()
            })
        });
    });
    group.bench_function("events", |bencher| {
        bencher.iter_custom(|count| {
            measured(Duration::ZERO, move |context| async move {
                let start = Instant::now();
                for i in 0..count {
                    while !context.mesh.deliver(PEER, [1, i, i, i, i], Loss::Droppable) {
                        runtime::yield_now().await;
                    }
                }
                all_handled(&context, count).await;
                start.elapsed()
            })
        });
    });
    group.finish();
}

fn round_trip(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mesh round trip");
    group.sample_size(20);
    for (name, spin) in [("awake", Duration::from_micros(50)), ("asleep", Duration::ZERO)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                measured(spin, move |context| async move {
                    let start = Instant::now();
                    for _ in 0..count {
                        let _ = black_box(context.mesh.call(PEER, [0; 5], SOON).await);
                    }
                    start.elapsed()
                })
            });
        });
    }
    group.bench_function("in batches of 64", |bencher| {
        bencher.iter_custom(|count| {
            measured(Duration::ZERO, move |context| async move {
                let start = Instant::now();
                let mut left = count;
                while left > 0 {
                    let batch = left.min(64);
                    let calls: Vec<_> =
                        (0..batch).map(|_| context.mesh.call(PEER, [0; 5], SOON)).collect();
                    for call in calls {
                        let _ = black_box(call.await);
                    }
                    left -= batch;
                }
                start.elapsed()
            })
        });
    });
    group.finish();
}

criterion_group!(benches, one_way, round_trip);
criterion_main!(benches);
