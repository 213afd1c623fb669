use std::{
    io::{Read, Write},
    net::Shutdown,
    time::{Duration, Instant},
};

use super::harness::{ask, client, dial, front, gzip, on_a_shard, read_response, until};

fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn requests_share_a_connection_and_pipelined_ones_are_answered_in_order() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut stream = dial(address);
            let all: Vec<u8> =
                (0..20).flat_map(|i| post("/echo", "", format!("no {i}").as_bytes())).collect();
            stream.write_all(&all).unwrap();
            for i in 0..20 {
                let (status, _, body) = read_response(&mut stream);
                assert_eq!((status, body), (200, format!("no {i}").into_bytes()));
            }
            let (status, _, body) = ask(&mut stream, b"GET /x?y=1 HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!((status, &body[..]), (200, &b"GET /x false"[..]));
        })
        .await;
        assert_eq!(test.site.calls.get(), 21);
        until(|| test.front.connections() == 0).await;
    });
}

#[test]
fn a_request_names_one_host() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            for head in ["GET /x HTTP/1.1\r\n", "GET /ws HTTP/1.1\r\nHost: a\r\nHost: b\r\n"] {
                let mut stream = dial(address);
                let (status, ..) = ask(&mut stream, format!("{head}\r\n").as_bytes());
                assert_eq!(status, 400, "{head}");
                assert_eq!(stream.read(&mut [0]).unwrap(), 0, "it is closed");
            }
            assert_eq!(ask(&mut dial(address), b"GET /x HTTP/1.0\r\n\r\n").0, 200);
        })
        .await;
        assert_eq!(test.site.calls.get(), 1);
    });
}

#[test]
fn a_request_may_come_byte_by_byte() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut stream = dial(address);
            for byte in post("/echo", "", b"slowly") {
                stream.write_all(&[byte]).unwrap();
            }
            assert_eq!(read_response(&mut stream).2, b"slowly");
        })
        .await;
    });
}

#[test]
fn a_head_over_the_bound_is_refused() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |config| config.http.head_bytes_max = 4096);
        let address = test.address;
        client(move || {
            let long = format!("X-Long: {}\r\n", "x".repeat(5000));
            assert_eq!(ask(&mut dial(address), &post("/echo", &long, b"")).0, 431);
            let many = "X-More: y\r\n".repeat(200);
            assert_eq!(ask(&mut dial(address), &post("/echo", &many, b"")).0, 431);
        })
        .await;
        assert_eq!(test.site.calls.get(), 0);
    });
}

#[test]
fn a_body_over_the_bound_is_refused_in_the_references_words() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |config| config.http.body_bytes_max = 1000);
        let address = test.address;
        client(move || {
            let expected = br#"{"code":3,"message":"http: request body too large"}"#;
            let (status, _, body) = ask(&mut dial(address), &post("/echo", "", &[b'x'; 1001]));
            assert_eq!((status, &body[..]), (400, &expected[..]));
            // The length is not announced.
            let mut stream = dial(address);
            stream
                .write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                .unwrap();
            for _ in 0..20 {
                stream.write_all(b"64\r\n").unwrap();
                stream.write_all(&[b'y'; 100]).unwrap();
                stream.write_all(b"\r\n").unwrap();
            }
            let (status, _, body) = read_response(&mut stream);
            assert_eq!((status, &body[..]), (400, &expected[..]));
            assert_eq!(ask(&mut dial(address), &post("/length", "", &[b'x'; 1000])).2, b"1000");
        })
        .await;
        assert_eq!(kakera_shards::runtime::counters().board().sum("http_bodies_too_large"), 2);
    });
}

#[test]
fn who_waits_with_a_head_is_cut_and_others_are_served() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |config| {
            config.http.read_timeout = Duration::from_millis(300);
        });
        let address = test.address;
        client(move || {
            let mut silent = dial(address);
            let mut slow = dial(address);
            let mut second = dial(address);
            assert_eq!(ask(&mut second, &post("/echo", "", b"1")).0, 200);
            let started = Instant::now();
            // A byte now and then does not extend the time.
            for byte in b"GET / HT" {
                slow.write_all(&[*byte]).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
            second.write_all(b"GET / HTTP/1.1\r\n").unwrap();
            for stream in [&mut silent, &mut slow, &mut second] {
                assert_eq!(stream.read(&mut [0; 64]).unwrap_or(0), 0);
            }
            let took = started.elapsed();
            assert!(took < Duration::from_secs(3), "{took:?}");
            assert_eq!(ask(&mut dial(address), &post("/echo", "", b"x")).0, 200);
        })
        .await;
    });
}

#[test]
fn a_body_that_does_not_come_is_a_timeout() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |config| {
            config.http.read_timeout = Duration::from_millis(200);
        });
        let address = test.address;
        client(move || {
            let request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf";
            assert_eq!(ask(&mut dial(address), request).0, 408);
        })
        .await;
    });
}

#[test]
fn an_idle_connection_is_closed_and_a_long_request_is_not() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |config| {
            config.http.idle_timeout = Duration::from_millis(100);
            config.http.read_timeout = Duration::from_millis(100);
        });
        let address = test.address;
        client(move || {
            let mut stream = dial(address);
            assert_eq!(ask(&mut stream, &post("/slow", "", b"")).2, b"slow");
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        })
        .await;
        until(|| test.front.connections() == 0).await;
    });
}

#[test]
fn a_request_that_takes_too_long_and_one_that_panics_are_answered() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |config| {
            config.http.request_timeout = Duration::from_millis(100);
        });
        let address = test.address;
        client(move || {
            let mut stream = dial(address);
            assert_eq!(ask(&mut stream, &post("/never", "", b"")).0, 504);
            assert_eq!(ask(&mut stream, &post("/panic", "", b"")).0, 500);
            assert_eq!(ask(&mut stream, &post("/echo", "", b"still here")).2, b"still here");
        })
        .await;
        assert_eq!(kakera_shards::runtime::counters().board().sum("task_panics"), 1);
    });
}

#[test]
fn a_half_closed_client_still_gets_its_answer() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut stream = dial(address);
            stream.write_all(&post("/slow", "", b"")).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_response(&mut stream).2, b"slow");
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        })
        .await;
    });
}

#[test]
fn bodies_are_compressed_both_ways_where_asked() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let text = b"a text that repeats itself, ".repeat(200);
            let mut stream = dial(address);
            let headers = "Content-Encoding: gzip\r\nAccept-Encoding: gzip, deflate\r\n";
            let (status, head, body) = ask(&mut stream, &post("/echo", headers, &gzip(&text)));
            assert_eq!(status, 200);
            assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
            assert!(head.contains("vary: accept-encoding\r\n"), "{head}");
            let mut back = Vec::new();
            flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut back).unwrap();
            assert_eq!(back, text);
            // Raw deflate, and an answer that is too short to be worth it.
            let mut raw = flate2::read::DeflateEncoder::new(&text[..], flate2::Compression::fast());
            let mut packed = Vec::new();
            raw.read_to_end(&mut packed).unwrap();
            let headers = "Content-Encoding: deflate\r\nAccept-Encoding: gzip\r\n";
            let (_, head, body) = ask(&mut stream, &post("/length", headers, &packed));
            assert_eq!(body, text.len().to_string().into_bytes());
            assert!(!head.contains("content-encoding"), "{head}");
        })
        .await;
    });
}

#[test]
fn a_decompression_bomb_is_refused() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let bomb = gzip(&vec![0; 32 << 20]);
            assert!(bomb.len() < 200_000);
            let headers = "Content-Encoding: gzip\r\n";
            assert_eq!(ask(&mut dial(address), &post("/length", headers, &bomb)).0, 400);
        })
        .await;
    });
}

#[test]
fn who_expects_to_continue_is_told_to() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut stream = dial(address);
            let head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
            assert_eq!(ask(&mut stream, head).0, 100);
            assert_eq!(ask(&mut stream, b"body").2, b"body");
        })
        .await;
    });
}

#[test]
fn a_slow_reader_gets_a_big_answer_whole() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut stream = dial(address);
            stream.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!(read_response(&mut stream).2, "0123456789abcdef".repeat(200_000).as_bytes());
        })
        .await;
    });
}

#[test]
fn a_stopped_front_finishes_what_runs_and_closes_the_rest() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        let finished = client(move || {
            let mut idle = dial(address);
            assert_eq!(ask(&mut idle, &post("/echo", "", b"x")).0, 200);
            let mut busy = dial(address);
            busy.write_all(&post("/slow", "", b"")).unwrap();
            let answer = read_response(&mut busy).2;
            assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0);
            assert_eq!(busy.read(&mut [0]).unwrap_or(0), 0);
            (answer, std::net::TcpStream::connect(address).is_err())
        });
        let stop = async {
            until(|| test.site.calls.get() == 2).await;
            test.front.stop();
        };
        let ((answer, refused), ()) = futures_util::join!(finished, stop);
        assert_eq!(answer, b"slow");
        assert!(refused, "the port is given up");
        until(|| test.front.connections() == 0).await;
    });
}

#[test]
fn nonsense_gets_an_error_and_the_server_goes_on() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            for nonsense in [
                &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..],
                b"GET\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all, is it",
                b"PRI * HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            ] {
                let mut stream = dial(address);
                stream.write_all(nonsense).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                // An error or a close; not a hang.
                let _ = stream.read_to_end(&mut Vec::new());
            }
            assert_eq!(ask(&mut dial(address), &post("/echo", "", b"ok")).2, b"ok");
        })
        .await;
        until(|| test.front.connections() == 0).await;
    });
}
