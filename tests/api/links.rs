//! Linking and unlinking.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Bench, Reply, Tokens, run};

const LAST: &str =
    "Cannot unlink last account identifier. Check profile exists and is not last link.";

async fn link(bench: &Bench, who: &Tokens, what: &str, body: Value) -> Reply {
    let uri = format!("/v2/account/link/{what}");
    bench.player(&who.session, Method::POST, &uri).json(&body).await
}

async fn unlink(bench: &Bench, who: &Tokens, what: &str, body: Value) -> Reply {
    let uri = format!("/v2/account/unlink/{what}");
    bench.player(&who.session, Method::POST, &uri).json(&body).await
}

#[test]
fn everything_that_is_linked_signs_in_to_the_same_account() {
    run(async |bench| {
        let who = bench.device("device-0001").await;
        let user = bench.user_id(&who.session).await;
        link(&bench, &who, "device", json!({"id": "device-0002"})).await.ok();
        link(&bench, &who, "device", json!({"id": "device-0002"})).await.ok();
        link(&bench, &who, "custom", json!({"id": "custom-0001"})).await.ok();
        let email = json!({"email": "Some@Example.com", "password": "password one"});
        link(&bench, &who, "email", email.clone()).await.ok();

        assert_eq!(bench.user_id(&bench.device("device-0002").await.session).await, user);
        for (kind, body) in [("custom", json!({"id": "custom-0001"})), ("email", email)] {
            let uri = format!("/v2/account/authenticate/{kind}");
            let tokens = Tokens::of(&bench.game(Method::POST, &uri).json(&body).await.ok());
            assert!(!tokens.created);
            assert_eq!(bench.user_id(&tokens.session).await, user);
        }
        let account = bench.account(&who.session).await;
        assert_eq!(account["custom_id"], "custom-0001");
        assert_eq!(account["email"], "some@example.com");
        assert_eq!(account["devices"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn what_another_account_has_cannot_be_linked() {
    run(async |bench| {
        let (one, two) = (bench.device("device-0001").await, bench.device("device-0002").await);
        let email = json!({"email": "some@example.com", "password": "password one"});
        link(&bench, &one, "custom", json!({"id": "custom-0001"})).await.ok();
        link(&bench, &one, "email", email.clone()).await.ok();
        let reply = link(&bench, &two, "device", json!({"id": "device-0001"})).await;
        assert_eq!(reply.refused(409, 6), "Device ID already in use.");
        let reply = link(&bench, &two, "custom", json!({"id": "custom-0001"})).await;
        assert_eq!(reply.refused(409, 6), "Custom ID is already in use.");
        let reply = link(&bench, &two, "email", email).await;
        assert_eq!(reply.refused(409, 6), "Email is already in use.");
    });
}

#[test]
fn links_keep_the_rules_of_their_kind() {
    run(async |bench| {
        let who = bench.device("device-0001").await;
        for (kind, body) in [
            ("device", json!({})),
            ("device", json!({"id": "short"})),
            ("custom", json!({"id": "short"})),
            ("email", json!({"email": "some@example.com"})),
            ("email", json!({"email": "some@example.com", "password": "short"})),
            ("email", json!({"email": "nowhere at all", "password": "password one"})),
        ] {
            link(&bench, &who, kind, body).await.refused(400, 3);
        }
        let reply = unlink(&bench, &who, "device", json!({})).await;
        assert_eq!(reply.refused(400, 3), "A device ID must be supplied.");
    });
}

#[test]
fn the_last_link_and_foreign_ones_stay() {
    run(async |bench| {
        let (one, two) = (bench.device("device-0001").await, bench.device("device-0002").await);
        let reply = unlink(&bench, &one, "device", json!({"id": "device-0001"})).await;
        assert_eq!(reply.refused(403, 7), LAST);
        link(&bench, &one, "custom", json!({"id": "custom-0001"})).await.ok();
        for (kind, body) in [
            ("device", json!({"id": "device-0002"})),
            ("custom", json!({"id": "custom-0002"})),
            ("email", json!({"email": "some@example.com"})),
        ] {
            assert_eq!(unlink(&bench, &one, kind, body).await.refused(403, 7), LAST, "{kind}");
        }
        unlink(&bench, &one, "device", json!({"id": "device-0001"})).await.ok();
        assert_eq!(unlink(&bench, &one, "custom", json!({})).await.refused(403, 7), LAST);
        assert!(bench.account(&two.session).await["devices"].is_array());
    });
}

#[test]
fn unlinking_without_a_name_takes_whichever_there_is_and_the_password_with_the_address() {
    run(async |bench| {
        let who = bench.device("device-0001").await;
        let email = json!({"email": "some@example.com", "password": "password one"});
        link(&bench, &who, "email", email.clone()).await.ok();
        link(&bench, &who, "custom", json!({"id": "custom-0001"})).await.ok();
        unlink(&bench, &who, "custom", json!({})).await.ok();
        unlink(&bench, &who, "email", json!({})).await.ok();
        let account = bench.account(&who.session).await;
        assert!(account.get("email").is_none() && account.get("custom_id").is_none());
        let username = account["user"]["username"].as_str().unwrap();
        let uri = format!("/v2/account/authenticate/email?username={username}");
        let body = json!({"password": "password one"});
        bench.game(Method::POST, &uri).json(&body).await.refused(401, 16);
    });
}

#[test]
fn ids_of_third_parties_are_unlinked_without_asking_them() {
    run(async |bench| {
        let who = bench.device("device-0001").await;
        for (kind, shown) in [
            ("apple", json!({"token": "x"})),
            ("facebook", json!({"token": "x"})),
            ("facebookinstantgame", json!({"signed_player_info": "x"})),
            ("gamecenter", json!({"player_id": "x"})),
            ("google", json!({"token": "x"})),
            ("steam", json!({"token": "x"})),
        ] {
            // The device is left to sign in with.
            assert_eq!(unlink(&bench, &who, kind, json!({})).await.ok(), json!({}), "{kind}");
            assert_eq!(unlink(&bench, &who, kind, shown).await.error().1, 12, "{kind}");
        }
    });
}

#[test]
fn an_event_is_accepted_from_players_only() {
    run(async |bench| {
        let who = bench.device("device-0001").await;
        let event = json!({"name": "level", "properties": {"n": "3"}, "external": true});
        let sent = bench.player(&who.session, Method::POST, "/v2/event").json(&event).await;
        assert_eq!(sent.ok(), json!({}));
        assert_eq!(bench.ask(Method::POST, "/v2/event").json(&event).await.error().0, 401);
    });
}
