use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use kakera_shards::{
    runtime,
    socket::{Sockets, Transport},
};

use super::harness::{front, on_a_shard, until};
use crate::net::{
    http_io::{HttpIo, ShardExecutor},
    link::Link,
    watch::{Times, Watch},
};

type Client = SendRequest<Full<Bytes>>;

/// hyper's own client over a stream of ours.
async fn connect(sockets: &Sockets, address: std::net::SocketAddr) -> Client {
    let stream = sockets.connect_tcp(address).await.unwrap();
    let (socket, read) = stream.into_parts();
    let stream = kakera_shards::socket::Stream::new(Link::Plain(socket), read);
    let hour = Duration::from_hours(1);
    let watch = Watch::new(Rc::new(Times { read: hour, idle: hour }));
    let (client, connection) =
        http2::handshake(ShardExecutor, HttpIo { stream, watch }).await.unwrap();
    runtime::spawn("http2 client", async move {
        let _ = connection.await;
    });
    client
}

async fn send(client: &Client, path: &str, body: impl Into<Bytes>) -> (StatusCode, Bytes, bool) {
    let request = http::Request::builder()
        .method(Method::POST)
        .uri(format!("http://localhost{path}"))
        .body(Full::new(body.into()))
        .unwrap();
    let response = client.clone().send_request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().is_some_and(|trailers| trailers["grpc-status"] == "0");
    (status, body.to_bytes(), trailers)
}

#[test]
fn requests_run_side_by_side_on_one_connection() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let client = connect(&sockets, test.address).await;
        let slow = (0..50).map(|_| send(&client, "/slow", ""));
        let started = std::time::Instant::now();
        for (status, body, _) in join_all(slow).await {
            assert_eq!((status, &body[..]), (StatusCode::OK, &b"slow"[..]));
        }
        assert!(started.elapsed() < Duration::from_secs(3), "they ran one after another");
        let body = vec![7; 200_000];
        assert_eq!(send(&client, "/echo", body.clone()).await.1, body);
        assert_eq!(test.front.connections(), 1);
    });
}

#[test]
fn trailers_follow_the_body() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let client = connect(&sockets, test.address).await;
        let (status, body, trailers) = send(&client, "/trailers", "").await;
        assert_eq!((status, &body[..], trailers), (StatusCode::OK, &b"body"[..], true));
    });
}

#[test]
fn bounds_hold_for_each_request() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |config| config.http.body_bytes_max = 1000);
        let client = connect(&sockets, test.address).await;
        assert_eq!(send(&client, "/echo", vec![1; 1001]).await.0, StatusCode::BAD_REQUEST);
        assert_eq!(send(&client, "/length", vec![1; 1000]).await.1, "1000");
        let grpc = async |len| {
            let request = http::Request::post("http://localhost/length")
                .header("content-type", "application/grpc")
                .body(Full::new(Bytes::from(vec![1; len])));
            let response = client.clone().send_request(request.unwrap()).await.unwrap();
            response.into_body().collect().await.unwrap().to_bytes()
        };
        assert_eq!(grpc(1005).await, "1005", "a prefix and a message");
        let refused = grpc(1006).await;
        assert!(refused.windows(8).any(|it| it == b"\"code\":8"), "{refused:?}");
        assert_eq!(send(&client, "/panic", "").await.0, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(send(&client, "/length", "12").await.1, "2");
    });
}

#[test]
fn a_silent_connection_is_closed() {
    on_a_shard(async |sockets| {
        let test =
            front(&sockets, None, |config| config.http.idle_timeout = Duration::from_millis(100));
        let client = connect(&sockets, test.address).await;
        assert_eq!(send(&client, "/slow", "").await.1, "slow");
        until(|| test.front.connections() == 0).await;
        drop(client);
    });
}

#[test]
fn a_client_that_leaves_a_response_lying_is_cut_however_much_it_says() {
    on_a_shard(async |sockets| {
        let test =
            front(&sockets, None, |config| config.http.idle_timeout = Duration::from_millis(100));
        let client = connect(&sockets, test.address).await;
        let request = || http::Request::post("http://localhost/big").body(Full::default()).unwrap();
        // Its body is longer than the windows that the client opens without reading.
        let lying = client.clone().send_request(request()).await.unwrap();
        let mut answers = 0;
        loop {
            let other = http::Request::post("http://localhost/length").body(Full::default());
            match client.clone().send_request(other.unwrap()).await {
                Ok(response) => answers += u32::from(response.status() == StatusCode::OK),
                Err(_) => break,
            }
        }
        assert!(answers > 0, "others were answered meanwhile");
        until(|| test.front.connections() == 0).await;
        drop(lying);
    });
}

#[test]
fn a_client_that_takes_its_responses_stays() {
    on_a_shard(async |sockets| {
        let idle = Duration::from_secs(1);
        let test = front(&sockets, None, |config| config.http.idle_timeout = idle);
        let client = connect(&sockets, test.address).await;
        let started = std::time::Instant::now();
        while started.elapsed() < idle * 5 / 2 {
            assert_eq!(send(&client, "/length", "12").await.1, "2");
            runtime::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(test.front.connections(), 1);
    });
}

#[test]
fn a_stopped_front_lets_requests_finish() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let client = connect(&sockets, test.address).await;
        let stop = async {
            until(|| test.site.calls.get() == 1).await;
            test.front.stop();
        };
        let ((_, body, _), ()) = futures_util::join!(send(&client, "/slow", ""), stop);
        assert_eq!(body, "slow");
        until(|| test.front.connections() == 0).await;
    });
}

#[test]
fn a_response_that_closes_is_the_connections_last() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let client = connect(&sockets, test.address).await;
        let slow = send(&client, "/slow", "");
        let close = async {
            until(|| test.site.calls.get() == 1).await;
            send(&client, "/close", "").await
        };
        let ((_, slow, _), (status, body, _)) = futures_util::join!(slow, close);
        assert_eq!((status, &body[..]), (StatusCode::OK, &b"closing"[..]));
        assert_eq!(slow, "slow", "what runs is finished");
        until(|| test.front.connections() == 0).await;
    });
}

#[test]
fn a_client_that_vanishes_takes_its_requests_along() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let stream = sockets.connect_tcp(test.address).await.unwrap();
        let (socket, _) = stream.into_parts();
        let link = Link::Plain(socket.clone());
        let hour = Duration::from_hours(1);
        let watch = Watch::new(Rc::new(Times { read: hour, idle: hour }));
        let stream = kakera_shards::socket::Stream::new(link.clone(), Bytes::new());
        let (client, connection): (Client, _) =
            http2::handshake(ShardExecutor, HttpIo { stream, watch }).await.unwrap();
        runtime::spawn("http2 client", async move {
            let _ = connection.await;
        });
        let mut sender = client.clone();
        runtime::spawn("request", async move {
            let request = http::Request::post("http://localhost/never").body(Full::default());
            let _ = sender.send_request(request.unwrap()).await;
        });
        until(|| test.site.calls.get() == 1).await;
        link.socket().abort();
        until(|| test.front.connections() == 0).await;
    });
}
