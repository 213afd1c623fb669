//! What a request costs above its socket: nanoseconds of one core, from a whole request to a whole
//! response, over the embedded store. `cargo bench --bench request`.

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

async fn measure(what: &str, one: impl AsyncFn()) {
    for _ in 0..200 {
        one().await;
    }
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < LEAST {
        for _ in 0..50 {
            one().await;
        }
        count += 50;
    }
    print(what, start.elapsed(), count);
}

fn report(what: &str, run: impl Fn(u32)) {
    run(1000);
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < LEAST {
        run(1000);
        count += 1000;
    }
    print(what, start.elapsed(), count);
}

fn print(what: &str, elapsed: Duration, count: u32) {
    println!("{what:<32} {:>8} ns", elapsed.as_nanos() / u128::from(count));
}
