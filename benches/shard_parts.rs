//! The small things a shard does for every message: find an owner, draw an id, set a timer, look at
//! the clock.
//!
//! `cargo bench --bench shard_parts`

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use kakera_shards::{
    Address, Clock, NodeId, Ring, Rng, ShardId, StableHash, ring::Member, timers::Wheel,
};

fn ring(criterion: &mut Criterion) {
    let member = |node, shards| Member { node: NodeId(node), shards };
    let one = Ring::new(1, &[member(1, 64)]).expect("it has shards");
    let ten: Vec<_> = (1..=10).map(|node| member(node, 64)).collect();
    let cluster = Ring::new(1, &ten).expect("it has shards");
    let user = [7; 16];
    criterion.bench_function("ring: hash a user id", |bencher| {
        bencher.iter(|| StableHash::new("user").bytes_16(black_box(&user)).finish());
    });
    for (name, ring) in [("one node", &one), ("ten nodes", &cluster)] {
        let mut key = 0u64;
        criterion.bench_function(&format!("ring: owner of a hashed key, {name}"), |bencher| {
            bencher.iter(|| {
                key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
                ring.owner(black_box(key))
            });
        });
    }
    let last = Address { node: NodeId(10), shard: ShardId(63) };
    criterion.bench_function("ring: whether a home is there, ten nodes", |bencher| {
        bencher.iter(|| cluster.has(black_box(last)));
    });
    criterion.bench_function("ring: build, one node of 64 shards", |bencher| {
        bencher.iter(|| Ring::new(1, &[member(1, 64)]));
    });
    criterion.bench_function("ring: an eleventh node of 64 shards joins", |bencher| {
        let eleven: Vec<_> = (1..=11).map(|node| member(node, 64)).collect();
        bencher.iter(|| cluster.changed(2, &eleven));
    });
}

fn draw(criterion: &mut Criterion) {
    let rng = Rng::from_os();
    criterion.bench_function("rng: sixteen bytes of an id", |bencher| {
        bencher.iter(|| rng.bytes_16());
    });
    let clock = Clock::system();
    criterion
        .bench_function("clock: monotonic ms", |bencher| bencher.iter(|| clock.monotonic_ms()));
}

fn timers(criterion: &mut Criterion) {
    let mut wheel = Wheel::new(0);
    let mut at = 0u64;
    for i in 0..100_000 {
        wheel.insert(1_000_000_000 + i, i);
    }
    criterion.bench_function("timers: insert and cancel among 100,000", |bencher| {
        bencher.iter(|| {
            at = (at + 7919) % 60_000;
            let key = wheel.insert(at, at);
            wheel.cancel(black_box(key))
        });
    });
    criterion.bench_function("timers: 10,000 expire over a minute", |bencher| {
        bencher.iter_batched(
            || {
                let mut wheel = Wheel::new(0);
                for i in 0..10_000u64 {
                    wheel.insert((i * 7919) % 60_000, i);
                }
                wheel
            },
            |mut wheel| {
                while let Some(at_ms) = wheel.next_wake_ms() {
                    while let Some(value) = wheel.pop_due(at_ms) {
                        black_box(value);
                    }
                }
                wheel
            },
            BatchSize::LargeInput,
        );
    });
}

/// Short, so that `cargo bench` runs all benches within ten minutes.
fn brief() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = brief(); targets = ring, draw, timers }
criterion_main!(benches);
