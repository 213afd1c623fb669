//! What every HTTP request meets, whichever call it is for.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Version};
use kakera::{
    error::Error,
    net::{HttpService, Request},
};
use kakera_proto::routes::{Credential, Method as Verb, Rpc, Service};
use serde_json::json;

use crate::support::{run, run_with};

/// The calls that are built; all others answer that they are not.
fn method(verb: Verb) -> Method {
    verb.as_str().parse().unwrap()
}

#[test]
fn every_call_is_routed_asks_who_is_there_and_says_if_it_is_not_built() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        for rpc in Rpc::ALL.iter().copied().filter(|rpc| *rpc != Rpc::RpcFunc) {
            for binding in rpc.definition().bindings {
                let path: String = binding
                    .path
                    .split('/')
                    .map(|part| if part.starts_with('{') { "x" } else { part })
                    .collect::<Vec<_>>()
                    .join("/");
                let anonymous = bench.ask(method(binding.method), &path).send().await;
                if rpc.accepts().is_empty() {
                    anonymous.ok();
                    continue;
                }
                anonymous.refused(401, 16);
                let known = match rpc.accepts() {
                    [Credential::ServerKey] => bench.game(method(binding.method), &path),
                    _ => bench.player(&tokens.session, method(binding.method), &path),
                };
                let (status, _, sentence) = known.send().await.error();
                let unbuilt = sentence.contains("is not built yet");
                assert_eq!(unbuilt, status == 501, "{path}: {sentence}");
            }
        }
    });
}

#[test]
fn paths_and_methods_that_lead_nowhere_are_told_apart() {
    run(async |bench| {
        let unknown = bench.ask(Method::GET, "/v2/nothing").send().await;
        assert_eq!(unknown.refused(404, 5), "Not Found");
        assert_eq!(unknown.0.body, r#"{"code":5,"message":"Not Found"}"#);
        let slash = bench.ask(Method::GET, "/v2/account/").send().await;
        assert_eq!(slash.refused(404, 5), "Not Found");
        let method = bench.ask(Method::POST, "/v2/account").send().await;
        assert_eq!(method.refused(501, 12), "Method Not Allowed");
        let broken = bench.ask(Method::GET, "/v2/%zz").send().await;
        assert_eq!(broken.refused(400, 3), "Bad Request");
    });
}

#[test]
fn the_root_and_the_healthcheck_answer_anybody() {
    run(async |bench| {
        let root = bench.ask(Method::GET, "/").send().await;
        assert_eq!((root.0.status, root.0.body.len()), (StatusCode::OK, 0));
        let health = bench.ask(Method::GET, "/healthcheck").send().await;
        assert_eq!(health.ok(), json!({}));
        assert_eq!(health.header("content-type"), Some("application/json"));
        let control = health.header("cache-control");
        assert_eq!(control, Some("no-store, no-cache, must-revalidate"));
    });
}

#[test]
fn an_odd_path_is_sent_to_the_straight_one() {
    run(async |bench| {
        let moved = bench.ask(Method::GET, "//v2//account?a=b").send().await;
        assert_eq!(moved.0.status, StatusCode::MOVED_PERMANENTLY);
        assert_eq!(moved.header("location"), Some("/v2/account?a=b"));
    });
}

#[test]
fn browsers_of_any_origin_are_let_in() {
    run(async |bench| {
        let preflight = bench
            .ask(Method::OPTIONS, "/v2/account")
            .header("origin", "https://game.example")
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "authorization")
            .send()
            .await;
        assert_eq!(preflight.0.status, StatusCode::OK);
        assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
        assert!(preflight.header("access-control-allow-methods").unwrap().contains("PUT"));
        let allowed = preflight.header("access-control-allow-headers").unwrap().to_lowercase();
        assert!(allowed.contains("authorization") && allowed.contains("content-type"));
        let refused = bench
            .ask(Method::GET, "/v2/account")
            .header("origin", "https://a.example")
            .send()
            .await;
        refused.refused(401, 16);
        assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
        let plain = bench.ask(Method::GET, "/healthcheck").send().await;
        assert_eq!(plain.header("access-control-allow-origin"), None);
        let nobody = bench.ask(Method::OPTIONS, "/v2/account").send().await;
        assert_eq!((nobody.0.status, nobody.0.body.len()), (StatusCode::OK, 0));
        assert_eq!(nobody.header("access-control-allow-methods"), None);
    });
}

#[test]
fn sessions_are_asked_for_in_the_words_that_clients_know() {
    run(async |bench| {
        let none = bench.ask(Method::GET, "/v2/account").send().await;
        assert_eq!(none.refused(401, 16), "Auth token required");
        assert_eq!(none.header("www-authenticate"), Some("Auth token required"));
        let wrong = bench.game(Method::GET, "/v2/account").send().await;
        assert_eq!(wrong.refused(401, 16), "Auth token invalid");
        let tokens = bench.device("device-0001").await;
        let twice = bench
            .player(&tokens.session, Method::GET, "/v2/account")
            .header("authorization", "Bearer second")
            .send()
            .await;
        assert_eq!(twice.refused(401, 16), "Auth token invalid");
        let refresh = bench.player(&tokens.refresh, Method::GET, "/v2/account").send().await;
        refresh.refused(401, 16);
    });
}

#[test]
fn a_body_that_is_no_request_is_refused() {
    run(async |bench| {
        let uri = "/v2/account/authenticate/device";
        for body in ["{", "[]", "\"x\"", r#"{"id":7}"#, "\u{0}"] {
            bench.game(Method::POST, uri).body(body).send().await.refused(400, 3);
        }
        let ignored = json!({"id": "device-0001", "future": {"field": [1]}});
        bench.game(Method::POST, uri).json(&ignored).await.ok();
        let query = format!("{uri}?create=maybe");
        bench.game(Method::POST, &query).json(&json!({"id": "device-0001"})).await.refused(400, 3);
    });
}

#[test]
fn a_form_is_a_part_of_the_query_where_a_call_reads_no_body() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let other = bench.user_id(&bench.device("device-0002").await.session).await;
        let add = |content: &str| {
            bench
                .player(&tokens.session, Method::POST, "/v2/friend")
                .header("content-type", content)
                .body(format!("ids={other}"))
        };
        let friends = async || {
            let page = bench.player(&tokens.session, Method::GET, "/v2/friend").send().await.ok();
            page["friends"].as_array().map_or(0, Vec::len)
        };
        add("text/plain").send().await.ok();
        assert_eq!(friends().await, 0);
        add("application/x-www-form-urlencoded; charset=utf-8").send().await.ok();
        assert_eq!(friends().await, 1);
    });
}

#[test]
fn configured_headers_are_added_where_they_are_missing() {
    let change = |config: &mut kakera::config::Config| {
        config.socket.response_headers.0 = vec![
            ("x-game".to_owned(), "chess".to_owned()),
            ("cache-control".to_owned(), "public".to_owned()),
        ];
    };
    run_with(change, async |bench| {
        let reply = bench.ask(Method::GET, "/healthcheck").send().await;
        assert_eq!(reply.header("x-game"), Some("chess"));
        assert_ne!(reply.header("cache-control"), Some("public"));
        // What the layer below refuses is read by pages of other origins too.
        let mut request = Request {
            method: Method::POST,
            uri: "/v2/account".parse().unwrap(),
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            peer: ([127, 0, 0, 1], 1).into(),
            tls: false,
        };
        let error = Error::invalid("too long");
        let refused = bench.api.refuse(&request, &error);
        assert_eq!(refused.headers["x-game"], "chess");
        assert!(!refused.headers.contains_key("access-control-allow-origin"));
        request.headers.insert("origin", "https://game.example".parse().unwrap());
        let refused = bench.api.refuse(&request, &error);
        assert_eq!(refused.headers["access-control-allow-origin"], "*");
    });
}

#[test]
fn a_store_that_takes_no_writes_is_told_at_once() {
    run(async |bench| {
        bench.database.close();
        let uri = "/v2/account/authenticate/device";
        let write = bench.game(Method::POST, uri).json(&json!({"id": "device-0002"})).await;
        write.refused(503, 14);
    });
}

#[test]
fn calls_are_counted_by_name_and_outcome() {
    run(async |bench| {
        bench.device("device-0001").await;
        bench.ask(Method::GET, "/v2/account").send().await.refused(401, 16);
        bench.ask(Method::GET, "/v2/nothing").send().await.refused(404, 5);
        let text = bench.metrics.render();
        let line =
            |parts: &[&str]| text.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(line(&["AuthenticateDevice", "OK", " 1"]), "{text}");
        assert!(line(&["GetAccount", "Unauthenticated", " 1"]), "{text}");
    });
}
