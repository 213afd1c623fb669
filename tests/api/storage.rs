//! Storage objects over HTTP: requests, replies and refusals.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Bench, Reply, run};

const PATH: &str = "/v2/storage";

async fn write(bench: &Bench, token: &str, objects: Value) -> Reply {
    bench.player(token, Method::PUT, PATH).json(&json!({ "objects": objects })).await
}

async fn read(bench: &Bench, token: &str, ids: Value) -> Reply {
    bench.player(token, Method::POST, PATH).json(&json!({ "object_ids": ids })).await
}

async fn delete(bench: &Bench, token: &str, ids: Value) -> Reply {
    let uri = "/v2/storage/delete";
    bench.player(token, Method::PUT, uri).json(&json!({ "object_ids": ids })).await
}

async fn list(bench: &Bench, token: &str, query: &str) -> Reply {
    bench.player(token, Method::GET, &format!("{PATH}/{query}")).send().await
}

fn object(key: &str, value: &str) -> Value {
    json!({"collection": "saves", "key": key, "value": value})
}

#[test]
fn an_object_is_written_read_listed_and_deleted() {
    run(async |bench| {
        let token = bench.device("device-0001").await.session;
        let me = bench.user_id(&token).await.to_string();
        let acks = write(&bench, &token, json!([object("one", "{\"hp\": 7}")])).await.ok();
        let ack = &acks["acks"][0];
        assert_eq!((&ack["collection"], &ack["key"]), (&json!("saves"), &json!("one")));
        assert_eq!(
            (&ack["user_id"], &ack["version"]),
            (&json!(me), &json!(format!("{:x}", md5::compute("{\"hp\": 7}"))),)
        );
        assert!(ack["create_time"].is_string() && ack["update_time"].is_string());

        let name = json!({"collection": "saves", "key": "one", "user_id": me});
        let objects = read(&bench, &token, json!([name])).await.ok();
        let found = &objects["objects"][0];
        assert_eq!(found["version"], ack["version"]);
        assert_eq!((&found["permission_read"], &found["permission_write"]), (&json!(1), &json!(1)));
        let value: Value = serde_json::from_str(found["value"].as_str().unwrap()).unwrap();
        assert_eq!(value, json!({"hp": 7}));
        let time = found["create_time"].as_str().unwrap();
        assert!(time.ends_with('Z') && !time.contains('.'), "whole seconds: {time}");

        write(&bench, &token, json!([object("two", "{}")])).await.ok();
        let uri = format!("saves/{me}");
        let page = list(&bench, &token, &uri).await.ok();
        assert_eq!(page["objects"].as_array().unwrap().len(), 1, "one where no limit is given");
        let cursor = page["cursor"].as_str().unwrap();
        let rest = list(&bench, &token, &format!("{uri}?limit=100&cursor={cursor}")).await.ok();
        assert_eq!(rest["objects"][0]["key"], "two");
        assert!(rest.get("cursor").is_none());
        let by_query = list(&bench, &token, &format!("saves?user_id={me}&limit=5")).await.ok();
        assert_eq!(by_query["objects"].as_array().unwrap().len(), 2);
        assert_eq!(list(&bench, &token, "saves?limit=5").await.ok(), json!({}), "none is public");

        let gone = json!([{"collection": "saves", "key": "one", "version": ack["version"]}]);
        assert_eq!(delete(&bench, &token, gone.clone()).await.ok(), json!({}));
        let again = delete(&bench, &token, gone).await;
        assert_eq!(
            again.error(),
            (
                400,
                3,
                "Storage delete rejected - not found, version check failed, or permission denied."
                    .to_owned(),
            )
        );
        assert_eq!(read(&bench, &token, json!([name])).await.ok(), json!({}));
    });
}

#[test]
fn nobody_writes_or_deletes_for_another() {
    run(async |bench| {
        let mine = bench.device("device-0001").await.session;
        let theirs = bench.device("device-0002").await.session;
        let me = bench.user_id(&mine).await.to_string();
        let public = json!({
            "collection": "saves", "key": "one", "value": "{}", "permission_read": 2,
        });
        write(&bench, &mine, json!([public])).await.ok();
        // A request says nothing of the owner: it is who asks.
        let mut claimed = object("one", "{\"stolen\": true}");
        claimed["user_id"] = json!(me);
        let ack = write(&bench, &theirs, json!([claimed])).await.ok();
        assert_ne!(ack["acks"][0]["user_id"], json!(me));
        let name = json!([{"collection": "saves", "key": "one", "user_id": me}]);
        let seen = read(&bench, &theirs, name.clone()).await.ok();
        assert_eq!(seen["objects"][0]["value"], "{}");
        delete(&bench, &theirs, name.clone()).await.ok();
        assert!(read(&bench, &mine, name).await.ok()["objects"].is_array(), "theirs was deleted");
    });
}

#[test]
fn what_a_request_may_not_say_is_refused() {
    run(async |bench| {
        let token = bench.device("device-0001").await.session;
        let named = "Invalid collection or key value supplied. They must be set.";
        let value = "Value must be a JSON object.";
        for (bad, why) in [
            (json!({"key": "k", "value": "{}"}), named),
            (json!({"collection": "c", "value": "{}"}), named),
            (json!({"collection": "c", "key": "k"}), named),
            (json!({"collection": "c", "key": "k", "value": "[]"}), value),
            (json!({"collection": "c", "key": "k", "value": "{"}), value),
            (
                json!({"collection": "c", "key": "k", "value": "{}", "permission_read": 3}),
                "Invalid Read permission supplied. It must be either 0, 1 or 2.",
            ),
            (
                json!({"collection": "c", "key": "k", "value": "{}", "permission_write": 2}),
                "Invalid Write permission supplied. It must be either 0 or 1.",
            ),
        ] {
            let both = json!([object("good", "{}"), bad]);
            assert_eq!(
                write(&bench, &token, both).await.error(),
                (400, 3, why.to_owned()),
                "{bad}"
            );
        }
        let user = "Invalid user ID - make sure user ID is a valid UUID.";
        for (bad, why) in [
            (json!({"key": "k"}), named),
            (json!({"collection": "c"}), named),
            (json!({"collection": "c", "key": "k", "user_id": "x"}), user),
            (
                json!({
                    "collection": "c", "key": "k",
                    "user_id": "00000000-0000-0000-0000-000000000000",
                }),
                user,
            ),
        ] {
            let refused = read(&bench, &token, json!([bad])).await;
            assert_eq!(refused.error(), (400, 3, why.to_owned()), "{bad}");
        }
        let refused = delete(&bench, &token, json!([{"key": "k"}])).await;
        assert_eq!(refused.error(), (400, 3, named.to_owned()));
        for (query, why) in [
            ("c?limit=0", "Invalid limit - limit must be between 1 and 100."),
            ("c?limit=101", "Invalid limit - limit must be between 1 and 100."),
            ("c?cursor=x", "Malformed cursor was used."),
            ("c/nobody", user),
        ] {
            assert_eq!(list(&bench, &token, query).await.error(), (400, 3, why.to_owned()));
        }
        assert_eq!(write(&bench, &token, json!([])).await.ok(), json!({}));
        assert_eq!(read(&bench, &token, json!([])).await.ok(), json!({}));
        assert_eq!(delete(&bench, &token, json!([])).await.ok(), json!({}));
    });
}

#[test]
fn versions_decide_between_two_who_write() {
    run(async |bench| {
        let token = bench.device("device-0001").await.session;
        let mut new = object("one", "{\"n\": 1}");
        new["version"] = json!("*");
        let version = write(&bench, &token, json!([new])).await.ok()["acks"][0]["version"].clone();
        let why = "Storage write rejected - version check failed.".to_owned();
        assert_eq!(write(&bench, &token, json!([new])).await.error(), (400, 3, why.clone()));
        let mut next = object("one", "{\"n\": 2}");
        next["version"] = version;
        write(&bench, &token, json!([next])).await.ok();
        assert_eq!(write(&bench, &token, json!([next])).await.error(), (400, 3, why));
    });
}
