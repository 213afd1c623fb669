//! A scrape of what shards counted.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use kakera_shards::{
    ShardId,
    runtime::{ExecutorConfig, block_on, counters},
};

use super::*;
use crate::{error::ErrorKind, limits::METRICS_CALLS_MAX};

/// Runs on an executor, because only there are counters to be had.
fn on_a_shard<T>(check: impl FnOnce(&kakera_shards::Counters) -> T) -> T {
    block_on(&ExecutorConfig::default(), async { check(&counters()) }).unwrap()
}

fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn calls_are_seen_by_label_by_rpc_and_overall_and_summed_over_shards() {
    let text = on_a_shard(|counters| {
        let metrics = Metrics::new(&Config::default(), counters.board().clone());
        let shards = [metrics.shard(counters, ShardId(0)), metrics.shard(counters, ShardId(1))];
        let bytes = Bytes { received: 10, sent: 100 };
        for shard in &shards {
            shard.call(Transport::Api, "GetAccount", None, Duration::from_micros(700), bytes);
            shard.call(
                Transport::Api,
                "GetAccount",
                Some(ErrorKind::NotFound),
                Duration::from_secs(2),
                bytes,
            );
        }
        shards[0].call(Transport::ApiRpc, "roll", None, Duration::from_micros(1), bytes);
        shards[0].message_in(7, true);
        shards[1].message_out(70);
        counters.counter("mesh_events_dropped", "").add(3);
        counters.counter("stream_deliveries_dropped", "").add(4);
        metrics.render()
    });
    let node = "node_name=\"nakama\"";
    let labels = |rpc: &str, code: &str| {
        format!("{{{node},transport=\"api\",rpc_id=\"{rpc}\",rpc_code=\"{code}\"}}")
    };
    for (series, expected) in [
        (format!("nakama_count{}", labels("GetAccount", "OK")), 2.0),
        (format!("nakama_count{}", labels("GetAccount", "NotFound")), 2.0),
        (format!("nakama_sent_bytes{}", labels("GetAccount", "OK")), 200.0),
        (format!("nakama_latency_sum{}", labels("GetAccount", "NotFound")), 4.0),
        (format!("nakama_GetAccount_count{{{node}}}"), 4.0),
        (format!("nakama_GetAccount_errors{{{node}}}"), 2.0),
        (format!("nakama_GetAccount_latency_ms_count{{{node}}}"), 4.0),
        (format!("nakama_Rpc_count{{{node},rpc_id=\"roll\"}}"), 1.0),
        (format!("nakama_overall_request_count{{{node}}}"), 5.0),
        (format!("nakama_dropped_events{{{node}}}"), 7.0),
        (format!("nakama_overall_count{{{node}}}"), 6.0),
        (format!("nakama_overall_errors{{{node}}}"), 3.0),
        (format!("nakama_overall_recv_bytes{{{node}}}"), 57.0),
        (format!("nakama_overall_sent_bytes{{{node}}}"), 570.0),
        (format!("nakama_overall_latency_ms_bucket{{{node},le=\"0.001\"}}"), 3.0),
        (format!("nakama_overall_latency_ms_bucket{{{node},le=\"+Inf\"}}"), 5.0),
    ] {
        assert_eq!(value(&text, &series), Some(expected), "{series}\n{text}");
    }
    let bucket = format!(
        "nakama_latency_bucket{{{node},transport=\"api\",rpc_id=\"GetAccount\",rpc_code=\"OK\",le="
    );
    assert_eq!(value(&text, &format!("{bucket}\"0.0005\"}}")), Some(0.0), "{text}");
    assert_eq!(value(&text, &format!("{bucket}\"0.001\"}}")), Some(2.0), "{text}");
}

#[test]
fn prefix_and_namespace_follow_the_configuration() {
    let mut config = Config::default();
    config.metrics.prefix = String::new();
    config.metrics.namespace = "blue".into();
    config.name = "node-1".into();
    let text = on_a_shard(|counters| {
        let metrics = Metrics::new(&config, counters.board().clone());
        metrics.shard(counters, ShardId(0)).sessions.set(3);
        counters.gauge("mailbox_len", "Messages waiting.").set(9);
        metrics.add_source(|samples| {
            samples.push(Sample {
                name: "log_dropped",
                help: "Lines.",
                kind: Kind::Counter,
                value: 2.0,
            });
        });
        metrics.render()
    });
    let labels = "node_name=\"node-1\",namespace=\"blue\"";
    assert_eq!(value(&text, &format!("sessions{{{labels}}}")), Some(3.0), "{text}");
    assert_eq!(value(&text, &format!("mailbox_len{{{labels},shard=\"0\"}}")), Some(9.0), "{text}");
    assert_eq!(value(&text, &format!("log_dropped{{{labels}}}")), Some(2.0), "{text}");
    assert!(text.contains("# TYPE sessions gauge"));
    assert!(value(&text, &format!("process_open_fds{{{labels}}}")).is_some());
}

#[test]
fn more_rpc_ids_than_the_bound_count_as_other() {
    let text = on_a_shard(|counters| {
        let metrics = Metrics::new(&Config::default(), counters.board().clone());
        let shard = metrics.shard(counters, ShardId(0));
        for id in 0..METRICS_CALLS_MAX + 5 {
            let rpc = format!("rpc-{id}");
            shard.call(Transport::WsRpc, &rpc, None, Duration::ZERO, Bytes::default());
        }
        metrics.render()
    });
    assert_eq!(value(&text, "nakama_Rpc_count{node_name=\"nakama\",rpc_id=\"other\"}"), Some(5.0));
    assert_eq!(value(&text, "nakama_Rpc_count{node_name=\"nakama\",rpc_id=\"rpc-0\"}"), Some(1.0));
    let series = text.lines().filter(|line| line.starts_with("nakama_Rpc_count{")).count();
    assert_eq!(series, METRICS_CALLS_MAX + 1);
}

#[test]
fn the_listener_answers_scrapes_survives_rubbish_and_ends_when_dropped() {
    let metrics = Metrics::new(&Config::default(), Board::default());
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let server = MetricsServer::start(address, Duration::from_millis(300), metrics).unwrap();
    let ask = |request: &[u8]| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    let silent = TcpStream::connect(server.address()).unwrap();
    let answer = ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("process_open_fds"),
        "{answer}"
    );
    drop(silent);
    assert!(ask(b"POST / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(ask(b"HEAD / HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
    ask(&vec![b'x'; 64 * 1024]);
    assert!(ask(b"GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
    let address = server.address();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
