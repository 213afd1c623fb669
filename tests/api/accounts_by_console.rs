//! Accounts as operators change, find, export, import and delete them.

use std::time::Duration;

use futures_util::FutureExt;
use http::Method;
use kakera::{accounts::live::Disconnect, wallet::WalletUpdate};
use kakera_shards::runtime;
use serde_json::{Value, json};

use crate::support::{Bench, Reply, run};

const PATH: &str = "/v2/console/account";

async fn ask(bench: &Bench, shown: &str, method: Method, uri: &str, body: Value) -> Reply {
    bench.console(shown, method, uri).json(&body).await
}

fn embedded(account: &Value, name: &str) -> Value {
    serde_json::from_str(account[name].as_str().unwrap()).unwrap()
}

#[test]
fn an_account_is_changed_in_everything_it_has() {
    run(async |bench| {
        let shown = bench.operator().await;
        let user = bench.user_id(&bench.device("device-0001").await.session).await;
        bench.device("device-0002").await;
        let uri = format!("{PATH}/{user}");
        let change = async |body: Value| ask(&bench, &shown, Method::POST, &uri, body).await;
        change(json!({
            "username": "renamed", "display_name": "Re", "metadata": "{\"level\": 3}",
            "wallet": "{\"gold\": 7}", "custom_id": "custom-0001", "email": "Some@Example.com",
            "password": "password one", "device_ids": {"device-0001": "device-0003"},
        }))
        .await
        .ok();
        let found = ask(&bench, &shown, Method::GET, &uri, json!({})).await.ok();
        let account = &found["account"];
        assert_eq!(account["user"]["username"], "renamed");
        assert_eq!(embedded(&account["user"], "metadata"), json!({"level": 3}));
        assert_eq!(embedded(account, "wallet"), json!({"gold": 7}));
        assert_eq!(account["devices"][0]["id"], "device-0003");
        let email = json!({"email": "some@example.com", "password": "password one"});
        bench.game(Method::POST, "/v2/account/authenticate/email").json(&email).await.ok();

        change(json!({"custom_id": "", "email": ""})).await.ok();
        let last = "Cannot unlink device ID when there are no other identifiers.";
        for (body, why) in [
            (json!({"device_ids": {"device-0003": ""}}), last),
            (
                json!({"device_ids": {"device-0002": "device-0009"}}),
                "Device ID is already linked to a different user.",
            ),
            (
                json!({"password": "password two"}),
                "Cannot set a password on an account with no email address.",
            ),
            (json!({"wallet": "{\"gold\": -1}"}), "Wallet rejected negative value at path 'gold'."),
            (
                json!({"wallet": "{\"gold\": 0.5}"}),
                "Wallet must be a valid JSON object with only string keys and integer values.",
            ),
            (json!({"metadata": "[]"}), "Metadata must be a valid JSON object."),
            (
                json!({"username": "a\u{1}"}),
                "Username cannot contain spaces or control characters.",
            ),
            (
                json!({"device_ids": {"device-0003": "short"}}),
                "New device ID invalid, must be 10-128 bytes.",
            ),
            (
                json!({"device_ids": {"a device-0003": ""}}),
                "Old device ID invalid, no spaces or control characters allowed.",
            ),
            (json!({"password": "short"}), "Password must be at least 8 characters long."),
            (json!({"username": ""}), "Username cannot be empty."),
        ] {
            let together = json!({"display_name": "never"});
            let mut body = body;
            body["display_name"] = together["display_name"].clone();
            assert_eq!(change(body).await.error(), (400, 3, why.to_owned()));
        }
        let found = ask(&bench, &shown, Method::GET, &uri, json!({})).await.ok();
        assert_eq!(found["account"]["user"]["display_name"], "Re", "a refusal changes nothing");
        let system = format!("{PATH}/00000000-0000-0000-0000-000000000000");
        let refused = ask(&bench, &shown, Method::POST, &system, json!({"username": "x"})).await;
        assert_eq!(refused.error().2, "Cannot update the system user.");
    });
}

#[test]
fn accounts_are_found_page_by_page_by_id_by_name_and_by_pattern() {
    run(async |bench| {
        let shown = bench.operator().await;
        let mut ids = Vec::new();
        for n in 0..60 {
            let body = json!({"id": format!("device-{n:04}")});
            let uri = format!("/v2/account/authenticate/device?username=player{n:02}");
            let token = bench.game(Method::POST, &uri).json(&body).await.ok();
            ids.push(bench.user_id(token["token"].as_str().unwrap()).await.to_string());
        }
        let list = async |query: &str| {
            ask(&bench, &shown, Method::GET, &format!("{PATH}?{query}"), json!({})).await.ok()
        };
        let found = |page: &Value| -> Vec<String> {
            let users = page["users"].as_array().unwrap();
            users.iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect()
        };
        let first = list("").await;
        assert_eq!((found(&first).len(), &first["total_count"]), (50, &json!(61)));
        let rest = list(&format!("cursor={}", first["next_cursor"].as_str().unwrap())).await;
        assert_eq!(rest["next_cursor"], "");
        let mut all = [found(&first), found(&rest)].concat();
        assert_eq!(all.remove(0), "00000000-0000-0000-0000-000000000000");
        ids.sort_unstable();
        assert_eq!(all, ids);
        assert_eq!(found(&list(&format!("filter={}", ids[7])).await), [ids[7].clone()]);
        assert_eq!(found(&list("filter=player07").await).len(), 1);
        assert_eq!(found(&list("filter=device-0007").await).len(), 1);
        assert_eq!(found(&list("filter=player0%25").await).len(), 10);
        let nobody = list("filter=nobody").await;
        assert_eq!((found(&nobody).len(), &nobody["total_count"]), (0, &json!(61)));
        let change = json!({"display_name": "<b>Böb & \"co\"</b>"});
        let uri = format!("{PATH}/{}", ids[9]);
        ask(&bench, &shown, Method::POST, &uri, change).await.ok();
        let named = list("filter=B%C3%B6b").await;
        let harmless = "&lt;b&gt;Böb &amp; &#34;co&#34;&lt;/b&gt;";
        assert_eq!(named["users"][0]["display_name"], harmless);
        let one = ask(&bench, &shown, Method::GET, &uri, json!({})).await.ok();
        assert_eq!(one["account"]["user"]["display_name"], harmless);
        let refused =
            ask(&bench, &shown, Method::GET, &format!("{PATH}?cursor=x"), json!({})).await;
        assert_eq!(refused.error().0, 400);
    });
}

#[test]
fn the_ledger_is_listed_and_its_entries_deleted() {
    run(async |bench| {
        let shown = bench.operator().await;
        let user = bench.user_id(&bench.device("device-0001").await.session).await;
        for n in 1..=3 {
            let changes = [("gold".to_owned(), n)].into();
            let update = WalletUpdate { user, changes, metadata: "{\"n\":1}".into() };
            bench.wallets.update(vec![update], true).await.unwrap();
        }
        let uri = format!("{PATH}/{user}/wallet");
        let list = async |query: &str| {
            ask(&bench, &shown, Method::GET, &format!("{uri}?{query}"), json!({})).await
        };
        assert_eq!(list("").await.error().2, "expects a limit value between 1 and 100");
        let page = list("limit=2").await.ok();
        assert_eq!(embedded(&page["items"][0], "changeset"), json!({"gold": 3}));
        assert_eq!(
            (page["items"].as_array().unwrap().len(), &page["prev_cursor"]),
            (2, &json!(""))
        );
        let next = page["next_cursor"].as_str().unwrap();
        let rest = list(&format!("limit=2&cursor={next}")).await.ok();
        assert_eq!(embedded(&rest["items"][0], "changeset"), json!({"gold": 1}));
        assert_eq!(rest["next_cursor"], "");
        assert!(!rest["prev_cursor"].as_str().unwrap().is_empty());
        assert_eq!(list("limit=2&cursor=x").await.error().0, 400);

        let entry = page["items"][0]["id"].as_str().unwrap();
        ask(&bench, &shown, Method::DELETE, &format!("{uri}/{entry}"), json!({})).await.ok();
        assert_eq!(list("limit=9").await.ok()["items"].as_array().unwrap().len(), 2);
        let refused = ask(&bench, &shown, Method::DELETE, &format!("{uri}/x"), json!({})).await;
        assert_eq!(refused.error().2, "Requires a valid wallet ledger item ID.");
        let account =
            bench.console(&shown, Method::GET, &format!("{PATH}/{user}")).send().await.ok();
        assert_eq!(embedded(&account["account"], "wallet"), json!({"gold": 6}));
    });
}

#[test]
fn what_was_exported_is_imported_into_the_account_and_into_a_new_one() {
    run(async |bench| {
        let shown = bench.operator().await;
        let player = bench.device("device-0001").await;
        let user = bench.user_id(&player.session).await;
        let uri = format!("{PATH}/{user}");
        let set = json!({"wallet": "{\"gold\": 5}", "metadata": "{\"level\": 2}"});
        ask(&bench, &shown, Method::POST, &uri, set).await.ok();
        let write = |key: &str| {
            let object = json!({"collection": "saves", "key": key, "value": "{\"hp\": 1}"});
            bench
                .player(&player.session, Method::PUT, "/v2/storage")
                .body(json!({"objects": [object]}).to_string())
                .send()
        };
        write("one").await.ok();
        let changes = [("gold".to_owned(), 1)].into();
        let update = WalletUpdate { user, changes, metadata: "{}".into() };
        bench.wallets.update(vec![update], true).await.unwrap();
        let friend = bench.user_id(&bench.device("device-0002").await.session).await;
        let add = format!("/v2/friend?ids={friend}");
        bench.player(&player.session, Method::POST, &add).send().await.ok();
        let guild = json!({"name": "guild", "open": true});
        bench.player(&player.session, Method::POST, "/v2/group").json(&guild).await.ok();

        let export =
            ask(&bench, &shown, Method::GET, &format!("{uri}/export"), json!({})).await.ok();
        assert_eq!(export["account"]["user"]["id"], user.to_string());
        assert_eq!(export["objects"][0]["key"], "one");
        assert_eq!(embedded(&export["wallet_ledgers"][0], "changeset"), json!({"gold": 1}));
        assert_eq!(export["friends"][0]["user"]["id"], friend.to_string());
        assert_eq!(export["groups"][0]["name"], "guild");
        for empty in ["messages", "leaderboard_records", "notifications"] {
            assert_eq!(export[empty], json!([]), "{empty}");
        }

        write("two").await.ok();
        let set = json!({"wallet": "{}", "metadata": "{}"});
        ask(&bench, &shown, Method::POST, &uri, set).await.ok();
        let data = json!({ "data": export });
        ask(&bench, &shown, Method::PUT, &format!("{uri}/import"), data.clone()).await.ok();
        let again =
            ask(&bench, &shown, Method::GET, &format!("{uri}/export"), json!({})).await.ok();
        assert_eq!(again["objects"], export["objects"], "versions and times are as they were");
        assert_eq!(embedded(&again["account"], "wallet"), json!({"gold": 6}));
        assert_eq!(embedded(&again["account"]["user"], "metadata"), json!({"level": 2}));

        // The nil id stands for the one in the export: nothing happens to the system's own account.
        let nil = format!("{PATH}/00000000-0000-0000-0000-000000000000");
        let system = ask(&bench, &shown, Method::GET, &nil, json!({})).await.ok();
        let by_nil = ask(&bench, &shown, Method::PUT, &format!("{nil}/import"), data.clone()).await;
        assert_eq!(by_nil.error().0, 409);
        assert_eq!(ask(&bench, &shown, Method::GET, &nil, json!({})).await.ok(), system);

        let taken = ask(&bench, &shown, Method::POST, PATH, data.clone()).await;
        assert_eq!(taken.error(), (409, 6, "User identifier already exists.".to_owned()));
        ask(&bench, &shown, Method::DELETE, &uri, json!({})).await.ok();
        let created = ask(&bench, &shown, Method::POST, PATH, data.clone()).await.ok();
        assert_eq!(created["account"]["user"]["id"], user.to_string());
        assert_eq!(created["account"]["devices"][0]["id"], "device-0001");
        let back = bench.device("device-0001").await;
        assert!(!back.created);
        assert_eq!(bench.user_id(&back.session).await, user);

        let stranger = format!("{PATH}/11111111-1111-4111-8111-111111111111/import");
        assert_eq!(ask(&bench, &shown, Method::PUT, &stranger, data).await.error().0, 404);
        let nothing = ask(&bench, &shown, Method::POST, PATH, json!({})).await;
        assert_eq!(nothing.error(), (400, 3, "An import needs an account.".to_owned()));
    });
}

#[test]
fn a_deleted_account_leaves_a_tombstone_only_where_one_is_wanted() {
    run(async |bench| {
        let shown = bench.operator().await;
        let mut gone = Vec::new();
        for (device, query) in [("device-0001", "?record_deletion=true"), ("device-0002", "")] {
            let player = bench.device(device).await;
            let user = bench.user_id(&player.session).await;
            let uri = format!("{PATH}/{user}{query}");
            ask(&bench, &shown, Method::DELETE, &uri, json!({})).await.ok();
            let refused = bench.player(&player.session, Method::GET, "/v2/account").send().await;
            assert!(matches!(refused.error().0, 401 | 404), "{refused:?}");
            gone.push(user);
        }
        let thrown_out: Vec<_> =
            bench.live.thrown_out.borrow().iter().map(|(user, _)| *user).collect();
        assert_eq!(thrown_out, gone, "their sockets are closed");
        let list = async |query: &str| {
            let uri = format!("{PATH}?tombstones=true{query}");
            ask(&bench, &shown, Method::GET, &uri, json!({})).await.ok()
        };
        let all = list("").await;
        assert_eq!(all["total_count"], 1);
        assert_eq!(all["users"][0]["id"], gone[0].to_string());
        assert!(all["users"][0]["update_time"].is_string());
        assert_eq!(list(&format!("&filter={}", gone[0])).await["total_count"], 1);
        assert_eq!(list(&format!("&filter={}", gone[1])).await["total_count"], 0);
        assert_eq!(list("&filter=somebody").await["total_count"], 0);
    });
}

#[test]
fn identifiers_are_unlinked_by_an_operator() {
    run(async |bench| {
        let shown = bench.operator().await;
        let user = bench.user_id(&bench.device("device-0001").await.session).await;
        let unlink = async |what: &str, body: Value| {
            ask(&bench, &shown, Method::POST, &format!("{PATH}/{user}/unlink/{what}"), body).await
        };
        for kind in [
            "apple",
            "facebook",
            "facebookinstantgame",
            "gamecenter",
            "google",
            "steam",
            "custom",
            "email",
        ] {
            let (status, code, sentence) = unlink(kind, json!({})).await.error();
            assert_eq!((status, code), (403, 7), "{kind} is not there");
            assert!(sentence.ends_with(" when there are no other identifiers."), "{sentence}");
        }
        let uri = format!("{PATH}/{user}");
        let link = json!({"custom_id": "custom-0001"});
        ask(&bench, &shown, Method::POST, &uri, link).await.ok();
        unlink("custom", json!({})).await.ok();
        let none = unlink("device", json!({"device_id": ""})).await;
        assert_eq!(none.error(), (400, 3, "Requires a valid device ID.".to_owned()));
        let last = unlink("device", json!({"device_id": "device-0001"})).await;
        let why = "Cannot unlink device ID when there are no other identifiers.";
        assert_eq!(last.error(), (403, 7, why.to_owned()));
    });
}

#[test]
fn who_is_banned_or_deleted_is_thrown_out_even_if_nobody_waits_for_it() {
    run(async |bench| {
        let user = bench.user_id(&bench.device("device-0001").await.session).await;
        let accounts = &bench.services.accounts;
        let calls = [
            (accounts.ban(vec![user]).boxed_local(), Disconnect::Banned),
            (accounts.delete(user, false).boxed_local(), Disconnect::Deleted),
        ];
        for (mut call, why) in calls {
            assert!(futures_util::poll!(&mut call).is_pending());
            drop(call);
            let thrown_out = || bench.live.thrown_out.borrow().contains(&(user, why));
            for _ in 0..5_000 {
                if thrown_out() {
                    break;
                }
                runtime::sleep(Duration::from_millis(1)).await;
            }
            assert!(thrown_out(), "{why:?}");
        }
    });
}
