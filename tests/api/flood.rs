//! An address that sends too many requests.

use http::Method;
use kakera::config::Config;
use kakera_proto::routes::{Call, Service, calls};
use kakera_shards::runtime;

use crate::support::{Bench, Reply, run_with};

/// Two requests at once, then one a second; the fourth refusal closes.
fn limited(config: &mut Config) {
    config.flood.address_requests_per_sec = 1;
    config.flood.address_requests_burst = 2;
    config.flood.refusals_max = 3;
}

async fn ping(bench: &Bench) -> Reply {
    bench.ask(Method::GET, "/healthcheck").send().await
}

#[test]
fn too_many_requests_are_refused_and_in_the_end_the_connection_is_closed() {
    run_with(limited, async |bench| {
        for _ in 0..2 {
            ping(&bench).await.ok();
        }
        for _ in 0..3 {
            let reply = ping(&bench).await;
            assert_eq!(reply.refused(429, 8), "Too many requests, try again later.");
            assert_eq!(
                (reply.header("retry-after"), reply.header("connection")),
                (Some("1"), None)
            );
        }
        let reply = ping(&bench).await;
        assert_eq!(reply.refused(429, 8), "Too many requests, try again later.");
        assert_eq!(reply.header("connection"), Some("close"));
        let board = runtime::counters().board().clone();
        assert_eq!(board.sum("flood_requests_refused"), 4);
        assert_eq!(board.sum("flood_addresses"), 1);
    });
}

#[test]
fn a_grpc_client_hears_of_it_in_its_own_words() {
    run_with(limited, async |bench| {
        let ask = async || {
            let ask = bench.ask(Method::POST, calls::Healthcheck::RPC.grpc_path()).http2();
            ask.header("content-type", "application/grpc").body(vec![0; 5]).send().await
        };
        for _ in 0..2 {
            assert_eq!(ask().await.0.trailers.unwrap()["grpc-status"], "0");
        }
        let reply = ask().await;
        assert_eq!(reply.0.status, 200);
        assert_eq!(reply.header("grpc-status"), Some("8"));
        let wait: u64 = reply.header("grpc-retry-pushback-ms").unwrap().parse().unwrap();
        assert!((1..=1000).contains(&wait), "{wait}");
    });
}

#[test]
fn a_browser_may_read_the_refusal() {
    run_with(limited, async |bench| {
        for _ in 0..2 {
            ping(&bench).await.ok();
        }
        let ask = bench.ask(Method::GET, "/healthcheck").header("origin", "https://game.example");
        let reply = ask.send().await;
        reply.refused(429, 8);
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    });
}

async fn from(bench: &Bench, forwarded: &str) -> u16 {
    let ask = bench.ask(Method::GET, "/healthcheck").header("x-forwarded-for", forwarded);
    ask.send().await.0.status.as_u16()
}

#[test]
fn a_forwarded_address_counts_only_where_it_is_trusted() {
    run_with(limited, async |bench| {
        let statuses = [from(&bench, "1.1.1.1").await, from(&bench, "1.1.1.2").await];
        assert_eq!(statuses, [200, 200]);
        assert_eq!(from(&bench, "1.1.1.3").await, 429, "one writes into it what one likes");
    });
    let trusting = |config: &mut Config| {
        limited(config);
        config.flood.trust_forwarded = true;
    };
    run_with(trusting, async |bench| {
        for _ in 0..2 {
            assert_eq!(from(&bench, "1.1.1.1").await, 200);
        }
        assert_eq!(from(&bench, "1.1.1.1").await, 429);
        assert_eq!(from(&bench, "1.1.1.2").await, 200, "each client has a limit of its own");
    });
}

#[test]
fn without_a_limit_nothing_is_counted_or_refused() {
    run_with(
        |_| {},
        async |bench| {
            for _ in 0..200 {
                ping(&bench).await.ok();
            }
            assert_eq!(runtime::counters().board().sum("flood_addresses"), 0);
        },
    );
}
