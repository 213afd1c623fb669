use std::{collections::BTreeMap, fmt};

use super::*;
use crate::{Struct, Timestamp, api, console, realtime, realtime::envelope};

fn lenient<T: Described>(json: &str) -> Result<T, Invalid> {
    from_slice(json.as_bytes(), Unknown::Ignore)
}

fn strict<T: Described>(json: &str) -> Result<T, Invalid> {
    from_slice(json.as_bytes(), Unknown::Refuse)
}

fn text<T: Described>(message: &T) -> String {
    String::from_utf8(to_vec(message, Unset::Omit)).unwrap()
}

fn complete<T: Described>(message: &T) -> serde_json::Value {
    serde_json::from_slice(&to_vec(message, Unset::Print)).unwrap()
}

/// The text is exactly what the message is written as, and reads back as the message.
#[track_caller]
fn round_trip<T: Described + PartialEq + fmt::Debug>(message: &T, json: &str) {
    assert_eq!(text(message), json);
    assert_eq!(strict::<T>(json).as_ref(), Ok(message));
}

#[test]
fn integers_of_64_bits_are_strings_and_defaults_are_left_out() {
    let record = api::LeaderboardRecord {
        leaderboard_id: "weekly".into(),
        username: Some(String::new()),
        score: i64::MAX,
        subscore: -1,
        num_score: 3,
        create_time: Some(Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        ..Default::default()
    };
    round_trip(
        &record,
        r#"{"leaderboard_id":"weekly","username":"","score":"9223372036854775807","subscore":"-1","num_score":3,"create_time":"2023-11-14T22:13:20Z"}"#,
    );
    assert_eq!(text(&api::LeaderboardRecord::default()), "{}");
}

#[test]
fn both_spellings_of_a_name_are_read() {
    let snake = strict::<api::SessionLogoutRequest>(r#"{"refresh_token":"r"}"#).unwrap();
    let camel = strict::<api::SessionLogoutRequest>(r#"{"refreshToken":"r"}"#).unwrap();
    assert_eq!(snake, camel);
    assert_eq!(snake.refresh_token, "r");
}

#[test]
fn wrappers_are_bare_and_tell_absent_from_zero() {
    let request = api::ListGroupsRequest {
        limit: Some(0),
        members: Some(-7),
        open: Some(false),
        ..Default::default()
    };
    round_trip(&request, r#"{"limit":0,"members":-7,"open":false}"#);
    let request: api::ListLeaderboardRecordsRequest =
        strict(r#"{"expiry":"12","limit":null}"#).unwrap();
    assert_eq!((request.expiry, request.limit), (Some(12), None));
}

#[test]
fn enumerations_are_written_as_numbers_and_read_from_both() {
    let board =
        api::Leaderboard { operator: api::Operator::Increment.into(), ..Default::default() };
    round_trip(&board, r#"{"operator":3}"#);
    assert_eq!(strict::<api::Leaderboard>(r#"{"operator":"INCREMENT"}"#), Ok(board));
    // A number that has no name yet is kept, as proto3 asks.
    assert_eq!(strict::<api::Leaderboard>(r#"{"operator":77}"#).unwrap().operator, 77);
    assert_eq!(lenient::<api::Leaderboard>(r#"{"operator":"NEW"}"#).unwrap().operator, 0);
    assert!(strict::<api::Leaderboard>(r#"{"operator":"NEW"}"#).is_err());
}

#[test]
fn maps_bytes_and_lists_round_trip() {
    let add = realtime::MatchmakerAdd {
        min_count: 2,
        string_properties: BTreeMap::from([
            ("region".into(), "eu".into()),
            (String::new(), String::new()),
        ]),
        numeric_properties: BTreeMap::from([("rank".into(), 1.5), ("level".into(), 8.0)]),
        count_multiple: Some(2),
        ..Default::default()
    };
    round_trip(
        &add,
        r#"{"min_count":2,"string_properties":{"":"","region":"eu"},"numeric_properties":{"level":8,"rank":1.5},"count_multiple":2}"#,
    );
    let data = realtime::MatchDataSend {
        match_id: "m".into(),
        op_code: 1 << 40,
        data: Bytes::from_static(b"\x00\xff\xfe"),
        presences: vec![
            realtime::UserPresence::default(),
            realtime::UserPresence {
                user_id: "u".into(),
                status: Some("on \"air\"\n\u{1}\u{e9}".into()),
                ..Default::default()
            },
        ],
        reliable: true,
    };
    round_trip(
        &data,
        r#"{"match_id":"m","op_code":"1099511627776","data":"AP/+","presences":[{},{"user_id":"u","status":"on \"air\"\n\u0001é"}],"reliable":true}"#,
    );
    let message = console::SendDirectMessageRequest {
        integrations: vec![1, 0, 300],
        channels: BTreeMap::from([
            (-1, console::send_direct_message_request::MessageChannels { channels: vec![] }),
            (2, console::send_direct_message_request::MessageChannels { channels: vec![1, 2] }),
        ]),
        ..Default::default()
    };
    round_trip(
        &message,
        r#"{"integrations":[1,0,300],"channels":{"-1":{},"2":{"channels":[1,2]}}}"#,
    );
}

#[test]
fn a_struct_is_any_object() {
    let json = r#"{"content":{"a":null,"b":[1,[],{}],"c":{"d":"e"},"f":true,"g":-0.5}}"#;
    let request: console::SendNotificationRequest = strict(json).unwrap();
    let content: &Struct = request.content.as_ref().unwrap();
    assert_eq!(content.fields.len(), 5);
    round_trip(&request, json);
}

#[test]
fn an_envelope_carries_one_message_and_its_cid() {
    let envelope = realtime::Envelope {
        cid: "7".into(),
        message: Some(envelope::Message::ChannelMessageSend(realtime::ChannelMessageSend {
            channel_id: "2...room".into(),
            content: r#"{"text":"hi"}"#.into(),
        })),
    };
    round_trip(
        &envelope,
        r#"{"cid":"7","channel_message_send":{"channel_id":"2...room","content":"{\"text\":\"hi\"}"}}"#,
    );
    let ping = realtime::Envelope {
        cid: String::new(),
        message: Some(envelope::Message::Ping(realtime::Ping {})),
    };
    round_trip(&ping, r#"{"ping":{}}"#);
    let twice = strict::<realtime::Envelope>(r#"{"ping":{},"pong":{}}"#).unwrap_err();
    assert!(twice.message.contains("oneof `message` is already set"), "{twice}");
    assert!(strict::<realtime::Envelope>(r#"{"ping":null,"pong":{}}"#).is_ok());
}

#[test]
fn sockets_refuse_what_http_passes_over() {
    for json in [
        r#"{"cid":"1","rpc":{"id":"x","extra":[1,{"deep":true}]}}"#,
        r#"{"cid":"1","surprise":null}"#,
        r#"{"cid":"1"} trailing"#,
    ] {
        assert!(strict::<realtime::Envelope>(json).is_err(), "{json}");
        assert_eq!(lenient::<realtime::Envelope>(json).unwrap().cid, "1", "{json}");
    }
}

#[test]
fn a_bad_value_names_its_field() {
    for (json, field) in [
        (r#"{"account":{"id":5}}"#, "id"),
        (r#"{"account":[]}"#, "account"),
        (r#"{"account":{"vars":{"a":1}}}"#, "vars"),
        (r#"{"create":"true"}"#, "create"),
        (r#"{"username":"a","username":"b"}"#, "username"),
    ] {
        let error = lenient::<api::AuthenticateCustomRequest>(json).unwrap_err();
        assert_eq!(error.field, Some(field), "{json}: {error}");
    }
    let long = format!(r#"{{"create":"{}"}}"#, "é".repeat(5_000));
    let error = lenient::<api::AuthenticateCustomRequest>(&long).unwrap_err();
    assert!(error.message.len() < 200, "{error}");
}

#[test]
fn integers_are_read_from_every_spelling_that_is_one() {
    for json in
        [r#"{"score":"12"}"#, r#"{"score":12}"#, r#"{"score":1.2e1}"#, r#"{"score":"12.0"}"#]
    {
        assert_eq!(lenient::<api::LeaderboardRecord>(json).unwrap().score, 12, "{json}");
    }
    for json in [
        r#"{"score":1.5}"#,
        r#"{"score":""}"#,
        r#"{"score":true}"#,
        r#"{"score":9223372036854775808}"#,
        r#"{"num_score":2147483648}"#,
        r#"{"max_num_score":-1}"#,
        r#"{"create_time":1}"#,
        r#"{"create_time":"yesterday"}"#,
    ] {
        assert!(lenient::<api::LeaderboardRecord>(json).is_err(), "{json}");
    }
}

#[test]
fn null_is_absent_for_fields_and_wrong_inside_lists_and_maps() {
    let json = r#"{"group_id":null,"user_ids":null}"#;
    assert_eq!(strict::<api::AddGroupUsersRequest>(json), Ok(api::AddGroupUsersRequest::default()));
    assert!(strict::<api::AddGroupUsersRequest>(r#"{"user_ids":[null]}"#).is_err());
    assert!(strict::<api::Event>(r#"{"properties":{"a":null}}"#).is_err());
}

#[test]
fn what_is_no_object_is_refused() {
    for json in
        ["", " ", "null", "[]", "1", "\"a\"", "{", "{]", "{\"token\"}", "{\"token\":\"\\ud800\"}"]
    {
        assert!(lenient::<api::Session>(json).is_err(), "{json}");
    }
    assert!(from_slice::<api::Session>(b"{\"token\":\"\xff\"}", Unknown::Ignore).is_err());
    let deep = format!("{}{}", r#"{"content":"#, r#"{"a":"#.repeat(100_000));
    assert!(lenient::<console::SendNotificationRequest>(&deep).is_err());
}

#[test]
fn the_console_prints_what_is_unset() {
    let account = console::Account {
        account: Some(api::Account {
            user: Some(api::User { id: "u".into(), ..Default::default() }),
            ..Default::default()
        }),
        disable_time: None,
    };
    let json = complete(&account);
    assert_eq!(json["disable_time"], serde_json::Value::Null);
    assert!(json.as_object().unwrap().contains_key("disable_time"));
    assert_eq!(json["account"]["devices"], serde_json::json!([]));
    assert_eq!(json["account"]["wallet"], "");
    assert_eq!(json["account"]["user"]["id"], "u");
    assert_eq!(json["account"]["user"]["online"], false);
    assert_eq!(json["account"]["user"]["edge_count"], 0);
    let counters = complete(&console::MatchState::default());
    assert_eq!(counters, serde_json::json!({"presences": [], "tick": "0", "state": ""}));
    // A oneof that is not set has no member to print.
    assert!(complete(&console::MessageIntegration::default()).get("apns").is_none());
}

#[test]
fn unknown_fields_of_a_newer_encoding_are_passed_over() {
    use prost::Message as _;
    let newer = api::StorageObjectAck {
        collection: "c".into(),
        key: "k".into(),
        user_id: "u".into(),
        ..Default::default()
    };
    let mut out = Vec::new();
    // DeleteGroupRequest knows field 1 only.
    append_encoded(&mut out, api::DeleteGroupRequest::MESSAGE, &newer.encode_to_vec(), Unset::Omit)
        .unwrap();
    assert_eq!(out, br#"{"group_id":"c"}"#);
    assert!(append_encoded(&mut out, api::Session::MESSAGE, &[0x12, 9], Unset::Omit).is_err());
}
