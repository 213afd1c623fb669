//! Friends, as clients ask for them.

use http::Method;
use kakera::ids::UserId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Bench, Reply, run};

const PATH: &str = "/v2/friend";

struct Player {
    token: String,
    id: UserId,
    username: String,
}

async fn player(bench: &Bench, name: &str) -> Player {
    let reply = bench
        .game(Method::POST, &format!("/v2/account/authenticate/device?username={name}"))
        .json(&json!({ "id": format!("device-of-{name}") }))
        .await;
    let token = reply.ok()["token"].as_str().unwrap().to_owned();
    let id = bench.user_id(&token).await;
    Player { token, id, username: name.to_owned() }
}

async fn ask(bench: &Bench, by: &Player, method: Method, rest: &str) -> Reply {
    bench.player(&by.token, method, &format!("{PATH}{rest}")).send().await
}

async fn add(bench: &Bench, by: &Player, whom: &Player) {
    ask(bench, by, Method::POST, &format!("?ids={}", whom.id)).await.ok();
}

async fn list(bench: &Bench, of: &Player, query: &str) -> Value {
    ask(bench, of, Method::GET, query).await.ok()
}

/// Usernames and states of a page.
fn friends(page: &Value) -> Vec<(String, i64)> {
    let friends = page["friends"].as_array().cloned().unwrap_or_default();
    let of = |friend: &Value| {
        let username = friend["user"]["username"].as_str().unwrap().to_owned();
        (username, friend["state"].as_i64().unwrap())
    };
    friends.iter().map(of).collect()
}

#[test]
fn a_friend_is_listed_as_clients_know_it() {
    run(async |bench| {
        let (ann, bob) = (player(&bench, "ann").await, player(&bench, "bob").await);
        bench.live.online.borrow_mut().push(bob.id);
        let query = format!("?usernames={}&metadata=%7B%22met%22%3A%22here%22%7D", bob.username);
        assert_eq!(ask(&bench, &ann, Method::POST, &query).await.ok(), json!({}));
        let page = list(&bench, &ann, "").await;
        let friend = &page["friends"][0];
        assert_eq!(friend["state"], 1);
        assert_eq!(friend["user"]["id"], bob.id.to_string());
        assert_eq!(friend["user"]["online"], true);
        assert!(friend["user"].get("edge_count").is_none(), "{friend}");
        let metadata: Value = serde_json::from_str(friend["metadata"].as_str().unwrap()).unwrap();
        assert_eq!(metadata, json!({ "met": "here" }));
        let time = friend["update_time"].as_str().unwrap();
        assert!(time.ends_with('Z') && !time.contains('.'), "whole seconds: {time}");
        assert!(page.get("cursor").is_none(), "{page}");

        add(&bench, &bob, &ann).await;
        let page = list(&bench, &bob, "").await;
        assert_eq!(page["friends"][0]["state"], 0, "a state of zero is there all the same");
        assert_eq!(friends(&page), [("ann".to_owned(), 0)]);
        assert_eq!(bench.account(&ann.token).await["user"]["edge_count"], 1);
        let told: Vec<_> = bench.live.delivered.borrow().iter().map(|(user, _)| *user).collect();
        assert_eq!(told, [bob.id, ann.id]);
    });
}

#[test]
fn blocking_and_deleting_answer_nothing_and_show_in_the_lists() {
    run(async |bench| {
        let (ann, bob) = (player(&bench, "ann").await, player(&bench, "bob").await);
        add(&bench, &ann, &bob).await;
        let query = format!("/block?usernames={}", bob.username);
        assert_eq!(ask(&bench, &ann, Method::POST, &query).await.ok(), json!({}));
        assert_eq!(friends(&list(&bench, &ann, "?state=3").await), [("bob".to_owned(), 3)]);
        assert_eq!(list(&bench, &bob, "").await, json!({}));
        let query = format!("?ids={}", bob.id);
        assert_eq!(ask(&bench, &ann, Method::DELETE, &query).await.ok(), json!({}));
        assert_eq!(list(&bench, &ann, "").await, json!({}));
        assert!(bench.account(&ann.token).await["user"].get("edge_count").is_none());
    });
}

#[test]
fn nobody_named_is_no_error_and_wrong_names_are() {
    run(async |bench| {
        let (ann, nobody) = (player(&bench, "ann").await, Uuid::new_v4());
        let calls = [
            (Method::POST, "", "Cannot add self as friend."),
            (Method::DELETE, "", "Cannot delete self."),
            (Method::POST, "/block", "Cannot block self."),
        ];
        for (method, path, oneself) in calls {
            let refused = async |query: String| {
                let reply = ask(&bench, &ann, method.clone(), &format!("{path}{query}")).await;
                reply.refused(400, 3)
            };
            assert_eq!(ask(&bench, &ann, method.clone(), path).await.ok(), json!({}));
            assert_eq!(refused(format!("?ids={nobody}&ids={}", ann.id)).await, oneself);
            assert_eq!(refused("?usernames=ann".to_owned()).await, oneself);
            assert_eq!(refused("?ids=what".to_owned()).await, "Invalid user ID 'what'.");
            let nil = UserId::NIL;
            assert_eq!(refused(format!("?ids={nil}")).await, format!("Invalid user ID '{nil}'."));
            assert_eq!(refused("?usernames=".to_owned()).await, "Username must not be empty.");
            let unknown = format!("{path}?ids={nobody}");
            assert_eq!(ask(&bench, &ann, method.clone(), &unknown).await.ok(), json!({}));
            let unknown = ask(&bench, &ann, method.clone(), &format!("{path}?usernames=who")).await;
            if method == Method::DELETE {
                assert_eq!(unknown.ok(), json!({}));
            } else {
                assert_eq!(unknown.refused(400, 3), "No valid ID or username was provided.");
            }
            let reply = bench.ask(method, &format!("{PATH}{path}?ids={nobody}")).send().await;
            assert_eq!(reply.refused(401, 16), "Auth token required");
        }
        let query = format!("?ids={nobody}&metadata=%5B%5D");
        let reply = ask(&bench, &ann, Method::POST, &query).await;
        assert_eq!(reply.refused(400, 3), "Friend metadata must be a JSON object.");
    });
}

#[test]
fn pages_have_cursors_and_bad_limits_states_and_cursors_are_refused() {
    run(async |bench| {
        let ann = player(&bench, "ann").await;
        for name in ["bob", "cat", "dan"] {
            add(&bench, &player(&bench, name).await, &ann).await;
        }
        let first = list(&bench, &ann, "?limit=2").await;
        let cursor = first["cursor"].as_str().unwrap();
        let second = list(&bench, &ann, &format!("?limit=2&state=2&cursor={cursor}")).await;
        assert!(second.get("cursor").is_none(), "{second}");
        let names: Vec<_> = [friends(&first), friends(&second)].concat();
        assert_eq!(names, ["bob", "cat", "dan"].map(|name| (name.to_owned(), 2)));

        let limit = "Invalid limit - limit must be between 1 and 1000.";
        let state = "Invalid state - state must be between 0 and 3.";
        let of_friends = "Invalid limit - limit must be between 1 and 100.";
        let refusals = [
            ("?limit=0".to_owned(), limit),
            ("?limit=1001".to_owned(), limit),
            ("?state=4".to_owned(), state),
            ("?state=-1".to_owned(), state),
            ("?cursor=what".to_owned(), "Cursor is invalid."),
            (format!("?state=0&cursor={cursor}"), "Cursor is invalid."),
            ("/friends?limit=0".to_owned(), of_friends),
            ("/friends?limit=101".to_owned(), of_friends),
            (format!("/friends?cursor={cursor}"), "Cursor is invalid."),
        ];
        for (query, why) in refusals {
            assert_eq!(ask(&bench, &ann, Method::GET, &query).await.refused(400, 3), why);
        }
    });
}

#[test]
fn friends_of_friends_name_their_referrer() {
    run(async |bench| {
        let ann = player(&bench, "ann").await;
        let (bob, cat) = (player(&bench, "bob").await, player(&bench, "cat").await);
        for (one, two) in [(&ann, &bob), (&bob, &cat)] {
            add(&bench, one, two).await;
            add(&bench, two, one).await;
        }
        let page = list(&bench, &ann, "/friends").await;
        let found = page["friends_of_friends"].as_array().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["referrer"], bob.id.to_string());
        assert_eq!(found[0]["user"]["username"], "cat");
        assert_eq!(list(&bench, &bob, "/friends").await, json!({}));
    });
}

#[test]
fn friends_of_other_platforms_are_not_imported() {
    run(async |bench| {
        let ann = player(&bench, "ann").await;
        for path in ["/facebook", "/steam"] {
            let reply = bench
                .player(&ann.token, Method::POST, &format!("{PATH}{path}"))
                .json(&json!({ "token": "a token" }))
                .await;
            reply.refused(501, 12);
        }
    });
}
