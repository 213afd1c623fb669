//! Keeping a session alive, and ending it.

use std::time::Duration;

use http::Method;
use kakera_shards::{Clock, runtime::sleep};
use serde_json::{Value, json};

use crate::support::{Bench, Reply, Tokens, claims, run, run_with};

const REFRESH: &str = "/v2/account/session/refresh";
const LOGOUT: &str = "/v2/session/logout";

async fn refresh(bench: &Bench, body: Value) -> Reply {
    bench.game(Method::POST, REFRESH).json(&body).await
}

async fn logout(bench: &Bench, token: &str, body: Value) -> Reply {
    bench.player(token, Method::POST, LOGOUT).json(&body).await
}

async fn works(bench: &Bench, token: &str) -> bool {
    let reply = bench.player(token, Method::GET, "/v2/account").send().await;
    reply.0.status.is_success() || {
        assert_eq!(reply.refused(401, 16), "Auth token invalid");
        false
    }
}

/// What ends everything spares what was issued in the same second.
async fn next_second() {
    let left = 1_000_000 - Clock::system().unix_micros() % 1_000_000;
    sleep(Duration::from_micros(left as u64 + 1000)).await;
}

#[test]
fn a_refresh_keeps_id_and_issue_time_and_replaces_variables_only_when_given() {
    run(async |bench| {
        let body = json!({"id": "device-0001", "vars": {"a": "1"}});
        let uri = "/v2/account/authenticate/device";
        let first = Tokens::of(&bench.game(Method::POST, uri).json(&body).await.ok());
        next_second().await;
        let kept = refresh(&bench, json!({"token": first.refresh})).await.ok();
        assert!(kept.get("created").is_none());
        let kept = Tokens::of(&kept);
        let (before, after) = (claims(&first.session), claims(&kept.session));
        assert_eq!((&before["tid"], &before["iat"]), (&after["tid"], &after["iat"]));
        assert!(after["exp"].as_i64() > before["exp"].as_i64());
        assert_eq!(after["vrs"], json!({"a": "1"}));
        let given = json!({"token": kept.refresh, "vars": {"b": "2"}});
        let replaced = Tokens::of(&refresh(&bench, given).await.ok());
        assert_eq!(claims(&replaced.session)["vrs"], json!({"b": "2"}));
        assert!(works(&bench, &replaced.session).await);
        assert!(
            refresh(&bench, json!({"token": first.refresh})).await.ok().is_object(),
            "reusable"
        );
    });
}

#[test]
fn a_refresh_takes_the_present_name() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let change = json!({"username": "renamed"});
        bench.player(&tokens.session, Method::PUT, "/v2/account").json(&change).await.ok();
        let fresh = Tokens::of(&refresh(&bench, json!({"token": tokens.refresh})).await.ok());
        assert_eq!(claims(&fresh.session)["usn"], "renamed");
    });
}

#[test]
fn a_refresh_wants_a_valid_refresh_token_of_a_living_account() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let empty = refresh(&bench, json!({})).await;
        assert_eq!(empty.refused(400, 3), "Refresh token is required.");
        for wrong in [tokens.session.as_str(), "nonsense"] {
            let reply = refresh(&bench, json!({"token": wrong})).await;
            assert_eq!(reply.refused(401, 16), "Refresh token invalid or expired.");
        }
        let banned = bench.device("device-0002").await;
        let user = bench.user_id(&banned.session).await;
        bench.services.accounts.ban(vec![user]).await.unwrap();
        let fate = refresh(&bench, json!({"token": banned.refresh})).await;
        assert_eq!(fate.refused(403, 7), "User account banned.");
        bench.player(&tokens.session, Method::DELETE, "/v2/account").send().await.ok();
        let gone = refresh(&bench, json!({"token": tokens.refresh})).await;
        assert_eq!(gone.refused(404, 5), "User account not found.");
    });
}

#[test]
fn logging_out_ends_the_tokens_that_are_named() {
    run(async |bench| {
        let (one, two) = (bench.device("device-0001").await, bench.device("device-0001").await);
        logout(&bench, &one.session, json!({"token": one.session})).await.ok();
        assert!(!works(&bench, &one.session).await);
        assert!(works(&bench, &two.session).await);
        let fresh = Tokens::of(&refresh(&bench, json!({"token": one.refresh})).await.ok());
        assert!(!works(&bench, &fresh.session).await, "it has the id of the one that was ended");
        logout(&bench, &two.session, json!({"refresh_token": one.refresh})).await.ok();
        refresh(&bench, json!({"token": one.refresh})).await.refused(401, 16);
        refresh(&bench, json!({"token": two.refresh})).await.ok();
    });
}

#[test]
fn logging_out_without_tokens_ends_everything_from_before_this_second() {
    run(async |bench| {
        let (one, other) = (bench.device("device-0001").await, bench.device("device-0002").await);
        next_second().await;
        let survivor = bench.device("device-0001").await;
        logout(&bench, &one.session, json!({})).await.ok();
        assert!(!works(&bench, &one.session).await);
        refresh(&bench, json!({"token": one.refresh})).await.refused(401, 16);
        assert!(works(&bench, &survivor.session).await);
        assert!(works(&bench, &other.session).await);
    });
}

#[test]
fn a_logout_names_only_ones_own_valid_tokens() {
    run(async |bench| {
        let (one, other) = (bench.device("device-0001").await, bench.device("device-0002").await);
        let reply = logout(&bench, &one.session, json!({"token": other.session})).await;
        assert_eq!(reply.refused(400, 3), "Session token invalid.");
        let reply = logout(&bench, &one.session, json!({"refresh_token": other.refresh})).await;
        assert_eq!(reply.refused(400, 3), "Refresh token invalid.");
        let reply = logout(&bench, &one.session, json!({"token": one.refresh})).await;
        assert_eq!(reply.refused(400, 3), "Session token invalid.");
        assert!(works(&bench, &one.session).await && works(&bench, &other.session).await);
    });
}

#[test]
fn with_single_session_a_sign_in_ends_what_was_before() {
    run_with(
        |config| config.session.single_session = true,
        async |bench| {
            let first = bench.device("device-0001").await;
            next_second().await;
            let second = bench.device("device-0001").await;
            assert!(!works(&bench, &first.session).await);
            assert!(works(&bench, &second.session).await);
        },
    );
}
