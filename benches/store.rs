//! What storage objects cost through the store: many callers at once on one shard, as requests are.
//!
//! `cargo bench --bench store [-- PART-OF-A-NAME]`. PostgreSQL's numbers come from a private cluster that
//! the bench starts, and its server processes share the machine; the CPU column is this process alone.

#[allow(dead_code, unused_imports)]
#[path = "../tests/store/support/mod.rs"]
mod support;

#[path = "asked/mod.rs"]
mod asked;

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use kakera::{
    ids::UserId,
    storage::{Authority, ObjectDraft, ObjectId, Storage},
    store::users,
};

use support::{Bench, new_id};

const LEAST: Duration = Duration::from_secs(2);
const CALLERS: usize = 64;

fn main() {
    Bench::run_sqlite(|bench| all("SQLite", bench));
    if wanted("PostgreSQL") {
        Bench::run_postgres(|bench| all("PostgreSQL", bench));
    }
}

async fn all(database: &str, bench: Bench) {
    let user = new_id();
    users::sign_in::create_with_device(&bench.store, user, "me", "device-0001").await.unwrap();
    let storage = Storage::new(bench.store.clone());
    let by = Authority::Player(user);
    for callers in [1, CALLERS, 512] {
        measure(
            &format!("{database}: write one object, {callers} callers"),
            callers,
            async |n, m| {
                let id = id(user, &format!("{n}"));
                storage.write(by, vec![draft(id, m)]).await.unwrap();
            },
        )
        .await;
    }
    measure(&format!("{database}: write ten objects, {CALLERS} callers"), CALLERS, async |n, m| {
        let batch = (0..10).map(|k| draft(id(user, &format!("{n} {k}")), m)).collect();
        storage.write(by, batch).await.unwrap();
    })
    .await;
    for callers in [1, CALLERS] {
        measure(
            &format!("{database}: read one object, {callers} callers"),
            callers,
            async |n, _| {
                let id = id(user, &format!("{}", n % callers));
                storage.read(by, vec![id]).await.unwrap();
            },
        )
        .await;
    }
    if let Some((counters, _)) = bench.database.writer_counters() {
        let (units, commits) = (counters.units.get(), counters.commits.get());
        let batch = units as f64 / commits.max(1) as f64;
        let micros = counters.commit_micros.get() as f64 / commits.max(1) as f64;
        println!("{database}: {batch:.1} units a commit, {micros:.0} µs in each commit");
    }
}

fn id(owner: UserId, key: &str) -> ObjectId {
    ObjectId { collection: "saves".into(), key: key.into(), owner }
}

fn draft(id: ObjectId, n: u64) -> ObjectDraft {
    let value = format!("{{\"level\":{n},\"name\":\"somebody\",\"items\":[1,2,3,4,5,6,7,8]}}");
    ObjectDraft { id, value, version: String::new(), read: None, write: None }
}

/// Whether this one is asked for: all are where no name is given.
fn wanted(what: &str) -> bool {
    let names = asked::words();
    names.is_empty() || names.iter().any(|name| what.contains(name.as_str()) || name.contains(what))
}

/// Every caller repeats the step until the time is over; `step` is told the caller and a number that is
/// new each time.
async fn measure(what: &str, callers: usize, step: impl AsyncFn(usize, u64)) {
    if !wanted(what) {
        return;
    }
    let (done, started, cpu) = (Cell::new(0_u64), Instant::now(), cpu_time());
    let (done, step) = (&done, &step);
    join_all((0..callers).map(|n| async move {
        while started.elapsed() < LEAST {
            done.set(done.get() + 1);
            step(n, done.get()).await;
        }
    }))
    .await;
    let (elapsed, cpu) =
        (started.elapsed().as_secs_f64(), cpu_time().saturating_sub(cpu).as_secs_f64());
    let done = done.get() as f64;
    println!("{what}: {:.0} a second, {:.0} a CPU-second", done / elapsed, done / cpu);
}

/// CPU time of all threads of this process.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
