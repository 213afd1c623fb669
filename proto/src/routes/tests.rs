use std::{collections::BTreeMap, fmt::Write as _};

use proptest::prelude::*;

use super::*;
use crate::{Invalid, Timestamp, api, console};

fn matched<'p, S: Service>(method: &str, path: &'p str) -> Matched<'p, S> {
    match S::route(method, path) {
        Routed::Call(matched) => matched,
        other => panic!("{method} {path}: {:?}", std::mem::discriminant(&other)),
    }
}

/// The request of a player's call.
fn request<T: Described>(method: &str, target: &str, body: &str) -> Result<T, Invalid> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    matched::<Rpc>(method, path).decode(query, body.as_bytes())
}

/// The request of a console call.
fn console_request<T: Described>(method: &str, target: &str, body: &str) -> Result<T, Invalid> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    matched::<ConsoleRpc>(method, path).decode(query, body.as_bytes())
}

fn every_binding_is_found<S: Service + std::fmt::Debug>() {
    for &rpc in S::ALL {
        assert_eq!(S::from_grpc_path(rpc.grpc_path()), Some(rpc));
        for binding in rpc.definition().bindings {
            let mut wanted = Vec::new();
            let mut path = String::new();
            for segment in binding.path.split('/').skip(1) {
                path.push('/');
                if segment.starts_with('{') {
                    // Not a literal of any path, so that no other call can mean it.
                    wanted.push(format!("p {}", wanted.len()));
                    path.push_str("p%20");
                    path.push_str(&(wanted.len() - 1).to_string());
                } else {
                    path.push_str(segment);
                }
            }
            let matched = matched::<S>(binding.method.as_str(), &path);
            assert_eq!(matched.rpc, rpc, "{path}");
            assert!(std::ptr::eq(matched.binding, binding));
            assert_eq!(matched.parameters().collect::<Vec<_>>(), wanted);
            let fields = binding.parameter_fields(rpc.definition().request).count();
            assert_eq!(fields, wanted.len());
        }
    }
}

#[test]
fn every_call_is_found_by_its_paths() {
    every_binding_is_found::<Rpc>();
    every_binding_is_found::<ConsoleRpc>();
}

#[test]
fn a_wrong_method_is_told_from_an_unknown_path() {
    for (method, path) in
        [("GET", "/v2/friend/block"), ("PATCH", "/v2/account"), ("get", "/v2/account")]
    {
        assert!(matches!(Rpc::route(method, path), Routed::WrongMethod), "{method} {path}");
    }
    for path in
        ["/", "/v2", "/v2/accounts", "/v2/account/", "/v2/account/x", "/a/b/c/d/e/f/g/h/i/j/k"]
    {
        assert!(matches!(Rpc::route("GET", path), Routed::Unknown), "{path}");
    }
    for path in ["", "v2/account", "/v2/%zz", "/v2/group/%ff", "/1/2/3/4/5/6/7/8/9/%"] {
        assert!(matches!(Rpc::route("GET", path), Routed::Malformed), "{path}");
    }
}

#[test]
fn a_literal_segment_goes_before_a_parameter() {
    assert_eq!(
        matched::<Rpc>("POST", "/v2/iap/subscription/apple").rpc,
        Rpc::ValidateSubscriptionApple
    );
    assert_eq!(matched::<Rpc>("GET", "/v2/iap/subscription/apple").rpc, Rpc::GetSubscription);
    assert_eq!(
        matched::<ConsoleRpc>("GET", "/v2/console/storage/collections").rpc,
        ConsoleRpc::ListStorageCollections
    );
}

#[test]
fn grpc_paths_of_the_other_service_are_unknown() {
    assert_eq!(Rpc::from_grpc_path("/nakama.api.Nakama/GetAccount"), Some(Rpc::GetAccount));
    assert_eq!(Rpc::from_grpc_path("/nakama.console.Console/GetAccount"), None);
    assert_eq!(Rpc::from_grpc_path("/nakama.api.NakamaX/GetAccount"), None);
    assert_eq!(Rpc::from_grpc_path("nakama.api.Nakama/GetAccount"), None);
}

#[test]
fn calls_know_who_may_make_them() {
    assert_eq!(Rpc::AuthenticateDevice.accepts(), [Credential::ServerKey]);
    assert_eq!(Rpc::RpcFunc.accepts(), [Credential::Bearer, Credential::HttpKey]);
    assert_eq!(Rpc::Healthcheck.accepts(), []);
    assert_eq!(ConsoleRpc::GetConfig.accepts(), [Credential::ConsoleBearer]);
}

#[test]
fn a_body_field_and_the_query_make_one_request() {
    let target = "/v2/account/authenticate/device?create=false&username=swift%20otter&account.id=other&http_key=x";
    let got: api::AuthenticateDeviceRequest =
        request("POST", target, r#"{"id":"device-1","vars":{"a":"b"},"unknown":{}}"#).unwrap();
    let wanted = api::AuthenticateDeviceRequest {
        account: Some(api::AccountDevice {
            id: "device-1".into(),
            vars: BTreeMap::from([("a".into(), "b".into())]),
        }),
        create: Some(false),
        username: "swift otter".into(),
    };
    assert_eq!(got, wanted);
}

#[test]
fn a_body_field_that_is_a_string_is_a_json_string() {
    let rpc: api::Rpc = request("POST", "/v2/rpc/echo?http_key=k", r#""{\"a\":1}""#).unwrap();
    assert_eq!(
        rpc,
        api::Rpc { id: "echo".into(), payload: r#"{"a":1}"#.into(), http_key: "k".into() }
    );
    assert!(request::<api::Rpc>("POST", "/v2/rpc/echo", "{}").is_err());
}

#[test]
fn a_whole_body_leaves_the_query_unread_and_yields_to_the_path() {
    let got: api::UpdateGroupRequest = request(
        "PUT",
        "/v2/group/g%2F1?name=query&open=nonsense",
        r#"{"group_id":"body","name":"body"}"#,
    )
    .unwrap();
    let wanted = api::UpdateGroupRequest {
        group_id: "g/1".into(),
        name: Some("body".into()),
        ..Default::default()
    };
    assert_eq!(got, wanted);
}

#[test]
fn an_empty_body_is_an_empty_message() {
    for body in ["", " \r\n"] {
        assert_eq!(
            request::<api::AccountDevice>("POST", "/v2/account/link/device", body),
            Ok(api::AccountDevice::default())
        );
        let got: api::AuthenticateEmailRequest =
            request("POST", "/v2/account/authenticate/email", body).unwrap();
        assert_eq!(got.account, Some(api::AccountEmail::default()));
    }
    assert!(request::<api::AccountDevice>("POST", "/v2/account/link/device", "null").is_err());
}

#[test]
fn without_a_body_all_comes_from_path_and_query() {
    let got: api::ListLeaderboardRecordsRequest = request(
        "GET",
        "/v2/leaderboard/weekly?owner_ids=a&ownerIds=b&limit=10&expiry=1700000000&leaderboard_id=other&cursor=",
        "not read",
    )
    .unwrap();
    let wanted = api::ListLeaderboardRecordsRequest {
        leaderboard_id: "weekly".into(),
        owner_ids: vec!["a".into(), "b".into()],
        limit: Some(10),
        cursor: String::new(),
        expiry: Some(1_700_000_000),
    };
    assert_eq!(got, wanted);
}

#[test]
fn queries_reach_nested_fields_maps_enumerations_and_timestamps() {
    let list: console::template::ListRequest = console_request(
        "GET",
        "/v2/console/satori/template?search.name.exact=x&search.labelName.or=a&search.label_name.or=b&pagination.limit=5&search.nothing=1",
        "",
    )
    .unwrap();
    let search = list.search.unwrap();
    assert_eq!(search.name.unwrap().exact, "x");
    assert_eq!(search.label_name.unwrap().or, ["a", "b"]);
    assert_eq!(list.pagination.unwrap().limit, 5);

    for value in ["GROUP", "3"] {
        let target = format!("/v2/console/channel?type={value}");
        let got: console::ListChannelMessagesRequest = console_request("GET", &target, "").unwrap();
        assert_eq!(got.r#type(), console::list_channel_messages_request::Type::Group);
    }
    let got: console::AuditLogRequest = console_request(
        "GET",
        "/v2/console/audit/log?after=2023-11-14T22%3A13%3A20Z&resource=0",
        "",
    )
    .unwrap();
    assert_eq!(got.after, Some(Timestamp { seconds: 1_700_000_000, nanos: 0 }));
    assert_eq!(got.resource, Some(0));

    let mut out = Vec::new();
    let event = api::Event::MESSAGE;
    query::append(&mut out, event, "properties[a%5D]=1&properties[b]=2+3&external=T", &[]).unwrap();
    let event: api::Event = crate::json::decode(out.into()).unwrap();
    let properties = BTreeMap::from([("a]".into(), "1".into()), ("b".into(), "2 3".into())]);
    assert_eq!((event.properties, event.external), (properties, true));
}

#[test]
fn a_bad_value_names_its_field() {
    for (target, field) in [
        ("/v2/friend?limit=ten", "limit"),
        ("/v2/friend?limit=", "limit"),
        ("/v2/friend?limit=2147483648", "limit"),
        ("/v2/friend?limit=1&limit=2", "limit"),
        ("/v2/friend?state.value=1", "state"),
    ] {
        let error = request::<api::ListFriendsRequest>("GET", target, "").unwrap_err();
        assert_eq!(error.field, Some(field), "{target}: {error}");
    }
    for query in ["type=5", "type=Group", "type="] {
        let target = format!("/v2/console/channel?{query}");
        let error =
            console_request::<console::ListChannelMessagesRequest>("GET", &target, "").unwrap_err();
        assert_eq!(error.field, Some("type"));
    }
    for query in ["limit=%", "cursor=%ff", "a;b=1"] {
        let target = format!("/v2/friend?{query}");
        assert!(request::<api::ListFriendsRequest>("GET", &target, "").is_err(), "{query}");
    }
    let error =
        request::<api::ListTournamentsRequest>("GET", "/v2/tournament?category_start=+1", "");
    assert!(error.is_err());
}

#[test]
fn a_request_of_the_wrong_type_is_refused() {
    let error =
        matched::<Rpc>("GET", "/v2/friend").decode::<api::ListGroupsRequest>("", b"").unwrap_err();
    assert!(error.message.contains("nakama.api.ListFriendsRequest"), "{error}");
}

#[test]
fn the_types_of_calls_agree_with_the_table() {
    fn agrees<C: Call>() {
        let definition = C::RPC.definition();
        assert!(std::ptr::eq(definition.request, C::Request::MESSAGE));
        assert_eq!(definition.response.name, C::Response::MESSAGE.name);
    }
    agrees::<calls::AuthenticateDevice>();
    agrees::<calls::WriteStorageObjects>();
    agrees::<console_calls::SatoriListTemplates>();
    agrees::<console_calls::AuthenticateMfaSetup>();
}

/// Reads a request of any call, whatever its type.
fn read_any(matched: &Matched<'_, Rpc>, query: &str, body: &[u8]) -> bool {
    match matched.rpc {
        Rpc::AuthenticateDevice => {
            matched.decode::<api::AuthenticateDeviceRequest>(query, body).is_ok()
        }
        Rpc::WriteStorageObjects => {
            matched.decode::<api::WriteStorageObjectsRequest>(query, body).is_ok()
        }
        Rpc::ListTournaments => matched.decode::<api::ListTournamentsRequest>(query, body).is_ok(),
        Rpc::WriteTournamentRecord => {
            matched.decode::<api::WriteTournamentRecordRequest>(query, body).is_ok()
        }
        _ => matched.decode::<api::Event>(query, body).is_ok(),
    }
}

proptest! {
    #[test]
    fn no_path_makes_the_matcher_panic(method in "GET|PUT|[A-Z]{0,5}", path in "\\PC*|/(v2|%[0-9a-fg]{2}|[a-z]{1,4}|/){0,12}") {
        if let Routed::Call(matched) = Rpc::route(&method, &path) {
            prop_assert_eq!(matched.parameters().count(), matched.binding.parameters.len());
        }
        let _ = ConsoleRpc::route(&method, &path);
        let _ = Rpc::from_grpc_path(&path);
    }

    #[test]
    fn no_query_and_no_body_make_the_reader_panic(
        call in prop::sample::select(vec![
            ("POST", "/v2/account/authenticate/device"),
            ("PUT", "/v2/storage"),
            ("GET", "/v2/tournament"),
            ("POST", "/v2/tournament/t"),
            ("POST", "/v2/event"),
        ]),
        query in "((account|record|limit|create|vars|operator|id|[a-z]{1,3})([.\\[\\]%+=&;]|\\PC){0,4}){0,6}",
        body in prop::collection::vec(any::<u8>(), 0..64),
        json in "[\\[{\"a-c0-9:,.truefalsn\\]}\\\\ -]{0,48}",
    ) {
        let found = matched::<Rpc>(call.0, call.1);
        read_any(&found, &query, &body);
        read_any(&found, &query, json.as_bytes());
    }

    #[test]
    fn what_a_client_encodes_arrives(id in "\\PC{1,20}", username in "\\PC{0,20}", limit: i32) {
        let encode = |text: &str| {
            text.bytes().fold(String::new(), |mut out, byte| {
                write!(out, "%{byte:02X}").unwrap();
                out
            })
        };
        let target = format!("/v2/group/{}/user?limit={limit}&cursor={}", encode(&id), encode(&username));
        let got: api::ListGroupUsersRequest = request("GET", &target, "").unwrap();
        prop_assert_eq!(got.group_id, id);
        prop_assert_eq!(got.limit, Some(limit));
        prop_assert_eq!(got.cursor, username);
    }
}
