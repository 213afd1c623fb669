use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use kakera_shards::{runtime, socket::Pace};
use tungstenite::{
    Message, WebSocket,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use super::harness::{Event, ask, client, dial, front, on_a_shard, read_response, until};
use crate::net::{CloseReason, SendError, WireFrame};

const HANDSHAKE: &[u8] = b"GET /ws?token=good HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn open(address: SocketAddr) -> WebSocket<TcpStream> {
    tungstenite::client("ws://localhost/ws?token=good", dial(address)).unwrap().0
}

/// A client that speaks bytes.
fn open_raw(address: SocketAddr) -> TcpStream {
    let mut stream = dial(address);
    assert_eq!(ask(&mut stream, HANDSHAKE).0, 101);
    stream
}

/// A masked frame whose mask is zero.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0][..], payload].concat()
}

fn close_code(message: Message) -> u16 {
    match message {
        Message::Close(Some(CloseFrame { code, .. })) => code.into(),
        other => panic!("expected a close, got {other:?}"),
    }
}

#[test]
fn messages_and_pings_come_back() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut socket = open(address);
            for text in ["", "hello", "ünïcödé 😀", &"x".repeat(4096)] {
                socket.send(text.into()).unwrap();
                assert_eq!(socket.read().unwrap(), text.into());
            }
            socket.send(Message::binary(vec![0, 159, 146, 150])).unwrap();
            assert_eq!(socket.read().unwrap(), Message::binary(vec![0, 159, 146, 150]));
            socket.send(Message::Ping("life".into())).unwrap();
            assert_eq!(socket.read().unwrap(), Message::Pong("life".into()));
            socket.send("ping".into()).unwrap();
            assert_eq!(socket.read().unwrap(), Message::Ping(Vec::new().into()));
            socket.flush().unwrap();
            socket.send("last".into()).unwrap();
            assert_eq!(socket.read().unwrap(), "last".into());
        })
        .await;
        assert!(test.log.events.borrow().contains(&Event::Pong));
        until(|| test.log.closed() == Some(CloseReason::Lost)).await;
        until(|| test.front.connections() == 0).await;
    });
}

#[test]
fn a_closing_client_gets_its_code_back() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut socket = open(address);
            let frame = CloseFrame { code: CloseCode::from(4321), reason: "enough".into() };
            socket.close(Some(frame)).unwrap();
            assert_eq!(close_code(socket.read().unwrap()), 4321);
            assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
        })
        .await;
        until(|| test.log.closed().is_some()).await;
        let expected = CloseReason::Peer { code: 4321, reason: "enough".into() };
        assert_eq!(test.log.closed(), Some(expected));
        until(|| test.front.connections() == 0).await;
    });
}

#[test]
fn a_close_from_here_sends_what_is_queued_first() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut socket = open(address);
            socket.send("close".into()).unwrap();
            assert_eq!(socket.read().unwrap(), "close".into());
            let Message::Close(Some(close)) = socket.read().unwrap() else { panic!("no close") };
            assert_eq!((u16::from(close.code), close.reason.as_str()), (1000, "as asked"));
            assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
        })
        .await;
        until(|| test.log.closed() == Some(CloseReason::Here)).await;
        until(|| test.front.connections() == 0).await;
    });
}

#[test]
fn a_client_that_does_not_answer_a_close_is_left_after_the_wait() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |config| {
            config.websocket.close_ack_wait = Duration::from_millis(200);
        });
        let address = test.address;
        client(move || {
            let mut stream = open_raw(address);
            let started = Instant::now();
            stream.write_all(&frame(0x81, b"close")).unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            assert_eq!(&rest[..9], b"\x81\x05close\x88\x0a");
            let took = started.elapsed();
            assert!((200..2000).contains(&took.as_millis()), "{took:?}");
        })
        .await;
        assert_eq!(test.log.closed(), Some(CloseReason::Here));
        until(|| test.front.connections() == 0).await;
    });
}

#[test]
fn what_comes_after_a_close_from_here_is_not_delivered() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut stream = open_raw(address);
            let wire = [frame(0x81, b"close"), frame(0x81, b"late"), frame(0x88, &[3, 232])];
            stream.write_all(&wire.concat()).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        })
        .await;
        until(|| test.log.closed().is_some()).await;
        let expected = [Event::Text("close".into()), Event::Closed(CloseReason::Here)];
        assert_eq!(*test.log.events.borrow(), expected);
    });
}

#[test]
fn faults_are_told_by_their_codes_and_the_connection_ends() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |config| config.websocket.message_bytes_max = 100);
        let address = test.address;
        client(move || {
            for (wire, code) in [
                (frame(0x81, &[0xff, 0xfe]), 1007),
                (frame(0xc1, b"x"), 1002),
                (frame(0x83, b"x"), 1002),
                (frame(0x80, b"x"), 1002),
                (vec![0x81, 1, b'x'], 1002),
                (frame(0x88, &[0]), 1002),
                (frame(0x88, &[3, 237]), 1002),
                (frame(0x82, &[0; 101]), 1009),
                ([frame(0x02, &[0; 60]), frame(0x80, &[0; 60])].concat(), 1009),
            ] {
                let mut stream = open_raw(address);
                // More follows that nobody reads; the close must arrive nevertheless.
                stream.write_all(&[wire, vec![0; 5000]].concat()).unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).unwrap();
                assert_eq!(answer[0], 0x88, "{answer:?}");
                assert_eq!(u16::from_be_bytes([answer[2], answer[3]]), code);
            }
        })
        .await;
        until(|| test.front.connections() == 0).await;
        let events = test.log.events.borrow();
        let faults =
            events.iter().filter(|event| matches!(event, Event::Closed(CloseReason::Fault { .. })));
        assert_eq!((faults.count(), events.len()), (9, 9));
    });
}

#[test]
fn fragments_with_a_ping_between_them_arrive_byte_by_byte() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut stream = open_raw(address);
            let wire = [
                frame(0x01, b"one "),
                frame(0x89, b"p"),
                frame(0x00, b"two "),
                frame(0x80, b"three"),
            ];
            for byte in wire.concat() {
                stream.write_all(&[byte]).unwrap();
            }
            let mut answer = [0; 18];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"\x8a\x01p\x81\x0done two three");
        })
        .await;
    });
}

#[test]
fn many_messages_in_one_piece_are_answered_in_order() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut socket = open(address);
            for i in 0..5000 {
                let data = OpCode::Data(Data::Text);
                let frame = Frame::message(format!("message {i}"), data, true);
                socket.write(Message::Frame(frame)).unwrap();
            }
            socket.flush().unwrap();
            for i in 0..5000 {
                assert_eq!(socket.read().unwrap(), format!("message {i}").into());
            }
        })
        .await;
    });
}

#[test]
fn what_follows_the_handshake_at_once_is_not_lost() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut stream = dial(address);
            let wire = [HANDSHAKE, &frame(0x81, b"eager"), &frame(0x81, b"beaver")].concat();
            stream.write_all(&wire).unwrap();
            assert_eq!(read_response(&mut stream).0, 101);
            let mut answer = [0; 15];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"\x81\x05eager\x81\x06beaver");
        })
        .await;
    });
}

#[test]
fn a_connection_that_made_requests_may_still_upgrade() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut stream = dial(address);
            assert_eq!(ask(&mut stream, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").0, 200);
            assert_eq!(ask(&mut stream, b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n").0, 401);
            assert_eq!(ask(&mut stream, b"GET /ws?token=good HTTP/1.1\r\nHost: x\r\n\r\n").0, 426);
            assert_eq!(ask(&mut stream, b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n").0, 200);
            assert_eq!(ask(&mut stream, HANDSHAKE).0, 101);
            stream.write_all(&frame(0x81, b"hi")).unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"\x81\x02hi");
        })
        .await;
    });
}

#[test]
fn a_peer_that_reads_nothing_fills_its_queue_and_no_more() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        let stream = client(move || open_raw(address)).await;
        until(|| !test.log.sockets.borrow().is_empty()).await;
        let socket = test.log.last_socket();
        let message = WireFrame::binary(&[7; 1000]);
        let mut refused = None;
        for _ in 0..100_000 {
            if let Err(error) = socket.send(&message, Pace::Now) {
                refused = Some(error);
                break;
            }
            runtime::yield_now().await;
        }
        assert_eq!(refused, Some(SendError::QueueFull));
        assert!(socket.queued_len() >= 64 && socket.queued_len() < 200, "{}", socket.queued_len());
        assert!(socket.queued_bytes() < 300_000, "{}", socket.queued_bytes());
        // The session's answer to that: cut it.
        socket.close(1008, "too slow");
        runtime::sleep(Duration::from_millis(2200)).await;
        until(|| test.front.connections() == 0).await;
        assert_eq!(test.log.closed(), Some(CloseReason::Here));
        drop(stream);
    });
}

#[test]
fn a_burst_to_a_peer_that_reads_is_taken_whole() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        let mut stream = client(move || open_raw(address)).await;
        until(|| !test.log.sockets.borrow().is_empty()).await;
        let socket = test.log.last_socket();
        for i in 0..500u32 {
            socket.send(&WireFrame::binary(&i.to_be_bytes()), Pace::Paced).unwrap();
        }
        client(move || {
            let mut all = vec![0; 500 * 6];
            stream.read_exact(&mut all).unwrap();
            assert_eq!(&all[2994..], [0x82, 4, 0, 0, 1, 243]);
        })
        .await;
    });
}

#[test]
fn paused_reading_holds_messages_back_and_resumes_in_order() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        let mut stream = client(move || {
            let mut stream = open_raw(address);
            let wire = [frame(0x81, b"pause"), frame(0x81, b"a"), frame(0x81, b"b")].concat();
            stream.write_all(&wire).unwrap();
            stream
        })
        .await;
        until(|| test.log.events.borrow().len() == 1).await;
        stream.write_all(&frame(0x81, b"c")).unwrap();
        runtime::sleep(Duration::from_millis(50)).await;
        assert_eq!(test.log.events.borrow().len(), 1);
        test.log.last_socket().resume_reading();
        client(move || {
            let mut answer = [0; 9];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"\x81\x01a\x81\x01b\x81\x01c");
        })
        .await;
    });
}

#[test]
fn a_panicking_session_ends_alone() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let (mut bad, mut good) = (open(address), open(address));
            bad.send("panic".into()).unwrap();
            assert!(bad.read().is_err());
            good.send("fine".into()).unwrap();
            assert_eq!(good.read().unwrap(), "fine".into());
        })
        .await;
        until(|| test.log.closed() == Some(CloseReason::Lost)).await;
    });
}

#[test]
fn a_half_closed_peer_is_lost_and_a_reset_one_too() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            let mut half = open_raw(address);
            half.shutdown(Shutdown::Write).unwrap();
            assert_eq!(half.read(&mut [0]).unwrap(), 0);
            let reset = open_raw(address);
            reset.set_nonblocking(true).unwrap();
            socket2::SockRef::from(&reset).set_linger(Some(Duration::ZERO)).unwrap();
        })
        .await;
        until(|| test.log.events.borrow().len() == 2).await;
        assert!(test.log.events.borrow().iter().all(|e| *e == Event::Closed(CloseReason::Lost)));
        until(|| test.front.connections() == 0).await;
    });
}

#[test]
fn thousands_of_connections_come_and_go_and_leave_nothing() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        client(move || {
            for round in 0..10 {
                let mut all: Vec<_> = (0..200).map(|_| open_raw(address)).collect();
                for (i, stream) in all.iter_mut().enumerate() {
                    match (round + i) % 4 {
                        0 => stream.write_all(&frame(0x88, &[3, 232])).unwrap(),
                        1 => stream.write_all(&frame(0x81, b"close")).unwrap(),
                        2 => stream.write_all(&frame(0x81, b"unread")).unwrap(),
                        _ => {}
                    }
                }
            }
        })
        .await;
        until(|| test.front.connections() == 0).await;
        let closed = |e: &&Event| matches!(e, Event::Closed(_));
        assert_eq!(test.log.events.borrow().iter().filter(closed).count(), 2000);
        test.log.sockets.borrow_mut().clear();
        until(|| sockets.is_empty()).await;
    });
}

#[test]
fn a_session_that_panics_at_its_start_or_when_it_resumes_ends() {
    on_a_shard(async |sockets| {
        let test = front(&sockets, None, |_| ());
        let address = test.address;
        let mut stream = client(move || {
            let handshake = String::from_utf8(HANDSHAKE.to_vec()).unwrap();
            let mut stream = dial(address);
            let request = handshake.replace("token=good", "token=panic");
            stream.write_all(request.as_bytes()).unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
            let mut stream = open_raw(address);
            let wire = [frame(0x81, b"pause"), frame(0x81, b"panic"), frame(0x81, b"x")].concat();
            stream.write_all(&wire).unwrap();
            stream
        })
        .await;
        until(|| test.log.events.borrow().len() == 1).await;
        test.log.last_socket().resume_reading();
        until(|| test.log.closed() == Some(CloseReason::Lost)).await;
        assert_eq!(test.log.events.borrow().len(), 2);
        client(move || assert!(!matches!(stream.read(&mut [0]), Ok(1)))).await;
        until(|| test.front.connections() == 0).await;
    });
}
