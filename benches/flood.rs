//! What a flood limit costs a message and a request that are served: nanoseconds of CPU. Without one it is
//! a branch. `cargo bench --bench flood`. On one core of an AMD EPYC VM a message took 26 ns, 24 of them for the clock,
//! and a request 60 to 220 ns, by how many addresses there are. Each meter reads the clock, which stands beside them by itself.

use std::{
    hint::black_box,
    net::IpAddr,
    time::{Duration, Instant},
};

use kakera::flood::{AddressLimits, AddressTable, Limit, Meter, Rate};
use kakera_shards::runtime::{self, ExecutorConfig};

const LEAST: Duration = Duration::from_millis(800);

fn main() {
    // So fast that nothing is refused.
    let rate = Rate::new(1_000_000_000, 1_000_000_000).unwrap();
    let limit = Limit { rate, refusals_max: 100 };
    runtime::block_on(&ExecutorConfig::default(), async {
        let (clock, counters) = (runtime::clock(), runtime::counters());
        report("the clock", || {
            black_box(clock.monotonic_micros());
        });
        let mut meter = Meter::default();
        report("message of a session", || {
            black_box(black_box(&mut meter).take(&limit, clock.monotonic_micros()));
        });
        for (name, addresses) in [
            ("request, one address", 1),
            ("request, 30,000 addresses", 30_000),
            ("request, a million addresses", 1_000_000),
        ] {
            let addresses_max = 65_536;
            let limits = AddressLimits { requests: Some(limit), connections: None, addresses_max };
            let table = AddressTable::new(limits, clock.clone(), &counters);
            let mut next = 0_u32;
            report(name, || {
                // A walk that meets each address once before it meets one again.
                next = (next + 7919) % addresses;
                black_box(table.request(black_box(IpAddr::V4(next.into())))).unwrap();
            });
        }
    })
    .unwrap();
}

fn report(what: &str, mut one: impl FnMut()) {
    let mut run = |count: u64| (0..count).for_each(|_| one());
    run(100_000);
    let (start, spent, mut count) = (Instant::now(), cpu_ns(), 0);
    while start.elapsed() < LEAST {
        run(10_000);
        count += 10_000;
    }
    println!("{what:<32} {:>8} ns", (cpu_ns() - spent) / count);
}

/// Nanoseconds that this thread was on a core, so that busy neighbours do not count.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split_whitespace().next().unwrap().parse().unwrap()
}
