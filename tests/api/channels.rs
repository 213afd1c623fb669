//! Histories of channels.

use http::Method;
use kakera::{
    api::grpc::frame::{self, Encoding},
    ids::{StreamId, UserId},
    store::{
        Store, Timestamp,
        messages::{self, MessageRecord},
    },
};
use kakera_proto::{
    api,
    routes::{Call, Service, calls},
};
use prost::Message;
use serde_json::json;
use uuid::Uuid;

use crate::support::{json_in, run};

async fn said(store: &Store, stream: &StreamId, sender: UserId, micros: i64) {
    let message = MessageRecord {
        id: Uuid::new_v4(),
        code: 0,
        sender,
        username: "ann".to_owned(),
        content: format!("{{\"n\":{micros}}}"),
        create_time: Timestamp(micros),
        update_time: Timestamp(micros),
    };
    assert!(messages::insert(store, stream, &message).await.unwrap());
}

#[test]
fn a_room_is_listed_as_the_protocol_writes_it() {
    run(async |bench| {
        let (ann, bob) = (bench.device("device-0001").await, bench.device("device-0002").await);
        let sender = bench.user_id(&ann.session).await;
        let store = &bench.store;
        for micros in [1_700_000_000_123_456, 1_700_000_001_000_000] {
            said(store, &StreamId::room("lobby"), sender, micros).await;
        }
        let uri = "/v2/channel/2...lobby";
        let list = bench.player(&bob.session, Method::GET, uri).send().await.ok();
        assert_eq!(list["messages"].as_array().unwrap().len(), 1, "one unless asked for more");
        let message = &list["messages"][0];
        for (field, value) in [
            ("channel_id", "2...lobby"),
            ("room_name", "lobby"),
            ("sender_id", &*sender.to_string()),
            ("username", "ann"),
            ("create_time", "2023-11-14T22:13:20.123456Z"),
            ("update_time", "2023-11-14T22:13:20.123456Z"),
        ] {
            assert_eq!(message[field], value, "{field}");
        }
        assert_eq!(json_in(&message["content"]), json!({"n": 1_700_000_000_123_456_i64}));
        assert_eq!((&message["code"], &message["persistent"]), (&0.into(), &true.into()));
        for absent in ["group_id", "user_id_one", "user_id_two"] {
            assert_eq!(message.get(absent), None);
        }
        assert_eq!(list.get("prev_cursor"), None);
        let uri = format!("{uri}?limit=5&cursor={}", list["next_cursor"].as_str().unwrap());
        let rest = bench.player(&bob.session, Method::GET, &uri).send().await.ok();
        assert_eq!(rest["messages"].as_array().unwrap().len(), 1);
        assert_eq!(rest.get("next_cursor"), None);
        assert!(rest["prev_cursor"].is_string() && rest["cacheable_cursor"].is_string());
    });
}

#[test]
fn what_is_wrong_with_a_listing_is_told_as_the_protocol_does() {
    run(async |bench| {
        let ann = bench.device("device-0001").await;
        let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
        for (uri, sentence) in [
            ("2...lobby?limit=0".to_owned(), "Invalid limit - limit must be between 1 and 100."),
            ("2...lobby?limit=101".to_owned(), "Invalid limit - limit must be between 1 and 100."),
            ("2...".to_owned(), "Invalid channel ID."),
            ("lobby".to_owned(), "Invalid channel ID."),
            (format!("2...{}", "x".repeat(65)), "Invalid channel ID."),
            (format!("4.{one}.{two}."), "Channel not found."),
            (format!("3.{one}.."), "Group not found."),
            ("2...lobby?cursor=x".to_owned(), "Cursor is invalid or expired."),
            // Before it is asked who may read.
            (format!("3.{one}..?cursor=x"), "Cursor is invalid or expired."),
        ] {
            let uri = format!("/v2/channel/{uri}");
            let reply = bench.player(&ann.session, Method::GET, &uri).send().await;
            assert_eq!(reply.refused(400, 3), sentence, "{uri}");
        }
        let reply = bench.ask(Method::GET, "/v2/channel/2...lobby").send().await;
        assert_eq!(reply.refused(401, 16), "Auth token required");
    });
}

#[test]
fn a_direct_channel_is_listed_over_grpc_for_the_two_who_talk() {
    run(async |bench| {
        let mut players = Vec::new();
        for device in ["device-0001", "device-0002", "device-0003"] {
            let session = bench.device(device).await.session;
            players.push((bench.user_id(&session).await, session));
        }
        let stream = StreamId::direct(players[0].0, players[1].0);
        said(&bench.store, &stream, players[0].0, 1).await;
        let (one, two) = (UserId(stream.subject), UserId(stream.subcontext));
        let request = api::ListChannelMessagesRequest {
            channel_id: format!("4.{one}.{two}."),
            limit: Some(10),
            forward: Some(false),
            cursor: String::new(),
        };
        let body = frame::framed(&request, Encoding::Identity);
        for (number, (_, session)) in players.iter().enumerate() {
            let reply = bench
                .player(session, Method::POST, calls::ListChannelMessages::RPC.grpc_path())
                .http2()
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(body.clone())
                .send()
                .await
                .0;
            if number == 2 {
                assert_eq!(reply.headers["grpc-status"], "3", "{reply:?}");
                assert_eq!(reply.headers["grpc-message"], "Channel not found.");
                continue;
            }
            let message = frame::unary_message(&reply.body, Encoding::Identity, 1 << 20).unwrap();
            let list = api::ChannelMessageList::decode(message).unwrap();
            assert_eq!(list.messages.len(), 1);
            assert_eq!(list.messages[0].user_id_one, one.to_string());
            assert_eq!(list.messages[0].user_id_two, two.to_string());
        }
    });
}
