//! Other people's accounts.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Bench, run};

async fn list(bench: &Bench, token: &str, query: &str) -> Vec<Value> {
    let reply = bench.player(token, Method::GET, &format!("/v2/user{query}")).send().await.ok();
    reply.get("users").map(|users| users.as_array().unwrap().clone()).unwrap_or_default()
}

#[test]
fn users_are_found_by_any_of_their_names_each_once() {
    run(async |bench| {
        let (one, two) = (bench.device("device-0001").await, bench.device("device-0002").await);
        let named = json!({"username": "second"});
        bench.player(&two.session, Method::PUT, "/v2/account").json(&named).await.ok();
        let (first, second) =
            (bench.user_id(&one.session).await, bench.user_id(&two.session).await);
        bench.live.online.borrow_mut().push(second);

        let unknown = "00000000-0000-4000-8000-000000000001";
        let query = format!(
            "?ids={first}&ids={second}&ids={unknown}&usernames=second&usernames=none&facebook_ids=x"
        );
        let found = list(&bench, &one.session, &query).await;
        assert_eq!(found.len(), 2);
        let of = |id: &str| found.iter().find(|user| user["id"] == id).unwrap().clone();
        assert_eq!(of(&second.to_string())["username"], "second");
        assert_eq!(of(&second.to_string())["online"], true);
        assert!(of(&first.to_string()).get("online").is_none());
        for private in ["email", "devices", "wallet", "custom_id"] {
            assert!(of(&first.to_string()).get(private).is_none());
        }
    });
}

#[test]
fn no_names_find_nobody_and_a_broken_id_is_refused() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        assert!(list(&bench, &tokens.session, "").await.is_empty());
        let reply = bench.player(&tokens.session, Method::GET, "/v2/user?ids=me").send().await;
        assert_eq!(reply.refused(400, 3), "ID 'me' is not a valid system ID.");
    });
}

#[test]
fn long_lists_are_found_too() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let user = bench.user_id(&tokens.session).await;
        let nobody: Vec<String> = (0..150).map(|n| format!("&usernames=nobody{n}")).collect();
        let query = format!("?ids={user}{}", nobody.concat());
        assert_eq!(list(&bench, &tokens.session, &query).await.len(), 1);
    });
}
