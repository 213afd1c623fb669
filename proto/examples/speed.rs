//! How long JSON takes for the envelopes that sockets carry most, with the protobuf encoding beside it
//! as the floor; and how long a request takes from its path to its message.
//!
//! `cargo run --release -p kakera-proto --example speed`

use std::{hint::black_box, time::Instant};

use bytes::Bytes;
use kakera_proto::{
    api::{AuthenticateDeviceRequest, ListLeaderboardRecordsRequest},
    json::{self, Unknown, Unset},
    realtime::{
        ChannelMessageSend, Envelope, MatchData, MatchDataSend, UserPresence, envelope::Message,
    },
    routes::{Routed, Rpc, Service as _},
};
use prost::Message as _;

/// Short enough that some repeats run without another process in between; the best one counts.
const ROUNDS: u32 = 1_000;
const REPEATS: u32 = 1_000;

fn main() {
    let presence = || UserPresence {
        user_id: "8f4e52a2-7f7e-4f0b-a6c5-6a1d2b0d9c11".into(),
        session_id: "0e7c4f9a-5d3b-11ef-9a53-0242ac120002".into(),
        username: "swift-otter".into(),
        ..Default::default()
    };
    let match_id = "5c2f0f5e-0d7f-4f8e-9a27-2f9f8f6f0d6c.node-1";
    let data = Bytes::from_static(b"{\"x\":12.25,\"y\":-3.5,\"facing\":90}");
    for (name, message) in [
        (
            "channel_message_send",
            Message::ChannelMessageSend(ChannelMessageSend {
                channel_id: "2...general".into(),
                content: r#"{"text":"good game, well played!"}"#.into(),
            }),
        ),
        (
            "match_data_send",
            Message::MatchDataSend(MatchDataSend {
                match_id: match_id.into(),
                op_code: 4,
                data: data.clone(),
                ..Default::default()
            }),
        ),
        (
            "match_data",
            Message::MatchData(MatchData {
                match_id: match_id.into(),
                presence: Some(presence()),
                op_code: 4,
                data,
                reliable: true,
            }),
        ),
    ] {
        let envelope = Envelope { cid: "42".into(), message: Some(message) };
        let text = json::to_vec(&envelope, Unset::Omit);
        let wire = Bytes::from(envelope.encode_to_vec());
        println!("{name}: {} bytes of JSON, {} of protobuf", text.len(), wire.len());
        measure("  read JSON", || {
            json::from_slice::<Envelope>(black_box(&text), Unknown::Refuse).is_ok()
        });
        measure("  read protobuf", || Envelope::decode(black_box(wire.clone())).is_ok());
        let mut out = Vec::with_capacity(1024);
        measure("  write JSON", || {
            out.clear();
            json::append(&mut out, black_box(&envelope), Unset::Omit);
            !out.is_empty()
        });
        measure("  write protobuf", || {
            out.clear();
            black_box(&envelope).encode(&mut out).is_ok()
        });
    }
    requests();
}

fn requests() {
    println!("requests, from path to message");
    let body = br#"{"id":"3d5f8c3e-6c0b-4a53-8a0e-2f3f4c1f9d10"}"#;
    measure("  sign-in", || {
        let path = black_box("/v2/account/authenticate/device");
        let Routed::Call(found) = Rpc::route("POST", path) else { return false };
        found.decode::<AuthenticateDeviceRequest>("create=true&username=swift-otter", body).is_ok()
    });
    measure("  list records", || {
        let path = black_box("/v2/leaderboard/weekly");
        let Routed::Call(found) = Rpc::route("GET", path) else { return false };
        let query = "owner_ids=8f4e52a2-7f7e-4f0b-a6c5-6a1d2b0d9c11&limit=100&cursor=";
        found.decode::<ListLeaderboardRecordsRequest>(query, b"").is_ok()
    });
}

fn measure(name: &str, mut run: impl FnMut() -> bool) {
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            assert!(black_box(run()));
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name:<18}{:>7.0} ns", best * 1e9 / f64::from(ROUNDS));
}
