//! Script functions over HTTP: who may call them.

use http::Method;
use serde_json::json;

use crate::support::{Reply, basic, run};

fn sentence(reply: &Reply, status: u16, code: u8) -> String {
    let message = reply.refused(status, code);
    assert_eq!(reply.body()["error"], message.as_str(), "both fields say the same");
    message
}

#[test]
fn a_key_or_a_session_opens_and_everything_else_is_told_what_is_missing() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let not_found = "RPC function not found";
        for uri in ["/v2/rpc/x", "/v2/rpc/a%2Fb", "/v2/rpc/a/b"] {
            let player = bench.player(&tokens.session, Method::POST, uri).json(&json!("{}")).await;
            assert_eq!(sentence(&player, 404, 5), not_found);
        }
        let keyed = bench.ask(Method::GET, "/v2/rpc/x?http_key=defaulthttpkey").send().await;
        assert_eq!(sentence(&keyed, 404, 5), not_found);
        let header = ("authorization", basic("defaulthttpkey"));
        let keyed = bench.ask(Method::GET, "/v2/rpc/x").header(header.0, &header.1).send().await;
        assert_eq!(sentence(&keyed, 404, 5), not_found);

        let none = bench.ask(Method::GET, "/v2/rpc/x").send().await;
        assert_eq!(sentence(&none, 401, 16), "Auth token or HTTP key required");
        // The key in the query is looked at first, even where the header would do.
        let wrong = bench.player(&tokens.session, Method::GET, "/v2/rpc/x?http_key=wrong");
        assert_eq!(sentence(&wrong.send().await, 401, 16), "HTTP key invalid");
        let wrong = bench.game(Method::GET, "/v2/rpc/x").send().await;
        assert_eq!(sentence(&wrong, 401, 16), "HTTP key invalid");
        let wrong = bench.player("nonsense", Method::GET, "/v2/rpc/x").send().await;
        assert_eq!(sentence(&wrong, 401, 16), "Auth token invalid");
    });
}

#[test]
fn a_function_needs_a_name_and_get_or_post() {
    run(async |bench| {
        let nameless = bench.ask(Method::GET, "/v2/rpc/?http_key=defaulthttpkey").send().await;
        assert_eq!(sentence(&nameless, 400, 3), "RPC ID must be set");
        let put = bench.ask(Method::PUT, "/v2/rpc/x?http_key=defaulthttpkey").send().await;
        assert_eq!(put.refused(501, 12), "Method Not Allowed");
    });
}
