//! Groups, as clients ask for them.

use http::Method;
use kakera::ids::UserId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Bench, Reply, channels::Sent, run};

const PATH: &str = "/v2/group";

struct Player {
    token: String,
    id: UserId,
}

async fn player(bench: &Bench, name: &str) -> Player {
    let reply = bench
        .game(Method::POST, &format!("/v2/account/authenticate/device?username={name}"))
        .json(&json!({ "id": format!("device-of-{name}") }))
        .await;
    let token = reply.ok()["token"].as_str().unwrap().to_owned();
    let id = bench.user_id(&token).await;
    Player { token, id }
}

async fn ask(bench: &Bench, by: &Player, method: Method, rest: &str) -> Reply {
    bench.player(&by.token, method, &format!("{PATH}{rest}")).send().await
}

async fn tell(bench: &Bench, by: &Player, method: Method, rest: &str, body: Value) -> Reply {
    bench.player(&by.token, method, &format!("{PATH}{rest}")).json(&body).await
}

/// Founds an open group and yields its id.
async fn found(bench: &Bench, by: &Player, name: &str, open: bool) -> String {
    let body = json!({ "name": name, "open": open });
    let group = tell(bench, by, Method::POST, "", body).await.ok();
    group["id"].as_str().unwrap().to_owned()
}

/// Usernames and states of a group's users.
async fn users(bench: &Bench, by: &Player, group: &str, query: &str) -> Vec<(String, i64)> {
    let page = ask(bench, by, Method::GET, &format!("/{group}/user{query}")).await.ok();
    let users = page["group_users"].as_array().cloned().unwrap_or_default();
    let of = |user: &Value| {
        let username = user["user"]["username"].as_str().unwrap().to_owned();
        (username, user["state"].as_i64().unwrap())
    };
    users.iter().map(of).collect()
}

fn pairs(of: &[(&str, i64)]) -> Vec<(String, i64)> {
    of.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect()
}

#[test]
fn a_group_is_founded_and_shown_as_clients_know_it() {
    run(async |bench| {
        let ann = player(&bench, "ann").await;
        let body = json!({
            "name": "readers", "description": "we read", "avatar_url": "http://a/b.png",
            "lang_tag": "fr", "open": true, "max_count": 7,
        });
        let group = tell(&bench, &ann, Method::POST, "", body.clone()).await.ok();
        for field in ["name", "description", "avatar_url", "lang_tag", "open", "max_count"] {
            assert_eq!(group[field], body[field], "{field}");
        }
        assert_eq!((&group["edge_count"], &group["metadata"]), (&json!(1), &json!("{}")));
        assert_eq!(group["creator_id"], ann.id.to_string());
        let time = group["create_time"].as_str().unwrap();
        assert!(time.ends_with('Z') && !time.contains('.'), "whole seconds: {time}");

        let listed = ask(&bench, &ann, Method::GET, "?name=READ%25").await.ok();
        assert_eq!(listed, json!({ "groups": [group] }));
        let mine = bench.player(&ann.token, Method::GET, &format!("/v2/user/{}/group", ann.id));
        let mine = mine.send().await.ok();
        assert_eq!(mine, json!({ "user_groups": [{ "group": group, "state": 0 }] }));

        let closed = tell(&bench, &ann, Method::POST, "", json!({ "name": "closed" })).await.ok();
        assert_eq!((&closed["open"], &closed["max_count"]), (&json!(false), &json!(100)));
        assert_eq!(closed["lang_tag"], "en");
        let refusals = [
            (json!({}), 400, 3, "Group name must be set."),
            (
                json!({ "name": "x", "max_count": -1 }),
                400,
                3,
                "Group max count must be >= 1 when set.",
            ),
            (json!({ "name": "readers" }), 409, 6, "Group name is in use."),
        ];
        for (body, status, code, why) in refusals {
            let reply = tell(&bench, &ann, Method::POST, "", body).await;
            assert_eq!(reply.refused(status, code), why);
        }
    });
}

#[test]
fn an_update_takes_what_is_named_and_says_what_is_wrong() {
    run(async |bench| {
        let (ann, bob) = (player(&bench, "ann").await, player(&bench, "bob").await);
        let group = found(&bench, &ann, "readers", true).await;
        found(&bench, &bob, "writers", true).await;
        let path = format!("/{group}");
        let change = json!({ "name": "singers", "description": "la", "open": false });
        assert_eq!(tell(&bench, &ann, Method::PUT, &path, change).await.ok(), json!({}));
        let look = async || {
            let page = ask(&bench, &ann, Method::GET, "?name=singers").await.ok();
            page["groups"][0].clone()
        };
        let seen = look().await;
        assert_eq!((&seen["open"], &seen["description"]), (&json!(false), &json!("la")));
        let cleared = json!({ "description": "" });
        tell(&bench, &ann, Method::PUT, &path, cleared).await.ok();
        let seen = look().await;
        assert!(seen.get("description").is_none() && seen["open"] == false, "{seen}");

        let refused = async |by: &Player, path: &str, body: Value| {
            let reply = tell(&bench, by, Method::PUT, path, body).await.body();
            (reply["code"].as_i64().unwrap(), reply["message"].as_str().unwrap().to_owned())
        };
        let empty = |what: &str| (3, what.to_owned());
        let named = json!({ "name": "writers" });
        assert_eq!(refused(&ann, &path, named.clone()).await, empty("Group name is in use."));
        assert_eq!(
            refused(&ann, &path, json!({})).await,
            empty("Specify at least one field to update.")
        );
        let no_name = refused(&ann, &path, json!({ "name": "" })).await;
        assert_eq!(no_name, empty("Group name cannot be empty."));
        let no_language = refused(&ann, &path, json!({ "lang_tag": "" })).await;
        assert_eq!(no_language, empty("Group language cannot be empty."));
        assert_eq!(
            refused(&ann, "/what", named.clone()).await,
            empty("Group ID must be a valid ID.")
        );
        let denied = (5, "Group not found or you're not allowed to update.".to_owned());
        assert_eq!(refused(&bob, &path, named.clone()).await, denied);
        assert_eq!(refused(&bob, &format!("/{}", Uuid::new_v4()), named).await, denied);
    });
}

#[test]
fn members_come_are_led_and_go() {
    run(async |bench| {
        let ann = player(&bench, "ann").await;
        let (bob, cat) = (player(&bench, "bob").await, player(&bench, "cat").await);
        let group = found(&bench, &ann, "club", true).await;
        let ok = async |by: &Player, call: &str, whom: &[&Player]| {
            let ids: Vec<_> = whom.iter().map(|who| format!("user_ids={}", who.id)).collect();
            let rest = format!("/{group}/{call}?{}", ids.join("&"));
            assert_eq!(ask(&bench, by, Method::POST, &rest).await.ok(), json!({}), "{call}");
        };
        ok(&bob, "join", &[]).await;
        ok(&ann, "add", &[&cat]).await;
        assert_eq!(
            users(&bench, &bob, &group, "").await,
            pairs(&[("ann", 0), ("bob", 2), ("cat", 2)])
        );
        ok(&ann, "promote", &[&bob]).await;
        ok(&bob, "promote", &[&cat]).await;
        ok(&ann, "demote", &[&cat]).await;
        assert_eq!(
            users(&bench, &ann, &group, "").await,
            pairs(&[("ann", 0), ("bob", 1), ("cat", 2)])
        );
        ok(&bob, "ban", &[&cat]).await;
        ok(&cat, "join", &[]).await;
        assert_eq!(users(&bench, &ann, &group, "?state=4").await, pairs(&[("cat", 4)]));
        ok(&ann, "kick", &[&cat, &bob]).await;
        ok(&cat, "join", &[]).await;
        ok(&cat, "leave", &[]).await;
        ok(&cat, "leave", &[]).await;
        assert_eq!(users(&bench, &ann, &group, "").await, pairs(&[("ann", 0)]));
        let notes: Vec<_> = bench.channels.take();
        let codes: Vec<i16> = notes
            .iter()
            .filter_map(|sent| if let Sent::Note(code, ..) = sent { Some(*code) } else { None })
            .collect();
        assert_eq!(codes, [3, 4, 7, 7, 9, 8, 6, 3, 5]);
        let removed = notes.iter().filter(|sent| matches!(sent, Sent::Removed(_))).count();
        assert_eq!(removed, 3, "the banned, the kicked, and who left");

        let delete = ask(&bench, &bob, Method::DELETE, &format!("/{group}")).await;
        let denied = "Group not found or you're not allowed to delete.";
        assert_eq!(delete.refused(400, 3), denied);
        ask(&bench, &ann, Method::DELETE, &format!("/{group}")).await.ok();
        assert_eq!(users(&bench, &ann, &group, "").await, []);
        let told: Vec<_> = bench.live.delivered.borrow().iter().map(|(user, _)| *user).collect();
        assert_eq!(told, [cat.id], "who was added is told");
    });
}

#[test]
fn calls_of_strangers_and_with_wrong_ids_are_refused() {
    run(async |bench| {
        let (ann, bob) = (player(&bench, "ann").await, player(&bench, "bob").await);
        let group = found(&bench, &ann, "club", false).await;
        let refused = async |by: &Player, rest: String| {
            let reply = ask(&bench, by, Method::POST, &rest).await.body();
            (reply["code"].as_i64().unwrap(), reply["message"].as_str().unwrap().to_owned())
        };
        let why = |code: i64, what: &str| (code, what.to_owned());
        for call in ["add", "kick", "ban", "promote", "demote"] {
            let of = |group: &str, who: &str| format!("/{group}/{call}?user_ids={who}");
            let denied = why(5, "Group not found or permission denied.");
            assert_eq!(refused(&bob, of(&group, &ann.id.to_string())).await, denied, "{call}");
            let nowhere = Uuid::new_v4().to_string();
            assert_eq!(refused(&ann, of(&nowhere, &bob.id.to_string())).await, denied, "{call}");
            let user = why(3, "User ID must be a valid ID.");
            assert_eq!(refused(&ann, of(&group, "what")).await, user);
            assert_eq!(refused(&ann, of(&group, &UserId::NIL.to_string())).await, user);
            let id = why(3, "Group ID must be a valid ID.");
            assert_eq!(refused(&ann, of("what", &bob.id.to_string())).await, id);
            let nobody = ask(&bench, &ann, Method::POST, &format!("/{group}/{call}")).await;
            if call == "demote" {
                assert_eq!(nobody.refused(400, 3), "User IDs must be set.");
            } else {
                assert_eq!(nobody.ok(), json!({}));
            }
        }
        let unknown = refused(&ann, format!("/{group}/add?user_ids={}", Uuid::new_v4())).await;
        assert_eq!(unknown, why(3, "One or more users not found."));
        let nowhere = refused(&bob, format!("/{}/join", Uuid::new_v4())).await;
        assert_eq!(nowhere, why(5, "Group not found."));
        for call in ["join", "leave"] {
            let id = why(3, "Group ID must be a valid ID.");
            assert_eq!(refused(&bob, format!("/what/{call}")).await, id);
        }
        ask(&bench, &ann, Method::POST, &format!("/{group}/add?user_ids={}", bob.id)).await.ok();
        let last = why(3, "Cannot leave group when you are the last superadmin.");
        assert_eq!(refused(&ann, format!("/{group}/leave")).await, last);
        let small = json!({ "name": "small", "open": true, "max_count": 1 });
        let small = tell(&bench, &ann, Method::POST, "", small).await.ok();
        let small = small["id"].as_str().unwrap();
        assert_eq!(refused(&bob, format!("/{small}/join")).await, why(3, "Group is full."));
        let add = format!("/{small}/add?user_ids={}", bob.id);
        assert_eq!(refused(&ann, add).await, why(3, "Group is full."));
        let reply = bench.ask(Method::POST, &format!("{PATH}/{group}/join")).send().await;
        assert_eq!(reply.refused(401, 16), "Auth token required");
    });
}

#[test]
fn lists_have_cursors_and_refuse_what_is_wrong() {
    run(async |bench| {
        let ann = player(&bench, "ann").await;
        let group = found(&bench, &ann, "club", false).await;
        for name in ["bob", "cat", "dan"] {
            let who = player(&bench, name).await;
            ask(&bench, &who, Method::POST, &format!("/{group}/join")).await.ok();
            found(&bench, &ann, &format!("of {name}"), true).await;
        }
        let mut names = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = ask(&bench, &ann, Method::GET, &format!("?cursor={cursor}")).await.ok();
            assert_eq!(page["groups"].as_array().unwrap().len(), 1, "the default");
            names.push(page["groups"][0]["name"].as_str().unwrap().to_owned());
            let Some(next) = page["cursor"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
        assert_eq!(names, ["club", "of bob", "of cat", "of dan"]);
        let page = ask(&bench, &ann, Method::GET, &format!("/{group}/user?limit=2")).await.ok();
        let place = page["cursor"].as_str().unwrap();
        let query = format!("?limit=2&state=3&cursor={place}");
        let rest = users(&bench, &ann, &group, &query).await;
        assert_eq!(rest, pairs(&[("cat", 3), ("dan", 3)]));
        let mine = format!("/v2/user/{}/group", ann.id);
        let first = bench.player(&ann.token, Method::GET, &format!("{mine}?limit=3")).send().await;
        let next = first.ok()["cursor"].as_str().unwrap().to_owned();
        let second = format!("{mine}?state=0&cursor={next}");
        let second = bench.player(&ann.token, Method::GET, &second).send().await.ok();
        assert_eq!(second["user_groups"].as_array().unwrap().len(), 1);

        let limit = "Invalid limit - limit must be between 1 and 100.";
        let state = "Invalid state - state must be between 0 and 4.";
        let user = format!("{PATH}/{group}/user");
        let refusals = [
            (format!("{PATH}?limit=0"), 400, 3, limit),
            (format!("{PATH}?limit=101"), 400, 3, limit),
            (format!("{PATH}?cursor=what"), 500, 13, "Error while trying to list groups."),
            (
                format!("{PATH}?name=a&open=true"),
                400,
                3,
                "name filter cannot be combined with any other filter",
            ),
            (format!("{user}?limit=101"), 400, 3, limit),
            (format!("{user}?state=5"), 400, 3, state),
            (format!("{user}?cursor={next}"), 400, 3, "Cursor is invalid."),
            (format!("{user}?state=0&cursor={place}"), 400, 3, "Cursor is invalid."),
            (format!("{mine}?state=-1"), 400, 3, state),
            (format!("{mine}?limit=0"), 400, 3, limit),
            (format!("{mine}?cursor={place}"), 400, 3, "Cursor is invalid."),
            (format!("{PATH}/what/user"), 400, 3, "Group ID must be a valid ID."),
            ("/v2/user/what/group".to_owned(), 400, 3, "Group ID must be a valid ID."),
        ];
        for (uri, status, code, why) in refusals {
            let reply = bench.player(&ann.token, Method::GET, &uri).send().await;
            assert_eq!(reply.refused(status, code), why, "{uri}");
        }
    });
}
