//! Signing in.

use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use crate::support::{Bench, Reply, Tokens, claims, run, run_with};

const DEVICE: &str = "/v2/account/authenticate/device";
const CUSTOM: &str = "/v2/account/authenticate/custom";
const EMAIL: &str = "/v2/account/authenticate/email";

async fn post(bench: &Bench, uri: &str, body: serde_json::Value) -> Reply {
    bench.game(Method::POST, uri).json(&body).await
}

#[test]
fn a_first_sign_in_creates_an_account_and_the_next_finds_it() {
    run(async |bench| {
        for (uri, id) in [(DEVICE, "device-0001"), (CUSTOM, "custom-0001")] {
            let first = Tokens::of(&post(&bench, uri, json!({"id": id})).await.ok());
            assert!(first.created);
            let again = post(&bench, uri, json!({"id": id})).await.ok();
            assert!(again.get("created").is_none(), "false is left out");
            let again = Tokens::of(&again);
            assert_eq!(bench.user_id(&first.session).await, bench.user_id(&again.session).await);
            let name = claims(&first.session)["usn"].as_str().unwrap().to_owned();
            assert!(name.len() == 10 && name.bytes().all(|byte| byte.is_ascii_alphabetic()));
        }
    });
}

#[test]
fn the_tokens_say_who_when_and_what_the_game_added() {
    run(async |bench| {
        let uri = format!("{DEVICE}?username=someone%20new");
        let body = json!({"id": "device-0001", "vars": {"region": "eu", "empty": ""}});
        let tokens = Tokens::of(&post(&bench, &uri, body).await.ok());
        let (session, refresh) = (claims(&tokens.session), claims(&tokens.refresh));
        assert_eq!(session["usn"], "someone new");
        assert_eq!(session["vrs"], json!({"region": "eu", "empty": ""}));
        assert_eq!(session["tid"], refresh["tid"]);
        let (issued, expires) =
            (session["iat"].as_i64().unwrap(), session["exp"].as_i64().unwrap());
        assert_eq!(expires - issued, 60);
        assert_eq!(refresh["exp"].as_i64().unwrap() - issued, 3600);
        assert_eq!(session["uid"], bench.account(&tokens.session).await["user"]["id"]);
        let plain = bench.device("device-0002").await;
        assert!(claims(&plain.session).get("vrs").is_none());
    });
}

#[test]
fn without_create_an_unknown_identifier_is_not_found() {
    run(async |bench| {
        let (device, custom) = (format!("{DEVICE}?create=false"), format!("{CUSTOM}?create=false"));
        let reply = post(&bench, &device, json!({"id": "device-0001"})).await;
        assert_eq!(reply.refused(404, 5), "User account not found.");
        post(&bench, &custom, json!({"id": "custom-0001"})).await.refused(404, 5);
        let email = format!("{EMAIL}?create=false");
        let body = json!({"email": "some@example.com", "password": "password"});
        post(&bench, &email, body).await.refused(404, 5);
        bench.device("device-0001").await;
        post(&bench, &device, json!({"id": "device-0001"})).await.ok();
    });
}

#[test]
fn identifiers_that_break_a_rule_are_refused_with_the_rule() {
    run(async |bench| {
        for (uri, body, sentence) in [
            (DEVICE, json!({}), "Device ID is required."),
            (DEVICE, json!({"id": "short"}), "Device ID invalid, must be 10-128 bytes."),
            (
                DEVICE,
                json!({"id": "with a space"}),
                "Device ID invalid, no spaces or control characters allowed.",
            ),
            (CUSTOM, json!({"id": ""}), "Custom ID is required."),
            (CUSTOM, json!({"id": "short"}), "Custom ID invalid, must be 6-128 bytes."),
            (
                EMAIL,
                json!({"email": "a@b.c", "password": "password"}),
                "Invalid email address, must be 10-255 bytes.",
            ),
            (
                EMAIL,
                json!({"email": "nobody.example.com", "password": "password"}),
                "Invalid email address format.",
            ),
            (
                EMAIL,
                json!({"email": "no body@example.com", "password": "password"}),
                "Invalid email address, no spaces or control characters allowed.",
            ),
            (
                EMAIL,
                json!({"email": "nobody@example.com", "password": "short"}),
                "Password must be at least 8 characters long.",
            ),
            (
                EMAIL,
                json!({"password": "password"}),
                "Username is required when email address is not supplied.",
            ),
        ] {
            assert_eq!(post(&bench, uri, body).await.refused(400, 3), sentence);
        }
        let long = format!("{DEVICE}?username={}", "x".repeat(129));
        let reply = post(&bench, &long, json!({"id": "device-0001"})).await;
        assert_eq!(reply.refused(400, 3), "Username invalid, must be 1-128 bytes.");
        let control = format!("{DEVICE}?username=a%09b");
        post(&bench, &control, json!({"id": "device-0001"})).await.refused(400, 3);
        let body = json!({"email": "nobody@example.com", "password": "x".repeat(73)});
        let sentence = post(&bench, EMAIL, body).await.refused(400, 3);
        assert!(sentence.contains("72"), "{sentence}");
    });
}

#[test]
fn a_username_of_somebody_else_conflicts_and_the_same_person_keeps_theirs() {
    run(async |bench| {
        let uri = format!("{DEVICE}?username=taken");
        post(&bench, &uri, json!({"id": "device-0001"})).await.ok();
        let reply = post(&bench, &uri, json!({"id": "device-0002"})).await;
        assert_eq!(reply.refused(409, 6), "Username is already in use.");
        let uri = format!("{CUSTOM}?username=taken");
        post(&bench, &uri, json!({"id": "custom-0001"})).await.refused(409, 6);
        let uri = format!("{DEVICE}?username=another");
        let again = Tokens::of(&post(&bench, &uri, json!({"id": "device-0001"})).await.ok());
        assert_eq!(claims(&again.session)["usn"], "taken");
    });
}

#[test]
fn parallel_first_sign_ins_by_one_device_all_get_the_one_account() {
    run(async |bench| {
        for uri in [DEVICE.to_owned(), format!("{DEVICE}?username=eager")] {
            let body = json!({"id": format!("device-000{}", uri.len())});
            let replies = join_all((0..16).map(|_| post(&bench, &uri, body.clone()))).await;
            let all: Vec<Tokens> = replies.iter().map(|reply| Tokens::of(&reply.ok())).collect();
            assert_eq!(all.iter().filter(|tokens| tokens.created).count(), 1);
            let users: std::collections::HashSet<_> =
                all.iter().map(|tokens| claims(&tokens.session)["uid"].to_string()).collect();
            assert_eq!(users.len(), 1);
        }
    });
}

#[test]
fn an_email_address_signs_in_whatever_its_case_and_only_with_its_password() {
    run(async |bench| {
        let uri = format!("{EMAIL}?username=mailer");
        let body = json!({"email": "Some.One@Example.com", "password": "password one"});
        let first = Tokens::of(&post(&bench, &uri, body).await.ok());
        assert!(first.created);
        assert_eq!(bench.account(&first.session).await["email"], "some.one@example.com");

        let body = json!({"email": "some.one@example.COM", "password": "password one"});
        let again = Tokens::of(&post(&bench, EMAIL, body).await.ok());
        assert_eq!(claims(&again.session)["usn"], "mailer");
        let body = json!({"email": "some.one@example.com", "password": "password two"});
        let reply = post(&bench, EMAIL, body).await;
        assert_eq!(reply.refused(401, 16), "Invalid credentials.");

        // By name, with the address left out.
        let by_name = json!({"password": "password one"});
        let named = Tokens::of(&post(&bench, &uri, by_name).await.ok());
        assert_eq!(claims(&named.session)["uid"], claims(&first.session)["uid"]);
        let wrong = post(&bench, &uri, json!({"password": "password two"})).await;
        wrong.refused(401, 16);
        let unknown = format!("{EMAIL}?username=nobody");
        post(&bench, &unknown, json!({"password": "password one"})).await.refused(404, 5);
        let device = format!("{DEVICE}?username=nopass");
        post(&bench, &device, json!({"id": "device-0001"})).await.ok();
        let without = format!("{EMAIL}?username=nopass");
        let reply = post(&bench, &without, json!({"password": "password one"})).await;
        assert_eq!(reply.refused(401, 16), "Invalid credentials.");
    });
}

#[test]
fn a_banned_account_cannot_sign_in_until_the_ban_is_lifted() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let user = bench.user_id(&tokens.session).await;
        bench.services.accounts.ban(vec![user]).await.unwrap();
        let reply = post(&bench, DEVICE, json!({"id": "device-0001"})).await;
        assert_eq!(reply.refused(403, 7), "User account banned.");
        bench.services.accounts.unban(&[user]).await.unwrap();
        assert!(!bench.device("device-0001").await.created);
    });
}

#[test]
fn the_server_key_is_asked_for() {
    run_with(
        |config| config.socket.server_key = "another key".into(),
        async |bench| {
            let body = json!({"id": "device-0001"});
            let none = bench.ask(Method::POST, DEVICE).json(&body).await;
            assert_eq!(none.refused(401, 16), "Server key required");
            assert_eq!(none.header("www-authenticate"), Some("Server key required"));
            let wrong = bench.game(Method::POST, DEVICE).json(&body).await;
            assert_eq!(wrong.refused(401, 16), "Server key invalid");
            let right = bench
                .ask(Method::POST, DEVICE)
                .header("authorization", &crate::support::basic("another key"))
                .json(&body)
                .await;
            assert_eq!(right.ok()["created"], true);
        },
    );
}
