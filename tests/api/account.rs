//! One's own account.

use http::Method;
use kakera::accounts::live::Disconnect;
use serde_json::{Value, json};

use crate::support::{Bench, Reply, run};

async fn update(bench: &Bench, token: &str, body: Value) -> Reply {
    bench.player(token, Method::PUT, "/v2/account").json(&body).await
}

#[test]
fn an_account_shows_what_it_has_and_leaves_out_what_it_has_not() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let account = bench.account(&tokens.session).await;
        assert_eq!(account["devices"], json!([{"id": "device-0001"}]));
        assert_eq!(account["wallet"], "{}");
        let user = account["user"].as_object().unwrap();
        let mut fields: Vec<&str> = user.keys().map(String::as_str).collect();
        fields.sort_unstable();
        let expected = ["create_time", "id", "lang_tag", "metadata", "update_time", "username"];
        assert_eq!(fields, expected);
        assert_eq!(user["lang_tag"], "en");
        assert_eq!(user["metadata"], "{}");
        let created = user["create_time"].as_str().unwrap();
        assert!(created.len() == 20 && created.ends_with('Z'), "whole seconds: {created}");
        for absent in ["email", "custom_id", "verify_time", "disable_time"] {
            assert!(account.get(absent).is_none(), "{absent}");
        }
    });
}

#[test]
fn who_is_online_is_shown_so() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let user = bench.user_id(&tokens.session).await;
        bench.live.online.borrow_mut().push(user);
        assert_eq!(bench.account(&tokens.session).await["user"]["online"], true);
    });
}

#[test]
fn an_update_changes_what_it_names_and_an_empty_text_clears() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let all = json!({
            "username": "chosen", "display_name": "Dr. Chosen", "avatar_url": "http://example.com/a",
            "lang_tag": "de", "location": "Bern", "timezone": "Europe/Zurich",
        });
        assert_eq!(update(&bench, &tokens.session, all.clone()).await.ok(), json!({}));
        let user = bench.account(&tokens.session).await["user"].clone();
        for (field, value) in all.as_object().unwrap() {
            assert_eq!(&user[field], value);
        }
        let some = json!({"display_name": "", "langTag": "", "unknown_field": 1});
        update(&bench, &tokens.session, some).await.ok();
        let user = bench.account(&tokens.session).await["user"].clone();
        assert!(user.get("display_name").is_none());
        assert_eq!((&user["lang_tag"], &user["location"]), (&json!("en"), &json!("Bern")));
    });
}

#[test]
fn an_update_that_cannot_be_is_refused_and_changes_nothing() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let other = bench.device("device-0002").await;
        update(&bench, &other.session, json!({"username": "taken"})).await.ok();
        let conflict = json!({"username": "taken", "location": "Bern"});
        let reply = update(&bench, &tokens.session, conflict).await;
        assert_eq!(reply.refused(400, 3), "Username is already in use.");
        let reply = update(&bench, &tokens.session, json!({"username": ""})).await;
        assert_eq!(reply.refused(400, 3), "Username invalid, must be 1-128 bytes.");
        update(&bench, &tokens.session, json!({"username": "a\u{1}b"})).await.refused(400, 3);
        let reply = update(&bench, &tokens.session, json!({})).await;
        assert_eq!(reply.refused(400, 3), "No fields to update.");
        let long = json!({"display_name": "x".repeat(256)});
        update(&bench, &tokens.session, long).await.refused(400, 3);
        let user = bench.account(&tokens.session).await["user"].clone();
        assert!(user.get("location").is_none());
    });
}

#[test]
fn a_deleted_account_is_gone_and_its_device_starts_anew() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let user = bench.user_id(&tokens.session).await;
        let reply = bench.player(&tokens.session, Method::DELETE, "/v2/account").send().await;
        assert_eq!(reply.ok(), json!({}));
        assert_eq!(*bench.live.thrown_out.borrow(), [(user, Disconnect::Deleted)]);
        // The token may outlive the account within its second, the account does not.
        let reply = bench.player(&tokens.session, Method::GET, "/v2/account").send().await;
        assert!(matches!(reply.0.status.as_u16(), 401 | 404), "{reply:?}");
        let again = bench.device("device-0001").await;
        assert!(again.created);
        assert_ne!(bench.user_id(&again.session).await, user);
    });
}

#[test]
fn a_ban_throws_out_and_the_system_user_is_nobody_to_ban() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let user = bench.user_id(&tokens.session).await;
        bench.services.accounts.ban(vec![user]).await.unwrap();
        assert_eq!(*bench.live.thrown_out.borrow(), [(user, Disconnect::Banned)]);
        assert!(bench.services.accounts.ban(vec![kakera::ids::UserId::NIL]).await.is_err());
        assert!(bench.services.accounts.delete(kakera::ids::UserId::NIL, false).await.is_err());
    });
}
