//! Ids made, read and followed home.
//!
//! `cargo bench --bench ids`

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use kakera::ids::{MatchId, SessionId};
use kakera_shards::{Address, NodeId, Rng, ShardId};

fn ids(criterion: &mut Criterion) {
    let rng = Rng::from_os();
    let home = Address { node: NodeId(1), shard: ShardId(63) };
    let random = || u128::from_be_bytes(rng.bytes_16());
    criterion.bench_function("ids: a new session id", |bencher| {
        bencher.iter(|| SessionId::at(home, random()));
    });
    let id = MatchId::at(home, random());
    criterion.bench_function("ids: the home of a match", |bencher| {
        bencher.iter(|| black_box(id).home());
    });
    criterion.bench_function("ids: written", |bencher| bencher.iter(|| black_box(id).to_string()));
    let text = id.to_string();
    criterion.bench_function("ids: read", |bencher| {
        bencher.iter(|| black_box(text.as_str()).parse::<MatchId>());
    });
}

/// Short, so that `cargo bench` runs all benches within ten minutes.
fn brief() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = brief(); targets = ids }
criterion_main!(benches);
