//! What a request costs above its socket: nanoseconds of CPU on one core, from a whole request to a whole
//! response, over the embedded store. `cargo bench --bench request [-- PART-OF-A-NAME]`.

#[allow(dead_code)]
#[path = "../tests/api/support/mod.rs"]
mod support;

#[path = "asked/mod.rs"]
mod asked;

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;

use support::{Bench, run};

const LEAST: Duration = Duration::from_millis(800);

fn main() {
    run(async |bench| {
        let who = bench.device("device-0001").await;
        let uri = "/v2/account/authenticate/device?create=true";
        let body = json!({"id": "device-0001"}).to_string();
        measure("healthcheck", async || {
            bench.ask(Method::GET, "/healthcheck").send().await;
        })
        .await;
        measure("device sign-in, existing user", async || {
            bench.game(Method::POST, uri).body(body.clone()).send().await;
        })
        .await;
        measure("own account", async || {
            bench.player(&who.session, Method::GET, "/v2/account").send().await;
        })
        .await;
        measure("a users look-up of one", async || {
            users(&bench, &who.session).await;
        })
        .await;
    });
}

async fn users(bench: &Bench, token: &str) {
    bench.player(token, Method::GET, "/v2/user?usernames=nobody").send().await;
}

/// Whether this one is asked for: all are where no name is given.
fn wanted(what: &str) -> bool {
    let names = asked::words();
    names.is_empty() || names.iter().any(|name| what.contains(name.as_str()))
}

async fn measure(what: &str, one: impl AsyncFn()) {
    if !wanted(what) {
        return;
    }
    for _ in 0..200 {
        one().await;
    }
    let (start, spent, mut count) = (Instant::now(), cpu_ns(), 0);
    while start.elapsed() < LEAST {
        for _ in 0..50 {
            one().await;
        }
        count += 50;
    }
    print(what, cpu_ns() - spent, count);
}

/// Nanoseconds that this thread was on a core, so that busy neighbours do not count.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split_whitespace().next().unwrap().parse().unwrap()
}

fn print(what: &str, spent_ns: u64, count: u64) {
    println!("{what:<32} {:>8} ns", spent_ns / count);
}
