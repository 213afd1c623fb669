//! The realtime interface of a whole server, driven by WebSocket clients of another implementation.
//!
//! Servers have two shards; where it matters the test makes sure that its clients are on different ones.

mod support;

use std::{
    io::Read as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kakera_proto::realtime::{
    ChannelJoin, ChannelMessageSend, MatchDataSend, MatchJoin, envelope::Message as Payload,
    match_join,
};
use serde_json::{Value, json};
use tungstenite::{Message, protocol::frame::coding::CloseCode};
use uuid::Uuid;

use support::{
    http::{self, sign_in, user_id},
    metrics::Metrics,
    server::{Ports, Server},
    socket::{JsonClient, PATIENCE, ProtoClient, expect_close, open, read_close},
    stores::{Store, on_both_stores},
};

/// How often a client reconnects at most to get to another shard; the chance to fail is 1 in 2^40.
const TRIES: usize = 40;

/// A JSON client and a protobuf client of two users, on different shards.
fn on_two_shards(server: SocketAddr, more: &str) -> (JsonClient, ProtoClient) {
    let (alice, bob) = (sign_in(server, "device-of-alice"), sign_in(server, "device-of-bob"));
    let mut one = JsonClient::connect(server, &alice, more);
    let home = one.session_id().home();
    for _ in 0..TRIES {
        let mut two = ProtoClient::connect(server, &bob, more);
        let other = two.session_id().home();
        if other.shard != home.shard {
            assert_eq!(other.node, home.node);
            return (one, two);
        }
    }
    panic!("{TRIES} connections in a row came to shard {home}");
}

fn join_room(name: &str) -> Value {
    json!({"channel_join": {"target": name, "type": 1, "persistence": false}})
}

fn proto_join_room(name: &str) -> Payload {
    Payload::ChannelJoin(ChannelJoin {
        target: name.to_owned(),
        r#type: 1,
        persistence: Some(false),
        hidden: None,
    })
}

#[test]
fn two_users_on_different_shards_chat_in_a_room_and_see_each_other() {
    let server = Server::start();
    let (mut alice, mut bob) = on_two_shards(server.address(), "");
    let joined = alice.call(join_room("lobby"));
    let channel = joined["channel"]["id"].as_str().expect("a channel has an id").to_owned();
    assert_eq!(channel, "2...lobby");
    assert_eq!(joined["channel"].get("presences"), None, "nobody else is there");

    let joined = bob.call(proto_join_room("lobby"));
    let Some(Payload::Channel(joined)) = joined else { panic!("not a channel: {joined:?}") };
    let there: Vec<_> = joined.presences.iter().map(|p| p.session_id.clone()).collect();
    assert_eq!(there, [alice.session_id().to_string()]);
    let event = alice.wait("bob's join", |seen| {
        seen["channel_presence_event"]["joins"][0]["session_id"] == bob.own_id()
    });
    assert_eq!(event["channel_presence_event"]["room_name"], "lobby");

    let ack = alice.call(json!({"channel_message_send":
        {"channel_id": channel, "content": "{\"hello\":\"bob\"}"}}));
    assert_eq!(ack["channel_message_ack"]["channel_id"], channel);
    let heard = bob.wait("alice's message", |seen| {
        matches!(&seen.message, Some(Payload::ChannelMessage(message))
            if message.content == "{\"hello\":\"bob\"}")
    });
    assert_eq!(heard.cid, "");
    // The sender hears itself too.
    assert_eq!(alice.expect("channel_message")["content"], "{\"hello\":\"bob\"}");

    let answer = bob.call(Payload::ChannelMessageSend(ChannelMessageSend {
        channel_id: channel.clone(),
        content: "{\"hello\":\"alice\"}".to_owned(),
    }));
    assert!(matches!(answer, Some(Payload::ChannelMessageAck(_))), "{answer:?}");
    assert_eq!(alice.expect("channel_message")["content"], "{\"hello\":\"alice\"}");

    let bob_id = bob.own_id();
    bob.socket.close(None).expect("a close frame is sent");
    let left = alice.wait("bob's leave", |seen| {
        seen["channel_presence_event"]["leaves"][0]["session_id"] == bob_id
    });
    assert_eq!(left["channel_presence_event"].get("joins"), None);
}

#[test]
fn a_direct_channel_needs_somebody_at_its_other_end_and_a_group_channel_membership() {
    on_both_stores(|store| {
        let server = store.server(&[]);
        let (mut alice, mut bob) = on_two_shards(server.address(), "");
        let user = |device| user_id(server.address(), &sign_in(server.address(), device));
        let (alice_user, bob_user) = (user("device-of-alice"), user("device-of-bob"));
        let joined = alice.call(json!({"channel_join": {"target": bob_user, "type": 2}}));
        let answer = bob.call(Payload::ChannelJoin(ChannelJoin {
            target: alice_user,
            r#type: 2,
            persistence: None,
            hidden: None,
        }));
        let Some(Payload::Channel(channel)) = answer else { panic!("not a channel: {answer:?}") };
        assert_eq!(joined["channel"]["id"], channel.id, "both ends name it alike");
        assert_eq!(channel.presences.len(), 1);

        let nobody = "9cf7ac81-b6c1-4eb6-8b9a-2a3ec1dd8d0b";
        for kind in [2, 3] {
            let refused = alice.call(json!({"channel_join": {"target": nobody, "type": kind}}));
            assert_eq!(refused["error"]["code"], 3, "{refused}");
        }
    });
}

#[test]
fn a_client_may_join_and_send_without_waiting_in_between() {
    let server = Server::start();
    let token = sign_in(server.address(), "device-of-alice");
    let mut alice = JsonClient::connect(server.address(), &token, "");
    let mut cids = Vec::new();
    for n in 0..30 {
        let room = format!("room-{n}");
        cids.push(alice.send(join_room(&room)));
        cids.push(alice.send(json!({"channel_message_send":
            {"channel_id": format!("2...{room}"), "content": format!("{{\"n\":{n}}}")}})));
        cids.push(alice.send(json!({"channel_leave": {"channel_id": format!("2...{room}")}})));
    }
    let mut answered = Vec::new();
    while answered.len() < cids.len() {
        let reply = alice.wait("a reply", |seen| seen.get("cid").is_some());
        assert_eq!(reply.get("error"), None, "{reply}");
        answered.push(reply["cid"].as_str().expect("a cid is text").to_owned());
    }
    assert_eq!(answered, cids, "replies come in the order of the requests");
}

#[test]
fn a_user_follows_the_status_of_another_on_another_shard() {
    on_both_stores(|store| {
        let server = store.server(&[]);
        let (mut alice, mut bob) = on_two_shards(server.address(), "&status=true");
        let bob_user = user_id(server.address(), &sign_in(server.address(), "device-of-bob"));
        let followed = alice.call(json!({"status_follow": {"user_ids": [bob_user]}}));
        let presence = &followed["status"]["presences"][0];
        assert_eq!((&presence["user_id"], &presence["status"]), (&json!(bob_user), &json!("")));

        let update = kakera_proto::realtime::StatusUpdate { status: Some("in a match".to_owned()) };
        assert_eq!(bob.call(Payload::StatusUpdate(update)), None);
        let event = alice.wait("bob's status", |seen| {
            seen["status_presence_event"]["joins"][0]["status"] == "in a match"
        });
        assert_eq!(event["status_presence_event"]["joins"][0]["session_id"], bob.own_id());

        let appear_offline = kakera_proto::realtime::StatusUpdate { status: None };
        assert_eq!(bob.call(Payload::StatusUpdate(appear_offline)), None);
        alice.wait("bob's leave", |seen| {
            let event = &seen["status_presence_event"];
            event.get("joins").is_none() && event["leaves"][0]["session_id"] == bob.own_id()
        });
        assert_eq!(
            alice.call(json!({"status_unfollow": {"user_ids": [bob_user]}})).get("error"),
            None
        );
    });
}

#[test]
fn players_on_different_shards_exchange_match_data() {
    let server = Server::start();
    let (mut alice, mut bob) = on_two_shards(server.address(), "");
    let created = alice.call(json!({"match_create": {}}));
    let match_id = created["match"]["match_id"].as_str().expect("a match has an id").to_owned();
    assert!(match_id.ends_with('.'), "{match_id}");
    let join =
        MatchJoin { id: Some(match_join::Id::MatchId(match_id.clone())), ..Default::default() };
    let joined = bob.call(Payload::MatchJoin(join));
    let Some(Payload::Match(joined)) = joined else { panic!("not a match: {joined:?}") };
    assert_eq!((joined.size, joined.presences.len()), (1, 1));
    alice.expect("match_presence_event");

    let cid = alice.send(json!({"match_data_send":
        {"match_id": match_id, "op_code": "7", "data": "aGkgYm9i", "reliable": true}}));
    let data =
        bob.wait("data of alice", |seen| matches!(seen.message, Some(Payload::MatchData(_))));
    let Some(Payload::MatchData(data)) = data.message else { unreachable!("just matched") };
    assert_eq!((data.op_code, &data.data[..], data.reliable), (7, &b"hi bob"[..], true));

    bob.send(Payload::MatchDataSend(MatchDataSend {
        match_id: match_id.clone(),
        op_code: 8,
        data: b"hi alice".as_slice().into(),
        ..MatchDataSend::default()
    }));
    let data = alice.expect("match_data");
    assert_eq!((&data["op_code"], &data["data"]), (&json!("8"), &json!("aGkgYWxpY2U=")));
    assert_eq!(data.get("reliable"), None);
    let seen = alice.drain();
    assert!(!seen.iter().any(|seen| seen["cid"] == cid.as_str()), "data has no reply: {seen:?}");

    let gone =
        alice.call(json!({"match_join": {"match_id": "9cf7ac81-b6c1-4eb6-8b9a-2a3ec1dd8d0b."}}));
    assert_eq!(
        (&gone["error"]["code"], gone["error"]["message"].as_str()),
        (&json!(4), Some("Match not found"))
    );
}

#[test]
fn what_is_not_built_or_not_known_is_answered_and_costs_nothing() {
    let server = Server::start();
    let token = sign_in(server.address(), "device-of-alice");
    let mut alice = JsonClient::connect(server.address(), &token, "");
    let refused = alice.call(json!({"rpc": {"id": "nothing"}}));
    assert_eq!(
        (&refused["error"]["code"], &refused["error"]["message"]),
        (&json!(6), &json!("RPC function not found"))
    );
    for (message, code) in [
        (json!({"matchmaker_add": {"min_count": 2, "max_count": 2, "query": "a:"}}), Value::Null),
        (json!({"party_matchmaker_add": {"min_count": 2, "max_count": 2}}), json!(3)),
        (json!({"party_create": {"open": true, "max_size": 257}}), json!(3)),
        (json!({"channel_join": {"target": "", "type": 1}}), json!(3)),
        (json!({"channel_message_send": {"channel_id": "2...lobby", "content": "{}"}}), json!(3)),
        (json!({"match_leave": {"match_id": "nonsense"}}), json!(3)),
        (json!({"status_follow": {"user_ids": ["nonsense"]}}), json!(3)),
    ] {
        let refused = alice.call(message.clone());
        // A code of 0 is left out, as every default is.
        assert_eq!(refused["error"]["code"], code, "{message} is answered {refused}");
    }
    assert_eq!(alice.call(json!({"ping": {}}))["pong"], json!({}));
}

#[test]
fn what_is_no_envelope_closes_the_session_with_1000() {
    let server = Server::start();
    let token = sign_in(server.address(), "device-of-alice");
    let frames: [(&str, Message); 9] = [
        ("json", Message::text("{")),
        ("json", Message::text("{}")),
        ("json", Message::text("{\"pingg\":{}}")),
        ("json", Message::text("{\"ping\":{\"x\":1}}")),
        ("json", Message::text("{\"pong\":{},\"ping\":{}}")),
        ("json", Message::text("{\"cid\":\"1\",\"status\":{}}")),
        ("json", Message::binary(vec![0])),
        ("protobuf", Message::binary(vec![0xff])),
        ("protobuf", Message::text("{\"ping\":{}}")),
    ];
    for (format, frame) in frames {
        let what = format!("{frame:?} as {format}");
        let query = format!("token={token}&format={format}");
        let mut socket = open(server.address(), &query).expect("the socket opens");
        socket.send(frame).expect("the frame is sent");
        let closed = read_close(&mut socket).unwrap_or_else(|| panic!("{what} is not closed"));
        assert_eq!(closed.code, CloseCode::Normal, "{what}: {closed:?}");
    }
    // An empty protobuf message is an envelope without a message.
    let mut socket = open(server.address(), &format!("token={token}&format=protobuf"))
        .expect("the socket opens");
    socket.send(Message::binary(vec![])).expect("the frame is sent");
    expect_close(&mut socket, CloseCode::Normal);
}

#[test]
fn a_message_over_the_limit_closes_with_1009() {
    let server = Server::start_with(&["--socket.max_message_size_bytes=1000"]);
    let token = sign_in(server.address(), "device-of-alice");
    let mut socket = open(server.address(), &format!("token={token}")).expect("the socket opens");
    socket.send(Message::text("x".repeat(1001))).expect("the frame is sent");
    expect_close(&mut socket, CloseCode::Size);
}

#[test]
fn what_a_bound_refuses_is_told_to_the_client_and_counted() {
    let ports = Ports::free();
    let metrics = format!("--metrics.prometheus_port={}", ports.console);
    let server = Server::start_with(&[
        &metrics,
        "--socket.max_message_size_bytes=1000",
        "--socket.max_request_size_bytes=1000",
        // Notifications and status are two of them.
        "--session.max_streams=3",
        "--tracker.max_presences_per_stream=2",
    ]);
    let (address, metrics) = (server.address(), Metrics::on(ports.console));
    let [mut alice, mut bob, mut cat] = ["alice", "bob", "cat"].map(|name| {
        let token = sign_in(address, &format!("device-of-{name}"));
        JsonClient::connect(address, &token, "&status=true")
    });
    let refused = |reply: &Value| reply["error"]["message"].as_str().unwrap_or("none").to_owned();
    alice.call(join_room("lobby"));
    let reply = alice.call(join_room("hall"));
    assert!(refused(&reply).contains("joined too many streams"), "{reply}");
    metrics.expect("nakama_stream_joins_refused", 1.0);
    bob.call(join_room("lobby"));
    let reply = cat.call(join_room("lobby"));
    assert!(refused(&reply).contains("stream is full"), "{reply}");
    metrics.expect("nakama_stream_joins_refused", 2.0);

    cat.socket.send(Message::text("x".repeat(1001))).expect("the frame is sent");
    expect_close(&mut cat.socket, CloseCode::Size);
    metrics.expect("nakama_sessions_oversize", 1.0);
    bob.socket.send(Message::text("{")).expect("the frame is sent");
    expect_close(&mut bob.socket, CloseCode::Normal);
    metrics.expect("nakama_sessions_malformed", 1.0);

    let long = json!({"id": "x".repeat(2000)}).to_string();
    let path = "/v2/account/authenticate/device";
    let reply = http::request(address, "POST", path, http::SERVER_KEY, &long).expect("an answer");
    assert_eq!(
        (reply.status, &reply.body["message"]),
        (400, &json!("http: request body too large"))
    );
    metrics.expect("nakama_http_bodies_too_large", 1.0);
    assert!(alice.call(json!({"ping": {}})).get("pong").is_some(), "others go on");
}

#[test]
fn a_handshake_without_a_valid_token_or_format_is_refused() {
    let server = Server::start();
    let token = sign_in(server.address(), "device-of-alice");
    for (query, status) in [
        ("format=json".to_owned(), 401),
        ("token=a.b.c".to_owned(), 401),
        (format!("token={token}&format=xml"), 400),
    ] {
        match open(server.address(), &query) {
            Err(tungstenite::Error::Http(response)) => {
                assert_eq!(response.status(), status, "{query}");
            }
            other => panic!("{query}: {other:?}"),
        }
    }
    let logout = http::request(
        server.address(),
        "POST",
        "/v2/session/logout",
        &format!("Bearer {token}"),
        &json!({"token": token}).to_string(),
    )
    .expect("the server answers");
    assert_eq!(logout.status, 200);
    for _ in 0..8 {
        // Whichever shard it comes to knows of the logout.
        assert!(open(server.address(), &format!("token={token}")).is_err());
    }
}

#[test]
fn a_second_socket_closes_the_first_on_whichever_shard_it_is() {
    let server = Server::start_with(&["--session.single_socket=true"]);
    let token = sign_in(server.address(), "device-of-alice");
    let mut first = JsonClient::connect(server.address(), &token, "");
    let mut shards_met = [false; 2];
    for _ in 0..TRIES {
        let before = first.session_id().home().shard;
        let mut second = JsonClient::connect(server.address(), &token, "");
        let after = second.session_id().home().shard;
        let farewell = first.expect("notifications");
        let notification = &farewell["notifications"][0];
        assert_eq!(
            (&notification["code"], &notification["subject"]),
            (&json!(-7), &json!("single_socket"))
        );
        expect_close(&mut first.socket, CloseCode::Normal);
        shards_met[usize::from(before != after)] = true;
        first = second;
        if shards_met == [true; 2] {
            return;
        }
    }
    panic!("the sockets did not meet both on one shard and on two");
}

#[test]
fn a_client_that_does_not_read_is_cut_and_the_others_are_served() {
    let server = Server::start_with(&[
        "--socket.max_message_size_bytes=65536",
        "--socket.outgoing_queue_size=16",
        "--socket.outgoing_queue_size_bytes=262144",
    ]);
    let (mut alice, mut bob) = on_two_shards(server.address(), "");
    let created = alice.call(json!({"match_create": {}}));
    let match_id = created["match"]["match_id"].as_str().expect("a match has an id").to_owned();
    let join =
        MatchJoin { id: Some(match_join::Id::MatchId(match_id.clone())), ..Default::default() };
    bob.call(Payload::MatchJoin(join));
    alice.expect("match_presence_event");
    // Bob stops reading; the kernel's buffers fill up, then the server's queue.
    let data = json!({"match_data_send":
        {"match_id": match_id, "op_code": "1", "data": "QUJD".repeat(10_000)}});
    let deadline = Instant::now() + Duration::from_secs(30);
    let left = loop {
        for _ in 0..20 {
            alice.send(data.clone());
        }
        let seen = alice.drain();
        let left = seen.iter().find(|seen| seen["match_presence_event"].get("leaves").is_some());
        if let Some(left) = left {
            break left["match_presence_event"]["leaves"][0]["session_id"].clone();
        }
        assert!(Instant::now() < deadline, "a client that does not read is still there");
    };
    assert_eq!(left, bob.own_id());
    assert_eq!(alice.call(json!({"ping": {}}))["pong"], json!({}), "others go on");
}

#[test]
fn a_silent_client_is_pinged_and_given_up_and_one_that_answers_stays() {
    let server = Server::start_with(&[
        "--socket.ping_period_ms=300",
        "--socket.pong_wait_ms=900",
        "--socket.close_ack_wait_ms=200",
    ]);
    let token = sign_in(server.address(), "device-of-alice");
    let mut silent = open(server.address(), &format!("token={token}")).expect("the socket opens");
    // Tungstenite answers pings when it reads, so a client that reads the bare stream is silent.
    let began = Instant::now();
    let mut bytes = Vec::new();
    let ended = silent.get_mut().read_to_end(&mut bytes);
    assert!(ended.is_ok() && began.elapsed() < PATIENCE, "not given up: {ended:?}");
    assert!(began.elapsed() > Duration::from_millis(850), "given up after {:?}", began.elapsed());
    assert!(bytes.windows(2).any(|bytes| bytes == [0x89, 0]), "no ping in {bytes:?}");
    let mut answering = JsonClient::connect(server.address(), &token, "");
    for _ in 0..4 {
        // Each call reads, and so answers the pings that came.
        assert_eq!(answering.call(json!({"ping": {}}))["pong"], json!({}));
        std::thread::sleep(Duration::from_millis(400));
    }
}

#[test]
fn clients_that_come_and_go_in_every_way_leave_nothing_behind() {
    on_both_stores(|store| {
        const CLIENTS: usize = 6;
        const ROUNDS: usize = 12;
        let ports = Ports::free();
        let flag = format!("--metrics.prometheus_port={}", ports.console);
        let server = store.server(&[&flag]);
        let address = server.address();
        // The party that was made last, which may be over.
        let party = Arc::new(Mutex::new(String::new()));
        let threads: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let party = Arc::clone(&party);
                std::thread::spawn(move || {
                    let token = sign_in(address, &format!("device-number-{n}"));
                    for round in 0..ROUNDS {
                        let mut client = JsonClient::connect(address, &token, "&status=true");
                        client.call(join_room("lobby"));
                        client.call(json!({"match_create": {"name": "arena"}}));
                        let known = party.lock().expect("nobody panics").clone();
                        client.call(json!({"party_join": {"party_id": known}}));
                        if (n + round) % 3 == 0 {
                            let open = round % 2 == 0;
                            let create = json!({"party_create": {"open": open, "max_size": 4}});
                            let id = client.call(create)["party"]["party_id"].clone();
                            *party.lock().expect("nobody panics") =
                                id.as_str().expect("an id").to_owned();
                        }
                        client.send(json!({"channel_message_send":
                            {"channel_id": "2...lobby", "content": "{}"}}));
                        match (n + round) % 4 {
                            // A proper close.
                            0 => client.socket.close(None).expect("a close frame is sent"),
                            // The connection breaks with a join on its way.
                            1 => drop(client.send(join_room("hall"))),
                            // The server closes.
                            2 => {
                                client.socket.send(Message::text("{")).expect("the frame is sent");
                                expect_close(&mut client.socket, CloseCode::Normal);
                            }
                            // Leaves first, in the other order.
                            _ => {
                                client.call(json!({"channel_leave": {"channel_id": "2...lobby"}}));
                                client.call(json!({"status_update": {}}));
                            }
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("a client is served");
        }
        let metrics = Metrics::on(ports.console);
        let opened = metrics.sum("nakama_socket_ws_opened");
        assert!(opened >= (CLIENTS * ROUNDS) as f64, "{opened}");
        for nothing in [
            "nakama_sessions",
            "nakama_presences",
            "nakama_streams",
            "nakama_memberships",
            "nakama_parties",
            "nakama_relayed_matches",
            "nakama_users_with_sessions",
            "nakama_task_panics",
        ] {
            metrics.expect(nothing, 0.0);
        }
        assert!((metrics.sum("nakama_socket_ws_closed") - opened).abs() < 0.5);
    });
}

#[test]
fn sigterm_says_goodbye_to_every_socket_and_ends_in_time() {
    let mut server = Server::start_with(&["--shutdown_grace_sec=5"]);
    let (mut alice, mut bob) = on_two_shards(server.address(), "");
    server.signal("TERM");
    expect_close(&mut alice.socket, CloseCode::Away);
    expect_close(&mut bob.socket, CloseCode::Away);
    let status = server.wait(Duration::from_secs(5));
    assert!(status.success(), "{status}: {}", server.log());
    assert!(server.log().contains("Shutdown complete"), "{}", server.log());
}

#[test]
fn without_grace_a_client_that_does_not_answer_the_close_holds_nobody_up() {
    let mut server = Server::start();
    let (mut alice, _bob_does_not_read) = on_two_shards(server.address(), "");
    let began = Instant::now();
    server.signal("TERM");
    expect_close(&mut alice.socket, CloseCode::Away);
    let status = server.wait(Duration::from_secs(3));
    assert!(status.success(), "{status}: {}", server.log());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_killed_server_starts_again_with_every_account_it_acknowledged() {
    on_both_stores(|store| {
        let server = store.server(&[]);
        let address = server.address();
        let users: Vec<(String, String)> = (0..20)
            .map(|n| {
                let device = format!("device-number-{n:04}");
                let token = sign_in(address, &device);
                (device, user_id(address, &token))
            })
            .collect();
        let token = sign_in(address, &users[0].0);
        let mut socket = JsonClient::connect(address, &token, "");
        socket.call(json!({"ping": {}}));

        let data = server.kill();
        let server = store.server_in(data, &[]);
        for (device, user) in users {
            let token = sign_in(server.address(), &device);
            assert_eq!(user_id(server.address(), &token), user);
        }
        // A session token outlives the process that issued it.
        JsonClient::connect(server.address(), &token, "").call(json!({"ping": {}}));
    });
}

/// Makes, changes or ends (`None`) what a user is in a group, as nothing that tells the server of it does.
fn set_member(on: (&Store, &Server), group: Uuid, user: Uuid, state: Option<u8>) {
    let (store, server) = on;
    let position = u16::from_be_bytes([user.as_bytes()[0], user.as_bytes()[1]]);
    let (group, user) = (store.uuid(group), store.uuid(user));
    let insert = state.map_or_else(String::new, |state| {
        format!(
            "insert into group_edge (source_id, position, destination_id, state) \
             values ({group}, {position}, {user}, {state});"
        )
    });
    let sql = format!(
        "insert into groups (id, creator_id, name, edge_count) values ({group}, {user}, 'a group', 1) \
         on conflict (id) do nothing; \
         delete from group_edge where source_id = {group} and destination_id = {user}; {insert}"
    );
    store.execute(server, &sql);
}

#[test]
fn a_group_channel_is_its_members_on_any_shard() {
    on_both_stores(|store| {
        let server = store.server(&[]);
        let (mut alice, mut bob) = on_two_shards(server.address(), "");
        let user = |device| {
            let id = user_id(server.address(), &sign_in(server.address(), device));
            id.parse::<Uuid>().expect("a user id")
        };
        let (alice_user, bob_user) = (user("device-of-alice"), user("device-of-bob"));
        let group = Uuid::new_v4();
        let on = (store, &server);
        set_member(on, group, alice_user, Some(0));

        let join = json!({"channel_join": {"target": group.to_string(), "type": 3}});
        let bobs_join = |hidden| {
            Payload::ChannelJoin(ChannelJoin {
                target: group.to_string(),
                r#type: 3,
                persistence: None,
                hidden: Some(hidden),
            })
        };
        let joined = alice.call(join);
        let channel = format!("3.{group}..");
        assert_eq!(joined["channel"]["id"], channel);
        assert_eq!(joined["channel"]["group_id"], group.to_string());
        for state in [None, Some(3), Some(4)] {
            set_member(on, group, bob_user, state);
            let answer = bob.call(bobs_join(false));
            let Some(Payload::Error(refused)) = answer else { panic!("not refused: {answer:?}") };
            let sentence = "Group not found: Invalid channel target";
            assert_eq!((refused.code, refused.message.as_str()), (3, sentence), "{state:?}");
        }
        set_member(on, group, bob_user, Some(2));
        // A hidden member is told of who is there, hears and speaks, and nobody is told of it.
        let answer = bob.call(bobs_join(true));
        let Some(Payload::Channel(joined)) = answer else { panic!("not a channel: {answer:?}") };
        assert_eq!(joined.presences.len(), 1);
        let send = |content: &str| {
            let (channel_id, content) = (channel.clone(), content.to_owned());
            Payload::ChannelMessageSend(ChannelMessageSend { channel_id, content })
        };
        let answer = bob.call(send(r#"{"n":1}"#));
        let Some(Payload::ChannelMessageAck(ack)) = answer else { panic!("not sent: {answer:?}") };
        assert_eq!((ack.group_id.as_str(), ack.persistent), (&*group.to_string(), Some(true)));
        let heard = alice.expect("channel_message");
        assert_eq!(
            (&heard["message_id"], &heard["group_id"]),
            (&json!(ack.message_id), &json!(group.to_string()))
        );
        let bobs = bob.own_id();
        let seen = |envelope: &Value| envelope.to_string().contains(&bobs);
        assert!(!alice.drain().iter().any(seen), "a hidden member is not announced");

        // Out of the group: nothing more, although the session is on the stream until it is taken off.
        set_member(on, group, bob_user, None);
        let answer = bob.call(send(r#"{"n":2}"#));
        let Some(Payload::Error(refused)) = answer else { panic!("not refused: {answer:?}") };
        assert_eq!(refused.message, "Must join channel before sending messages");
        assert_eq!(alice.drain(), Vec::<Value>::new());
    });
}
