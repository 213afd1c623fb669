//! What players were told, listed and deleted.

use http::Method;
use kakera::notifications::{Notice, codes};
use serde_json::{Value, json};

use crate::support::{Bench, run};

const PATH: &str = "/v2/notification";

async fn list(bench: &Bench, token: &str, query: &str) -> Value {
    bench.player(token, Method::GET, &format!("{PATH}{query}")).send().await.ok()
}

fn notice(n: usize) -> Notice {
    Notice::stored(codes::GROUP_ADD, format!("number {n}"), &json!({ "n": n }), None).unwrap()
}

#[test]
fn a_page_has_one_entry_by_default_and_a_cursor_always() {
    run(async |bench| {
        let token = bench.device("device-0001").await.session;
        let me = bench.user_id(&token).await;
        let empty = list(&bench, &token, "").await;
        assert!(empty.get("notifications").is_none(), "{empty}");
        assert!(!empty["cacheable_cursor"].as_str().unwrap().is_empty());

        let to = [(me, notice(1)), (me, notice(2)), (me, notice(3))];
        bench.services.notifications.send(&to).await.unwrap();
        let one = list(&bench, &token, "").await;
        let entries = one["notifications"].as_array().unwrap();
        assert_eq!(entries.len(), 1);
        let entry = &entries[0];
        assert_eq!((&entry["subject"], &entry["code"]), (&json!("number 1"), &json!(-4)));
        assert_eq!((&entry["content"], &entry["persistent"]), (&json!(r#"{"n":1}"#), &json!(true)));
        assert!(entry.get("sender_id").is_none(), "the server is nobody");
        let time = entry["create_time"].as_str().unwrap();
        assert!(time.ends_with('Z') && !time.contains('.'), "whole seconds: {time}");

        let cursor = one["cacheable_cursor"].as_str().unwrap();
        let rest = list(&bench, &token, &format!("?limit=100&cacheable_cursor={cursor}")).await;
        let subjects: Vec<_> =
            rest["notifications"].as_array().unwrap().iter().map(|n| &n["subject"]).collect();
        assert_eq!(subjects, ["number 2", "number 3"]);
        let cursor = rest["cacheable_cursor"].as_str().unwrap();
        let none = list(&bench, &token, &format!("?limit=100&cacheable_cursor={cursor}")).await;
        assert_eq!(none, json!({ "cacheable_cursor": cursor }));
    });
}

#[test]
fn bad_limits_cursors_and_ids_are_refused() {
    run(async |bench| {
        let token = bench.device("device-0001").await.session;
        let ask = async |method, query: &str| {
            bench.player(&token, method, &format!("{PATH}{query}")).send().await
        };
        for limit in ["0", "101", "-1"] {
            let reply = ask(Method::GET, &format!("?limit={limit}")).await;
            let why = "Invalid limit - limit must be between 1 and 100.";
            assert_eq!(reply.refused(400, 3), why);
        }
        let reply = ask(Method::GET, "?cacheable_cursor=what").await;
        assert_eq!(reply.refused(500, 13), "Error retrieving notifications.");
        let reply = ask(Method::DELETE, "?ids=what").await;
        assert_eq!(reply.refused(500, 13), "Error while deleting notifications.");
        assert_eq!(ask(Method::DELETE, "").await.ok(), json!({}));
        let reply = bench.ask(Method::GET, PATH).send().await;
        assert_eq!(reply.refused(401, 16), "Auth token required");
    });
}

#[test]
fn what_was_deleted_is_gone_and_others_keep_theirs() {
    run(async |bench| {
        let (one, two) = (bench.device("device-0001").await, bench.device("device-0002").await);
        let (me, other) = (bench.user_id(&one.session).await, bench.user_id(&two.session).await);
        let to = [(me, notice(1)), (me, notice(2)), (other, notice(3))];
        bench.services.notifications.send(&to).await.unwrap();
        let id_of = async |token: &str| {
            let page = list(&bench, token, "").await;
            page["notifications"][0]["id"].as_str().unwrap().to_owned()
        };
        let (mine, others) = (id_of(&one.session).await, id_of(&two.session).await);
        let uri = format!("{PATH}?ids={mine}&ids={others}");
        bench.player(&one.session, Method::DELETE, &uri).send().await.ok();
        let left = list(&bench, &one.session, "?limit=10").await;
        assert_eq!(left["notifications"].as_array().unwrap().len(), 1);
        assert_eq!(left["notifications"][0]["subject"], "number 2");
        assert_eq!(id_of(&two.session).await, others);
    });
}
