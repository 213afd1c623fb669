//! The console's port: signing in, and every call's route.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use kakera_proto::routes::{ConsoleRpc, Service};
use serde_json::{Value, json};

use crate::support::{Bench, Reply, claims, run, run_with};

async fn authenticate(bench: &Bench, username: &str, password: &str) -> Reply {
    bench
        .console("", Method::POST, "/v2/console/authenticate")
        .json(&json!({"username": username, "password": password}))
        .await
}

/// The administrator's authorization.
pub async fn token(bench: &Bench) -> String {
    let body = authenticate(bench, "admin", "password").await.ok();
    format!("Bearer {}", body["token"].as_str().unwrap())
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

#[test]
fn the_administrator_signs_in_and_out() {
    run(async |bench| {
        let body = authenticate(&bench, "admin", "password").await.ok();
        assert_eq!(body["mfa_code"], Value::Null, "fields that are not set are named");
        let token = body["token"].as_str().unwrap();
        let said = claims(token);
        assert_eq!(said["usn"], "admin");
        assert_eq!(said["id"], "00000000-0000-0000-0000-000000000000");
        assert_eq!(said["acl"], "________________");

        let player = bench.device("device-0001").await;
        let user = bench.user_id(&player.session).await;
        let (uri, bearer) = (format!("/v2/console/account/{user}"), format!("Bearer {token}"));
        let account = bench.console(&bearer, Method::GET, &uri).send().await.ok();
        assert_eq!(account["account"]["user"]["id"], user.to_string());
        assert_eq!(account["account"]["user"]["display_name"], "");
        assert_eq!(account["disable_time"], Value::Null);

        let logout = bench.console("", Method::POST, "/v2/console/authenticate/logout");
        logout.json(&json!({"token": token})).await.ok();
        let refused = bench.console(&bearer, Method::GET, &uri).send().await;
        assert_eq!(refused.error(), (401, 16, "Token invalid.".to_owned()));
        // Who is no token has nothing to end, and is not told so.
        let logout = bench.console("", Method::POST, "/v2/console/authenticate/logout");
        logout.json(&json!({"token": "nonsense"})).await.ok();
    });
}

#[test]
fn nobody_is_let_in_without_the_right_token_or_password() {
    run(async |bench| {
        let uri = "/v2/console/account/00000000-0000-0000-0000-000000000000";
        let player = bench.device("device-0001").await.session;
        let required = "Console authentication required.";
        for (shown, message) in [
            (String::new(), required),
            ("Digest x".to_owned(), required),
            ("Bearer x".to_owned(), "Token invalid."),
            (format!("Bearer {player}"), "Token invalid."),
            (basic("admin", "wrong"), "Console authentication invalid."),
            (basic("root", "password"), "Console authentication invalid."),
            ("Basic ?".to_owned(), "Console authentication invalid."),
        ] {
            let refused = bench.console(&shown, Method::GET, uri).send().await;
            assert_eq!(refused.error(), (401, 16, message.to_owned()), "{shown}");
        }
        bench.console(&basic("admin", "password"), Method::GET, uri).send().await.ok();
    });
}

#[test]
fn a_token_of_somebody_who_may_do_less_opens_nothing() {
    run(async |bench| {
        let claims = json!({
            "id": "00000000-0000-0000-0000-000000000000",
            "usn": "viewer",
            "acl": "AAAAAAAAAAAAAAAA",
            "exp": 4_000_000_000_i64,
        });
        let key = kakera::auth::TokenKey::new("defaultsigningkey").unwrap();
        let shown = format!("Bearer {}", key.sign_claims(&claims).unwrap());
        let uri = "/v2/console/account/00000000-0000-0000-0000-000000000000";
        let refused = bench.console(&shown, Method::GET, uri).send().await;
        assert_eq!((refused.error().0, refused.error().1), (403, 7));
    });
}

#[test]
fn five_wrong_passwords_lock_the_administrator_out() {
    run(async |bench| {
        for _ in 0..5 {
            let refused = authenticate(&bench, "admin", "wrong").await;
            assert_eq!(refused.error(), (401, 16, "Invalid credentials.".to_owned()));
        }
        let locked = authenticate(&bench, "admin", "password").await;
        assert_eq!(locked.error(), (429, 8, "Try again later.".to_owned()));
        let uri = "/v2/console/account/00000000-0000-0000-0000-000000000000";
        let refused = bench.console(&basic("admin", "password"), Method::GET, uri).send().await;
        assert_eq!(refused.error().0, 401);
    });
}

#[test]
fn a_second_factor_that_is_demanded_keeps_everybody_out() {
    run_with(
        |config| config.mfa.admin_account_enabled = true,
        async |bench| {
            assert_eq!(authenticate(&bench, "admin", "password").await.error().1, 12);
        },
    );
}

#[test]
fn every_call_is_routed_and_asks_who_is_there() {
    run(async |bench| {
        for rpc in ConsoleRpc::ALL.iter().filter(|rpc| !rpc.accepts().is_empty()) {
            for binding in rpc.definition().bindings {
                let path: Vec<&str> = binding
                    .path
                    .split('/')
                    .map(|part| if part.starts_with('{') { "x" } else { part })
                    .collect();
                let method: Method = binding.method.as_str().parse().unwrap();
                let refused = bench.console("", method, &path.join("/")).send().await;
                assert_eq!(refused.error().1, 16, "{}", binding.path);
                assert_eq!(refused.body()["details"], json!([]));
            }
        }
        let shown = bench.operator().await;
        assert_eq!(
            bench.console(&shown, Method::GET, "/v2/console/no").send().await.error().0,
            404
        );
        assert_eq!(bench.console(&shown, Method::GET, "/").send().await.error().0, 501);
        let page = bench.console(&shown, Method::GET, "/v2/console/satori/template").send().await;
        assert_eq!(page.error().1, 12, "what is not built says so");
    });
}

#[test]
fn an_account_is_banned_let_back_in_and_deleted() {
    run(async |bench| {
        let shown = bench.operator().await;
        let player = bench.device("device-0001").await;
        let user = bench.user_id(&player.session).await;
        let uri = format!("/v2/console/account/{user}");
        bench.console(&shown, Method::POST, &format!("{uri}/ban")).send().await.ok();
        let account = bench.console(&shown, Method::GET, &uri).send().await.ok();
        assert!(account["disable_time"].is_string());
        let sign_in = bench
            .game(Method::POST, "/v2/account/authenticate/device")
            .json(&json!({"id": "device-0001"}))
            .await;
        assert_eq!(sign_in.error().0, 403);
        bench.console(&shown, Method::POST, &format!("{uri}/unban")).send().await.ok();
        bench.device("device-0001").await;

        bench.console(&shown, Method::DELETE, &uri).send().await.ok();
        let gone = bench.console(&shown, Method::GET, &uri).send().await;
        assert_eq!(gone.error(), (404, 5, "Account not found.".to_owned()));
        let system = "/v2/console/account/00000000-0000-0000-0000-000000000000";
        assert_eq!(bench.console(&shown, Method::DELETE, system).send().await.error().0, 400);
        assert_eq!(
            bench.console(&shown, Method::DELETE, "/v2/console/account/x").send().await.error().0,
            400
        );
    });
}

#[test]
fn objects_are_written_found_read_and_deleted_whatever_their_permissions() {
    run(async |bench| {
        let shown = bench.operator().await;
        let player = bench.device("device-0001").await;
        let user = bench.user_id(&player.session).await;
        let path = "/v2/console/storage";
        let ask = async |method, uri: String, body: Value| {
            bench.console(&shown, method, &uri).json(&body).await
        };
        let object = format!("{path}/saves/one/{user}");
        let body = json!({"value": "{\"n\": 1}", "permission_read": 0, "permission_write": 0});
        let ack = ask(Method::PUT, object.clone(), body.clone()).await.ok();
        assert_eq!(ack["user_id"], user.to_string());
        for n in 2..=3 {
            ask(Method::PUT, format!("{path}/saves/{n}/{user}"), body.clone()).await.ok();
        }
        let system = format!("{path}/rules/all/00000000-0000-0000-0000-000000000000");
        ask(Method::PUT, system, body.clone()).await.ok();

        let found = ask(Method::GET, object.clone(), json!({})).await.ok();
        assert_eq!((&found["version"], &found["permission_read"]), (&ack["version"], &json!(0)));
        let list =
            async |query: String| ask(Method::GET, format!("{path}?{query}"), json!({})).await;
        let all = list(String::new()).await.ok();
        assert_eq!(all["objects"].as_array().unwrap().len(), 4);
        assert_eq!((&all["total_count"], &all["next_cursor"]), (&json!(4), &json!("")));
        let own = list(format!("user_id={user}")).await.ok();
        assert_eq!(own["objects"].as_array().unwrap().len(), 3);
        let begins = list("collection=saves&key=o%25".to_owned()).await.ok();
        assert_eq!(begins["objects"][0]["key"], "one");
        assert_eq!(list("key=one".to_owned()).await.error().0, 400);
        assert_eq!(list("user_id=x".to_owned()).await.error().0, 400);
        assert_eq!(list("cursor=x".to_owned()).await.error().2, "Malformed cursor was used.");
        let names = ask(Method::GET, format!("{path}/collections"), json!({})).await.ok();
        assert_eq!(names["collections"], json!(["rules", "saves"]));

        let stale = ask(Method::DELETE, format!("{object}/stale"), json!({})).await;
        assert_eq!(stale.error().0, 400);
        let version = ack["version"].as_str().unwrap();
        ask(Method::DELETE, format!("{object}/{version}"), json!({})).await.ok();
        let gone = ask(Method::GET, object.clone(), json!({})).await;
        assert_eq!(gone.error(), (404, 5, "Storage object not found.".to_owned()));
        ask(Method::DELETE, object, json!({})).await.ok();
        for bad in [json!({"value": "[]"}), json!({"value": "{}", "permission_read": 3})] {
            let uri = format!("{path}/saves/one/{user}");
            assert_eq!(ask(Method::PUT, uri, bad).await.error().0, 400);
        }
        ask(Method::DELETE, path.to_owned(), json!({})).await.ok();
        assert_eq!(list(String::new()).await.ok()["total_count"], 0);
    });
}
