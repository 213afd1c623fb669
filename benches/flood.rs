//! What a flood limit costs a message and a request that are served; without one it costs a branch.
//!
//! `cargo bench --bench flood`. Beside the meters stands a reading of the clock, which each of them takes.

use std::{hint::black_box, net::IpAddr};

use criterion::{Criterion, criterion_group, criterion_main};
use kakera::flood::{AddressLimits, AddressTable, Limit, Meter, Rate};
use kakera_shards::runtime::{self, ExecutorConfig};

/// So fast that nothing is refused.
fn limit() -> Limit {
    Limit { rate: Rate::new(1_000_000_000, 1_000_000_000).unwrap(), refusals_max: 100 }
}

fn flood(criterion: &mut Criterion) {
    runtime::block_on(&ExecutorConfig::default(), async {
        let (clock, counters) = (runtime::clock(), runtime::counters());
        criterion.bench_function("clock", |bencher| bencher.iter(|| clock.monotonic_micros()));

        let (limit, mut meter) = (limit(), Meter::default());
        criterion.bench_function("message of a session", |bencher| {
            bencher.iter(|| black_box(&mut meter).take(&limit, clock.monotonic_micros()));
        });

        let addresses_max = 65_536;
        let limits = AddressLimits { requests: Some(limit), connections: None, addresses_max };
        for (name, addresses) in
            [("one address", 1), ("30,000 addresses", 30_000), ("a million addresses", 1_000_000)]
        {
            let table = AddressTable::new(limits, clock.clone(), &counters);
            let mut next = 0_u32;
            criterion.bench_function(&format!("request of {name}"), |bencher| {
                bencher.iter(|| {
                    // A walk that meets each address once before it meets one again.
                    next = (next + 7919) % addresses;
                    table.request(black_box(IpAddr::V4(next.into())))
                });
            });
        }
    })
    .unwrap();
}

criterion_group!(benches, flood);
criterion_main!(benches);
