//! The same calls over gRPC.

use bytes::Bytes;
use http::Method;
use kakera::{
    api::grpc::frame::{self, Encoding},
    net::Response,
};
use kakera_proto::{
    api,
    routes::{Call, Rpc, Service, calls},
};
use prost::Message;

use crate::support::{Ask, Bench, basic, run};

fn ask<'a, C: Call<Service = Rpc>>(
    bench: &'a Bench,
    authorization: &str,
    request: &C::Request,
    encoding: Encoding,
) -> Ask<'a> {
    let ask = bench
        .ask(Method::POST, C::RPC.grpc_path())
        .http2()
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(frame::framed(request, encoding));
    let ask =
        if authorization.is_empty() { ask } else { ask.header("authorization", authorization) };
    if encoding == Encoding::Gzip { ask.header("grpc-encoding", "gzip") } else { ask }
}

/// The message of a success.
#[track_caller]
fn message<C: Call>(response: &Response, encoding: Encoding) -> C::Response {
    let trailers = response.trailers.as_ref().unwrap_or_else(|| panic!("{response:?}"));
    assert_eq!(trailers["grpc-status"], "0", "{response:?}");
    assert_eq!(response.headers["content-type"], "application/grpc");
    let message = frame::unary_message(&response.body, encoding, 1 << 20).unwrap();
    C::Response::decode(message).unwrap()
}

/// Status and sentence of a failure.
#[track_caller]
fn failure(response: &Response) -> (String, String) {
    assert_eq!(response.status, 200);
    assert!(response.body.is_empty() && response.trailers.is_none(), "trailers only: {response:?}");
    let text = |name: &str| response.headers[name].to_str().unwrap().to_owned();
    (text("grpc-status"), text("grpc-message"))
}

fn device(id: &str) -> api::AuthenticateDeviceRequest {
    api::AuthenticateDeviceRequest {
        account: Some(api::AccountDevice { id: id.to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

#[test]
fn a_player_signs_in_and_reads_the_account_in_both_encodings() {
    run(async |bench| {
        for encoding in [Encoding::Identity, Encoding::Gzip] {
            let key = basic("defaultkey");
            let request = device("device-0001");
            let reply = ask::<calls::AuthenticateDevice>(&bench, &key, &request, encoding).send();
            let session = message::<calls::AuthenticateDevice>(&reply.await.0, encoding);
            let bearer = format!("Bearer {}", session.token);
            let reply = ask::<calls::GetAccount>(&bench, &bearer, &(), encoding).send().await;
            let account = message::<calls::GetAccount>(&reply.0, encoding);
            assert_eq!(account.devices[0].id, "device-0001");
            assert!(account.disable_time.is_none());
            let change = api::UpdateAccountRequest {
                display_name: Some("Näme".to_owned()),
                ..Default::default()
            };
            let reply =
                ask::<calls::UpdateAccount>(&bench, &bearer, &change, encoding).send().await;
            message::<calls::UpdateAccount>(&reply.0, encoding);
        }
    });
}

#[test]
fn failures_are_a_status_and_an_encoded_sentence() {
    run(async |bench| {
        let reply = ask::<calls::GetAccount>(&bench, "", &(), Encoding::Identity).send().await;
        assert_eq!(failure(&reply.0), ("16".into(), "Auth token required".into()));
        let key = basic("defaultkey");
        let request = device("é");
        let reply = ask::<calls::AuthenticateDevice>(&bench, &key, &request, Encoding::Identity);
        assert_eq!(failure(&reply.send().await.0).0, "3");
        let tokens = bench.device("device-0001").await;
        let bearer = format!("Bearer {}", tokens.session);
        let request = api::GetUsersRequest { ids: vec!["ü%".into()], ..Default::default() };
        let reply = ask::<calls::GetUsers>(&bench, &bearer, &request, Encoding::Identity).send();
        let expected = "ID '%C3%BC%25' is not a valid system ID.";
        assert_eq!(failure(&reply.await.0), ("3".into(), expected.into()));
    });
}

#[test]
fn the_gateways_header_lets_in_too() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        let reply = ask::<calls::GetAccount>(&bench, "", &(), Encoding::Identity)
            .header("grpcgateway-authorization", &format!("Bearer {}", tokens.session))
            .send()
            .await;
        message::<calls::GetAccount>(&reply.0, Encoding::Identity);
    });
}

#[test]
fn every_call_exists_and_unknown_methods_do_not() {
    run(async |bench| {
        let tokens = bench.device("device-0001").await;
        for rpc in Rpc::ALL {
            let reply = bench
                .ask(Method::POST, rpc.grpc_path())
                .http2()
                .header("content-type", "application/grpc+proto")
                .body(frame::framed(&(), Encoding::Identity))
                .send()
                .await;
            let open = rpc.accepts().is_empty();
            let status = if open {
                reply.0.trailers.as_ref().unwrap()["grpc-status"].clone()
            } else {
                reply.0.headers["grpc-status"].clone()
            };
            assert_eq!(status, if open { "0" } else { "16" }, "{}", rpc.name());
        }
        let bearer = format!("Bearer {}", tokens.session);
        let request = api::ListSubscriptionsRequest::default();
        let reply =
            ask::<calls::ListSubscriptions>(&bench, &bearer, &request, Encoding::Identity).send();
        assert_eq!(failure(&reply.await.0).0, "12");
        let reply = bench
            .ask(Method::POST, "/nakama.api.Nakama/Nothing")
            .http2()
            .header("content-type", "application/grpc")
            .body(frame::framed(&(), Encoding::Identity))
            .send()
            .await;
        assert_eq!(failure(&reply.0).0, "12");
    });
}

#[test]
fn a_function_takes_the_http_key_from_its_message() {
    run(async |bench| {
        for (http_key, status) in [("defaulthttpkey", "5"), ("wrong", "16"), ("", "16")] {
            let request =
                api::Rpc { id: "x".into(), http_key: http_key.into(), ..Default::default() };
            let reply = ask::<calls::RpcFunc>(&bench, "", &request, Encoding::Identity).send();
            assert_eq!(failure(&reply.await.0).0, status, "{http_key}");
        }
        let nameless = api::Rpc { http_key: "defaulthttpkey".into(), ..Default::default() };
        let reply = ask::<calls::RpcFunc>(&bench, "", &nameless, Encoding::Identity).send().await;
        assert_eq!(failure(&reply.0), ("3".into(), "RPC ID must be set".into()));
    });
}

#[test]
fn what_is_not_one_message_is_refused() {
    run(async |bench| {
        let path = calls::Healthcheck::RPC.grpc_path();
        let send = async |body: Bytes, headers: &[(&'static str, &str)]| {
            let ask = bench
                .ask(Method::POST, path)
                .http2()
                .header("content-type", "application/grpc")
                .body(body);
            let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(*name, value));
            failure(&ask.send().await.0).0
        };
        let whole = frame::framed(&(), Encoding::Identity);
        assert_eq!(send(Bytes::new(), &[]).await, "13");
        assert_eq!(send(whole.clone(), &[("grpc-encoding", "snappy")]).await, "12");
        assert_eq!(send(whole.clone(), &[("grpc-timeout", "soon")]).await, "13");
        let large = frame::framed(
            &api::Rpc { payload: "x".repeat(300_000), ..Default::default() },
            Encoding::Gzip,
        );
        assert_eq!(send(large, &[("grpc-encoding", "gzip")]).await, "8");
    });
}
