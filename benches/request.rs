//! What a request costs above its socket: nanoseconds of CPU on one core, from a whole request to a whole
//! response, over the embedded store. `cargo bench --bench request [-- PART-OF-A-NAME]`.

#[allow(dead_code)]
#[path = "../tests/api/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use http::Method;
use kakera::auth::{Session, Tokens, token::Vars};
use serde_json::json;

use support::{Bench, run};

const LEAST: Duration = Duration::from_millis(800);

fn main() {
    tokens();
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

fn tokens() {
    let tokens = Tokens::new(("one", 60), ("two", 3600)).unwrap();
    let session = Session {
        user_id: kakera::ids::UserId::NIL,
        username: "somebody".into(),
        vars: Vars::new(),
        token_id: "7c9e6679-7425-40de-944b-e07fc1f90ae7".into(),
        expires_at: 0,
        issued_at: 1_700_000_000,
    };
    let pair = tokens.issue(session.clone(), 1_700_000_000).unwrap();
    report("issue both tokens", |n| {
        for _ in 0..n {
            std::hint::black_box(tokens.issue(session.clone(), 1_700_000_000)).unwrap();
        }
    });
    report("verify a session token", |n| {
        for _ in 0..n {
            std::hint::black_box(tokens.verify_session(&pair.session, 1_700_000_001)).unwrap();
        }
    });
}

/// Whether this one is asked for: all are where no name is given.
fn wanted(what: &str) -> bool {
    let mut names =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    names.peek().is_none() || names.any(|name| what.contains(&name))
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

fn report(what: &str, run: impl Fn(u32)) {
    if !wanted(what) {
        return;
    }
    run(1000);
    let (start, spent, mut count) = (Instant::now(), cpu_ns(), 0);
    while start.elapsed() < LEAST {
        run(1000);
        count += 1000;
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
