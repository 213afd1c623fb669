//! What players were told, listed and deleted.

use http::Method;
use kakera::notifications::{Notice, codes};
use serde_json::{Value, json};

use crate::{
    console::token,
    support::{Bench, json_in, run},
};

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
        assert_eq!(
            (json_in(&entry["content"]), &entry["persistent"]),
            (json!({"n": 1}), &json!(true))
        );
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

async fn send(bench: &Bench, admin: &str, body: Value) -> crate::support::Reply {
    bench.console(admin, Method::POST, CONSOLE).json(&body).await
}

const CONSOLE: &str = "/v2/console/notification";

#[test]
fn an_operator_tells_those_who_are_named_once_each() {
    run(async |bench| {
        let admin = token(&bench).await;
        let (one, two) = (bench.device("device-0001").await, bench.device("device-0002").await);
        let (me, other) = (bench.user_id(&one.session).await, bench.user_id(&two.session).await);
        let content = json!({"gold": 100, "half": 0.5, "list": [null, true, {"é": "\n"}]});
        let body = json!({"user_ids": [me.to_string(), me.to_string()], "subject": "a gift", "content": content,
            "code": 101, "persistent": true, "sender_id": other.to_string()});
        send(&bench, &admin, body).await.ok();
        let page = list(&bench, &one.session, "?limit=10").await;
        let told = page["notifications"].as_array().unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!((&told[0]["subject"], &told[0]["code"]), (&json!("a gift"), &json!(101)));
        assert_eq!(told[0]["sender_id"], other.to_string());
        let text = told[0]["content"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), content);
        assert!(
            text.contains("100") && !text.contains("100.0"),
            "whole numbers stay whole: {text}"
        );

        let body = json!({"user_ids": [me.to_string()], "subject": "now", "code": 102});
        send(&bench, &admin, body).await.ok();
        let delivered = bench.live.delivered.take();
        let users: Vec<_> = delivered.iter().map(|(user, _)| *user).collect();
        assert_eq!(users, [me, me]);
        assert!(list(&bench, &two.session, "").await.get("notifications").is_none());
        let page = list(&bench, &one.session, "?limit=10").await;
        assert_eq!(page["notifications"].as_array().unwrap().len(), 1, "the other is not kept");
    });
}

#[test]
fn an_operator_is_told_what_cannot_be_sent() {
    run(async |bench| {
        let admin = token(&bench).await;
        let user = bench.user_id(&bench.device("device-0001").await.session).await;
        let nobody = "00000000-0000-4000-8000-000000000001";
        for (body, status, code, why) in [
            (json!({"user_ids": ["x"]}), 500, 13, "failed to send notification, invalid user id"),
            (
                json!({"user_ids": [user.to_string()], "sender_id": "x"}),
                500,
                13,
                "failed to send notification, invalid sender id",
            ),
            (
                json!({"user_ids": ["00000000-0000-0000-0000-000000000000"]}),
                500,
                13,
                "failed to send notification, cannot send to system user",
            ),
            (
                json!({"user_ids": [nobody], "persistent": true}),
                404,
                5,
                "Notification recipient not found.",
            ),
            (
                json!({"user_ids": [user.to_string()], "subject": "x".repeat(256)}),
                400,
                3,
                "Notification subject must have 255 characters or less.",
            ),
            (
                json!({"user_ids": [user.to_string()], "code": 40_000, "persistent": true}),
                400,
                3,
                "Notification code is out of range.",
            ),
        ] {
            let reply = send(&bench, &admin, body).await;
            assert_eq!(reply.error(), (status, code, why.to_owned()));
        }
        assert!(bench.live.delivered.borrow().is_empty());
        let reply = bench.console("", Method::POST, CONSOLE).json(&json!({})).await;
        assert_eq!(reply.error().0, 401);
    });
}

#[test]
fn an_operator_tells_everybody() {
    run(async |bench| {
        let admin = token(&bench).await;
        let one = bench.device("device-0001").await;
        bench.device("device-0002").await;
        let body = json!({"subject": "maintenance", "code": 1, "persistent": true});
        send(&bench, &admin, body).await.ok();
        while bench.live.delivered.borrow().len() < 2 {
            kakera_shards::runtime::sleep(std::time::Duration::from_millis(5)).await;
        }
        let page = list(&bench, &one.session, "").await;
        assert_eq!(page["notifications"][0]["subject"], "maintenance");
        assert_eq!(page["notifications"][0]["content"], "{}");
        send(&bench, &admin, json!({"subject": "now", "code": 1})).await.ok();
        let delivered = bench.live.delivered.borrow();
        assert_eq!(delivered[2].0, kakera::ids::UserId::NIL, "one message for all who are online");
    });
}

#[test]
fn an_operator_pages_through_notifications_both_ways() {
    run(async |bench| {
        let admin = token(&bench).await;
        let mut users = Vec::new();
        for n in 0..3 {
            let session = bench.device(&format!("device-000{n}")).await.session;
            users.push(bench.user_id(&session).await);
        }
        users.sort_unstable();
        let to: Vec<_> = (0..9).map(|n| (users[n % 3], notice(n))).collect();
        bench.services.notifications.send(&to).await.unwrap();
        let page = async |query: &str| {
            let uri = format!("{CONSOLE}?{query}");
            bench.console(&admin, Method::GET, &uri).send().await.ok()
        };
        let subjects = |page: &Value| -> Vec<String> {
            let rows = page["notifications"].as_array().unwrap();
            rows.iter().map(|row| row["subject"].as_str().unwrap().to_owned()).collect()
        };
        let text = |page: &Value, name: &str| page[name].as_str().unwrap().to_owned();
        let names = |numbers: &[usize]| -> Vec<String> {
            numbers.iter().map(|n| format!("number {n}")).collect()
        };

        let first = page("limit=4").await;
        assert_eq!(subjects(&first), names(&[0, 3, 6, 1]), "by user, then by time");
        assert_eq!(text(&first, "prev_cursor"), "");
        let second = page(&format!("limit=4&cursor={}", text(&first, "next_cursor"))).await;
        assert_eq!(subjects(&second), names(&[4, 7, 2, 5]));
        let third = page(&format!("limit=4&cursor={}", text(&second, "next_cursor"))).await;
        assert_eq!((subjects(&third), text(&third, "next_cursor")), (names(&[8]), String::new()));
        let back = page(&format!("limit=4&cursor={}", text(&third, "prev_cursor"))).await;
        assert_eq!(subjects(&back), subjects(&second));
        let start = page(&format!("limit=4&cursor={}", text(&back, "prev_cursor"))).await;
        assert_eq!(subjects(&start), subjects(&first));
        assert_eq!(text(&start, "prev_cursor"), "");
        let again = page(&format!("limit=4&cursor={}", text(&start, "next_cursor"))).await;
        assert_eq!(subjects(&again), subjects(&second));

        let own = page(&format!("limit=2&user_id={}", users[1])).await;
        assert_eq!(subjects(&own), names(&[1, 4]));
        let cursor = text(&own, "next_cursor");
        let rest = page(&format!("limit=2&user_id={}&cursor={cursor}", users[1])).await;
        assert_eq!(subjects(&rest), names(&[7]));
        let row = &rest["notifications"][0];
        assert_eq!(row["user_id"], users[1].to_string());
        assert_eq!(row["sender_id"], kakera::ids::UserId::NIL.to_string());
        for query in
            ["limit=2&cursor=what".to_owned(), format!("user_id={}&cursor={cursor}", users[0])]
        {
            let uri = format!("{CONSOLE}?{query}");
            let reply = bench.console(&admin, Method::GET, &uri).send().await;
            assert_eq!(reply.error(), (400, 3, "Malformed cursor was used.".to_owned()));
        }
    });
}

#[test]
fn an_operator_shows_and_deletes_a_notification() {
    run(async |bench| {
        let admin = token(&bench).await;
        let session = bench.device("device-0001").await.session;
        let user = bench.user_id(&session).await;
        bench.services.notifications.send(&[(user, notice(1))]).await.unwrap();
        let kept = list(&bench, &session, "").await;
        let id = kept["notifications"][0]["id"].as_str().unwrap();
        let uri = format!("{CONSOLE}/{id}");
        let shown = bench.console(&admin, Method::GET, &uri).send().await.ok();
        assert_eq!(
            (&shown["subject"], &shown["user_id"]),
            (&json!("number 1"), &json!(user.to_string()))
        );
        bench.console(&admin, Method::DELETE, &uri).send().await.ok();
        let reply = bench.console(&admin, Method::GET, &uri).send().await;
        assert_eq!(reply.error(), (404, 5, "Notification not found.".to_owned()));
        assert!(list(&bench, &session, "").await.get("notifications").is_none());
    });
}
