use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    pin::Pin,
    rc::Rc,
    sync::mpsc,
    thread,
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;
use crate::runtime::{self, ExecutorConfig};

const LIMIT: Duration = Duration::from_secs(20);

fn on_a_shard<T>(config: SocketConfig, main: impl AsyncFnOnce(Sockets) -> T) -> T {
    runtime::block_on(&ExecutorConfig::default(), async {
        let sockets = Sockets::start(config).unwrap();
        let result = runtime::timeout(LIMIT, main(sockets.clone())).await.expect("in time");
        runtime::timeout(LIMIT, sockets.shut_down()).await.expect("all sockets close");
        assert!(sockets.is_empty());
        result
    })
    .unwrap()
}

/// Runs a blocking client beside the shard and waits for it.
async fn client<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let thread = thread::spawn(move || done.send(run()).unwrap());
    loop {
        match result.try_recv() {
            Ok(value) => return value,
            Err(mpsc::TryRecvError::Empty) => runtime::sleep(Duration::from_millis(1)).await,
            Err(mpsc::TryRecvError::Disconnected) => {
                thread.join().expect("the client passes");
                unreachable!()
            }
        }
    }
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        runtime::sleep(Duration::from_millis(1)).await;
    }
}

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Sends everything back, and remembers how it ended.
struct Echo {
    socket: Socket,
    pace: Pace,
    closed: Rc<Cell<Option<Closed>>>,
}

impl Consumer for Echo {
    fn data(&self, bytes: &mut [u8]) {
        let _ = self.socket.write(bytes, self.pace);
    }

    fn ended(&self) {
        self.socket.close();
    }

    fn closed(&self, reason: Closed) {
        self.closed.set(Some(reason));
    }
}

fn echo_server(sockets: &Sockets, options: ListenOptions, pace: Pace) -> Listening {
    sockets
        .listen(any(), options, move |socket| {
            let closed = Rc::default();
            socket.consume(Rc::new(Echo { socket: socket.clone(), pace, closed }));
        })
        .unwrap()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

#[test]
fn bytes_come_back_in_order_through_partial_sends() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let address = echo_server(&sockets, ListenOptions::default(), Pace::Now).address();
        client(move || {
            let mut reader = dial(address);
            let mut writer = reader.try_clone().unwrap();
            let sent = pattern(8 << 20);
            let expected = sent.clone();
            let sender = thread::spawn(move || {
                writer.write_all(&sent).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let mut back = Vec::new();
            reader.read_to_end(&mut back).unwrap();
            sender.join().unwrap();
            assert!(back == expected);
        })
        .await;
        until(|| sockets.is_empty()).await;
    });
}

#[test]
fn paced_writes_leave_without_another_push() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let address = echo_server(&sockets, ListenOptions::default(), Pace::Paced).address();
        client(move || {
            let mut stream = dial(address);
            for _ in 0..50 {
                stream.write_all(b"hello").unwrap();
                let mut back = [0; 5];
                stream.read_exact(&mut back).unwrap();
                assert_eq!(&back, b"hello");
            }
        })
        .await;
    });
}

#[test]
fn thousands_of_sockets_come_and_go_and_leave_nothing() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let address = echo_server(&sockets, ListenOptions::default(), Pace::Now).address();
        client(move || {
            for round in 0..20 {
                let mut streams: Vec<_> = (0..200).map(|_| dial(address)).collect();
                for (i, stream) in streams.iter_mut().enumerate() {
                    stream.write_all(&[i as u8; 100]).unwrap();
                    if i % 3 == 0 {
                        // Unread echo: this close resets the connection.
                        continue;
                    }
                    let mut back = [0; 100];
                    stream.read_exact(&mut back).unwrap();
                    assert_eq!(back, [i as u8; 100]);
                    if round % 2 == 0 {
                        stream.shutdown(Shutdown::Both).unwrap();
                    }
                }
            }
        })
        .await;
        until(|| sockets.is_empty()).await;
        let state = sockets.0.state.borrow();
        assert_eq!((state.sends_in_flight, state.ring.outstanding_of_sockets()), (0, 0));
    });
}

#[test]
fn a_half_closed_peer_still_gets_what_is_queued() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        struct Late(Socket, RefCell<Vec<u8>>);
        impl Consumer for Late {
            fn data(&self, bytes: &mut [u8]) {
                self.1.borrow_mut().extend_from_slice(bytes);
            }
            fn ended(&self) {
                let answer = self.1.take().repeat(1000);
                self.0.write_bytes(&answer.into(), Pace::Now).unwrap();
                self.0.close();
            }
            fn closed(&self, _: Closed) {}
        }
        let listening = sockets
            .listen(any(), ListenOptions::default(), |socket| {
                socket.consume(Rc::new(Late(socket.clone(), RefCell::default())));
            })
            .unwrap();
        let address = listening.address();
        let len = client(move || {
            let mut stream = dial(address);
            stream.write_all(&pattern(1000)).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut back = Vec::new();
            stream.read_to_end(&mut back).unwrap();
            back.len()
        })
        .await;
        assert_eq!(len, 1_000_000);
    });
}

#[test]
fn a_reset_in_the_middle_of_a_send_ends_the_socket() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let closed: Rc<Cell<Option<Closed>>> = Rc::default();
        let reason = closed.clone();
        let listening = sockets
            .listen(any(), ListenOptions::default(), move |socket| {
                let closed = closed.clone();
                socket.consume(Rc::new(Echo { socket: socket.clone(), pace: Pace::Now, closed }));
                socket.write_bytes(&vec![1; 32 << 20].into(), Pace::Now).unwrap();
            })
            .unwrap();
        let address = listening.address();
        client(move || {
            let mut stream = dial(address);
            let mut some = [0; 4096];
            stream.read_exact(&mut some).unwrap();
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        })
        .await;
        until(|| sockets.is_empty()).await;
        assert!(matches!(reason.get(), Some(Closed::Failed(_))), "{:?}", reason.get());
    });
}

#[test]
fn a_peer_that_takes_nothing_is_cut() {
    let config =
        SocketConfig { write_stall: Duration::from_millis(200), ..SocketConfig::default() };
    on_a_shard(config, async |sockets| {
        let closed: Rc<Cell<Option<Closed>>> = Rc::default();
        let reason = closed.clone();
        let listening = sockets
            .listen(any(), ListenOptions::default(), move |socket| {
                let closed = closed.clone();
                socket.consume(Rc::new(Echo { socket: socket.clone(), pace: Pace::Now, closed }));
                socket.write_bytes(&vec![1; 32 << 20].into(), Pace::Now).unwrap();
            })
            .unwrap();
        let stream = dial(listening.address());
        until(|| reason.get().is_some()).await;
        assert_eq!(reason.get(), Some(Closed::Stalled));
        drop(stream);
    });
}

#[test]
fn a_paused_reader_holds_the_peer_back_and_goes_on_where_it_was() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        struct Count {
            socket: Socket,
            seen: Rc<Cell<usize>>,
        }
        impl Consumer for Count {
            fn data(&self, bytes: &mut [u8]) {
                for byte in bytes.iter() {
                    assert_eq!(*byte, (self.seen.get() * 7 + self.seen.get() / 251) as u8);
                    self.seen.set(self.seen.get() + 1);
                }
                self.socket.pause_reading();
            }
            fn ended(&self) {
                self.socket.close();
            }
            fn closed(&self, _: Closed) {}
        }
        let seen: Rc<Cell<usize>> = Rc::default();
        let last: Rc<RefCell<Option<Socket>>> = Rc::default();
        let (seen_by, last_of) = (seen.clone(), last.clone());
        let listening = sockets
            .listen(any(), ListenOptions::default(), move |socket| {
                *last_of.borrow_mut() = Some(socket.clone());
                let seen = seen_by.clone();
                socket.consume(Rc::new(Count { socket: socket.clone(), seen }));
            })
            .unwrap();
        let address = listening.address();
        let len = 16 << 20;
        let sender = thread::spawn(move || {
            let mut stream = dial(address);
            stream.write_all(&pattern(len)).unwrap();
        });
        until(|| seen.get() > 0).await;
        runtime::sleep(Duration::from_millis(100)).await;
        let (early, now) = (seen.get(), sender.is_finished());
        assert!(early < 4 << 20, "{early} bytes came in although reading was paused");
        assert!(!now, "the sender was not held back");
        while seen.get() < len {
            last.borrow().as_ref().unwrap().resume_reading();
            runtime::yield_now().await;
        }
        sender.join().unwrap();
        *last.borrow_mut() = None;
    });
}

#[test]
fn few_receive_buffers_slow_many_sockets_down_but_lose_nothing() {
    let config =
        SocketConfig { receive_buffers: 2, receive_buffer_len: 64, ..SocketConfig::default() };
    on_a_shard(config, async |sockets| {
        let address = echo_server(&sockets, ListenOptions::default(), Pace::Now).address();
        client(move || {
            let mut streams: Vec<_> = (0..50).map(|_| dial(address)).collect();
            for stream in &mut streams {
                stream.write_all(&pattern(3000)).unwrap();
            }
            for stream in &mut streams {
                let mut back = vec![0; 3000];
                stream.read_exact(&mut back).unwrap();
                assert!(back == pattern(3000));
            }
        })
        .await;
        assert!(sockets.0.counts.buffers_short.get() > 0, "the test starved nobody");
    });
}

#[test]
fn a_panicking_consumer_costs_its_socket_only() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        struct Fussy(Echo);
        impl Consumer for Fussy {
            fn data(&self, bytes: &mut [u8]) {
                assert!(bytes != b"panic", "as asked");
                self.0.data(bytes);
            }
            fn ended(&self) {
                self.0.ended();
            }
            fn closed(&self, _: Closed) {}
        }
        let listening = sockets
            .listen(any(), ListenOptions::default(), |socket| {
                let (pace, closed) = (Pace::Now, Rc::default());
                socket.consume(Rc::new(Fussy(Echo { socket: socket.clone(), pace, closed })));
            })
            .unwrap();
        let address = listening.address();
        client(move || {
            let (mut bad, mut good) = (dial(address), dial(address));
            bad.write_all(b"panic").unwrap();
            let end = bad.read(&mut [0; 8]);
            assert!(matches!(end, Ok(0) | Err(_)));
            good.write_all(b"fine").unwrap();
            good.read_exact(&mut [0; 4]).unwrap();
        })
        .await;
        assert_eq!(sockets.0.counts.panics.get(), 1);
    });
}

#[test]
fn a_full_listener_closes_newcomers_and_serves_again_when_somebody_leaves() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let options = ListenOptions { connections_max: 2, ..ListenOptions::default() };
        let listening = echo_server(&sockets, options, Pace::Now);
        let address = listening.address();
        client(move || {
            let mut first = dial(address);
            let mut second = dial(address);
            for stream in [&mut first, &mut second] {
                stream.write_all(b"x").unwrap();
                stream.read_exact(&mut [0]).unwrap();
            }
            for _ in 0..20 {
                assert_eq!(dial(address).read(&mut [0]).unwrap(), 0, "closed at once");
            }
            drop(first);
            let works = |mut stream: TcpStream| {
                stream.write_all(b"x").is_ok() && matches!(stream.read(&mut [0]), Ok(1))
            };
            while !works(dial(address)) {}
            second.write_all(b"x").unwrap();
            second.read_exact(&mut [0]).unwrap();
        })
        .await;
        assert!(sockets.0.counts.refused.get() >= 20);
    });
}

#[test]
fn one_address_gets_no_more_than_its_share() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let options = ListenOptions { per_address_max: 3, ..ListenOptions::default() };
        let listening = echo_server(&sockets, options, Pace::Now);
        let address = listening.address();
        let served = client(move || {
            let mut streams: Vec<_> = (0..10).map(|_| dial(address)).collect();
            let works = |stream: &mut TcpStream| {
                stream.write_all(b"x").is_ok() && matches!(stream.read(&mut [0]), Ok(1))
            };
            streams.iter_mut().filter_map(|stream| works(stream).then_some(())).count()
        })
        .await;
        assert_eq!(served, 3);
        until(|| listening.connections() == 0).await;
        assert!(client(move || dial(address).write_all(b"x").is_ok()).await);
    });
}

async fn read_some(stream: &mut Stream, into: &mut [u8]) -> std::io::Result<usize> {
    let mut buffer = ReadBuf::new(into);
    poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut buffer)).await?;
    Ok(buffer.filled().len())
}

async fn write_all(stream: &mut Stream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let n = poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, bytes)).await.unwrap();
        bytes = &bytes[n..];
    }
}

#[test]
fn a_stream_connects_reads_and_writes_with_bounded_queues() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let address = echo_server(&sockets, ListenOptions::default(), Pace::Now).address();
        let mut stream = sockets.connect_tcp(address).await.unwrap();
        let sent = pattern(3 << 20);
        let mut back = Vec::new();
        let mut piece = vec![0; 1000];
        for part in sent.chunks(100_000) {
            write_all(&mut stream, part).await;
            while back.len() < part.len() {
                let n = read_some(&mut stream, &mut piece).await.unwrap();
                back.extend_from_slice(&piece[..n]);
            }
            assert!(back == part);
            back.clear();
        }
    });
}

#[test]
fn a_writer_waits_while_the_peer_reads_nothing() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let listener = std::net::TcpListener::bind(any()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut stream = sockets.connect_tcp(address).await.unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let big = pattern(32 << 20);
        let expected = big.clone();
        let queued: Rc<Cell<bool>> = Rc::default();
        let done = queued.clone();
        let writer = runtime::spawn_owned("writer", async move {
            write_all(&mut stream, &big).await;
            done.set(true);
        });
        runtime::sleep(Duration::from_millis(100)).await;
        assert!(!queued.get(), "a writer must wait for a peer that does not read");
        let back = client(move || {
            let mut back = Vec::new();
            peer.read_to_end(&mut back).unwrap();
            back
        });
        let (back, _) = futures_util::join!(back, writer);
        assert!(back == expected);
    });
}

#[test]
fn a_unix_socket_connects_and_a_missing_one_says_so() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let dir = std::env::temp_dir().join(format!("kakera-sockets-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("s");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let mut stream = sockets.connect_unix(&path).await.unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"from afar").unwrap();
        let mut into = [0; 32];
        assert_eq!(read_some(&mut stream, &mut into).await.unwrap(), 9);
        let missing = sockets.connect_unix(&dir.join("none")).await;
        assert_eq!(missing.err().unwrap().kind(), ErrorKind::NotFound);
        std::fs::remove_dir_all(&dir).unwrap();
    });
}

#[test]
fn a_refused_and_an_abandoned_connection_leave_no_slot() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let listener = std::net::TcpListener::bind(any()).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = sockets.connect_tcp(address).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        // An address of a documentation range: nobody answers, so only giving up ends it.
        let nowhere = "192.0.2.1:9".parse().unwrap();
        let attempt = runtime::timeout(Duration::from_millis(20), sockets.connect_tcp(nowhere));
        assert!(!matches!(attempt.await, Some(Ok(_))));
        until(|| sockets.is_empty()).await;
    });
}

#[test]
fn a_burst_to_one_socket_leaves_in_few_sends() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let last: Rc<RefCell<Option<Socket>>> = Rc::default();
        let last_of = last.clone();
        let listening = sockets
            .listen(any(), ListenOptions::default(), move |socket| {
                let closed = Rc::default();
                let pace = Pace::Now;
                socket.consume(Rc::new(Echo { socket: socket.clone(), pace, closed }));
                *last_of.borrow_mut() = Some(socket);
            })
            .unwrap();
        let mut stream = dial(listening.address());
        until(|| last.borrow().is_some()).await;
        let socket = last.take().unwrap();
        for i in 0..1000u32 {
            socket.write(&i.to_be_bytes(), Pace::Now).unwrap();
        }
        let back = client(move || {
            let mut back = vec![0; 4000];
            stream.read_exact(&mut back).unwrap();
            back
        })
        .await;
        let expected: Vec<u8> = (0..1000u32).flat_map(u32::to_be_bytes).collect();
        assert!(back == expected);
        let sends = sockets.0.counts.sends.get();
        assert!(sends <= 3, "{sends} sends for one burst");
    });
}

#[test]
fn a_ring_that_overflows_loses_nothing() {
    let config = SocketConfig {
        ring_entries: 2,
        receive_buffers: 8,
        turn_events_max: 3,
        ..SocketConfig::default()
    };
    on_a_shard(config, async |sockets| {
        let address = echo_server(&sockets, ListenOptions::default(), Pace::Now).address();
        client(move || {
            let mut streams: Vec<_> = (0..300).map(|_| dial(address)).collect();
            for round in 0..5u8 {
                for stream in &mut streams {
                    stream.write_all(&[round; 500]).unwrap();
                }
                for stream in &mut streams {
                    let mut back = [0; 500];
                    stream.read_exact(&mut back).unwrap();
                    assert_eq!(back, [round; 500]);
                }
            }
        })
        .await;
        until(|| sockets.is_empty()).await;
    });
}

#[test]
fn on_a_busy_core_paced_writes_wait_for_company_and_leave_in_order() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let last: Rc<RefCell<Option<Socket>>> = Rc::default();
        let last_of = last.clone();
        let listening = sockets
            .listen(any(), ListenOptions::default(), move |socket| {
                let (pace, closed) = (Pace::Now, Rc::default());
                socket.consume(Rc::new(Echo { socket: socket.clone(), pace, closed }));
                *last_of.borrow_mut() = Some(socket);
            })
            .unwrap();
        let mut stream = dial(listening.address());
        until(|| last.borrow().is_some()).await;
        let socket = last.take().unwrap();
        sockets.0.state.borrow_mut().pacer.pretend_window(200_000);
        for byte in 0..10 {
            socket.write(&[byte], Pace::Paced).unwrap();
            runtime::yield_now().await;
        }
        assert_eq!(sockets.0.counts.sends.get(), 0, "nothing left before the window was over");
        let began = std::time::Instant::now();
        let back = client(move || {
            let mut back = [0; 10];
            stream.read_exact(&mut back).unwrap();
            (back, stream)
        });
        let (back, mut stream) = back.await;
        assert_eq!(back, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert!(began.elapsed() < Duration::from_secs(2));
        until(|| sockets.0.counts.sends.get() == 1).await;
        // A reply takes along what waits.
        socket.write(b"paced", Pace::Paced).unwrap();
        socket.write(b"now", Pace::Now).unwrap();
        let back = client(move || {
            let mut back = [0; 8];
            stream.read_exact(&mut back).unwrap();
            (back, stream)
        });
        let (back, mut stream) = back.await;
        assert_eq!(&back, b"pacednow");
        until(|| sockets.0.counts.sends.get() == 2).await;
        // The time at which it was due passes; what is written later waits its own time, and leaves.
        runtime::sleep(Duration::from_millis(300)).await;
        socket.write(b"later", Pace::Paced).unwrap();
        let back = client(move || {
            let mut back = [0; 5];
            stream.read_exact(&mut back).unwrap();
            back
        });
        assert_eq!(&back.await, b"later");
    });
}

#[test]
fn what_fills_a_send_does_not_wait_for_company() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let last: Rc<RefCell<Option<Socket>>> = Rc::default();
        let last_of = last.clone();
        let listening = sockets
            .listen(any(), ListenOptions::default(), move |socket| {
                let (pace, closed) = (Pace::Now, Rc::default());
                socket.consume(Rc::new(Echo { socket: socket.clone(), pace, closed }));
                *last_of.borrow_mut() = Some(socket);
            })
            .unwrap();
        let _stream = dial(listening.address());
        until(|| last.borrow().is_some()).await;
        let socket = last.take().unwrap();
        // Longer than this test may take.
        sockets.0.state.borrow_mut().pacer.pretend_window(3_600_000_000);
        for _ in 0..16 {
            socket.write(&[1; 1000], Pace::Paced).unwrap();
        }
        runtime::sleep(Duration::from_millis(20)).await;
        assert_eq!((sockets.0.counts.sends.get(), socket.queued_bytes()), (0, 16_000));
        socket.write(&[1; 1000], Pace::Paced).unwrap();
        until(|| sockets.0.counts.sends.get() == 1).await;
        assert_eq!(socket.queued_bytes(), 0);
    });
}

#[test]
fn a_listener_rests_when_descriptors_run_out_and_goes_on() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let listening = echo_server(&sockets, ListenOptions::default(), Pace::Now);
        let address = listening.address();
        runtime::sleep(Duration::from_millis(5)).await;
        let (key, fd) = {
            let state = sockets.0.state.borrow();
            let (key, _) = state.listeners.iter().next().unwrap();
            (key, std::io::Error::from_raw_os_error(libc::EMFILE))
        };
        sockets.0.state.borrow_mut().ring.cancel_accept(key);
        sockets.0.accepted(key, Err(fd), true);
        sockets.0.kick();
        assert_eq!(sockets.0.counts.accept_errors.get(), 1);
        client(move || {
            let mut stream = dial(address);
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
        })
        .await;
    });
}

#[test]
fn a_stopped_listener_gives_its_port_up_and_keeps_its_connections() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let listening = echo_server(&sockets, ListenOptions::default(), Pace::Now);
        let address = listening.address();
        let mut kept = client(move || {
            let mut stream = dial(address);
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream
        })
        .await;
        listening.stop();
        assert_eq!(listening.connections(), 1);
        client(move || {
            let refused = std::time::Instant::now();
            while TcpStream::connect(address).is_ok() {
                assert!(refused.elapsed() < LIMIT);
            }
            kept.write_all(b"y").unwrap();
            kept.read_exact(&mut [0]).unwrap();
        })
        .await;
        until(|| sockets.is_empty()).await;
        assert_eq!(sockets.0.state.borrow().listeners.len(), 0);
    });
}

#[test]
fn shards_share_a_port() {
    let (tell, told) = mpsc::channel();
    let shard = |address: SocketAddr, tell: mpsc::Sender<SocketAddr>, served: mpsc::Sender<()>| {
        move || {
            on_a_shard(SocketConfig::default(), async |sockets| {
                let seen: Rc<Cell<usize>> = Rc::default();
                let seen_by = seen.clone();
                let listening = sockets
                    .listen(address, ListenOptions::default(), move |socket| {
                        seen_by.set(seen_by.get() + 1);
                        socket.close();
                    })
                    .unwrap();
                tell.send(listening.address()).unwrap();
                until(|| seen.get() > 0).await;
                served.send(()).unwrap();
            });
        }
    };
    let (served, both) = mpsc::channel();
    let first = thread::spawn(shard(any(), tell.clone(), served.clone()));
    let address = told.recv().unwrap();
    let second = thread::spawn(shard(address, tell, served));
    told.recv().unwrap();
    // The kernel spreads by the client's port: with this many, both get some.
    let began = std::time::Instant::now();
    let mut count = 0;
    while count < 2 && began.elapsed() < LIMIT {
        drop(TcpStream::connect(address));
        count += both.try_iter().count();
    }
    first.join().unwrap();
    second.join().unwrap();
}

#[test]
fn a_slow_peer_gets_all_of_a_closed_socket_even_after_the_linger() {
    let config = SocketConfig { linger: Duration::from_millis(50), ..SocketConfig::default() };
    on_a_shard(config, async |sockets| {
        let listening = sockets
            .listen(any(), ListenOptions::default(), |socket| {
                let (pace, closed) = (Pace::Now, Rc::default());
                socket.consume(Rc::new(Echo { socket: socket.clone(), pace, closed }));
                socket.write_bytes(&pattern(100_000).into(), Pace::Now).unwrap();
                socket.close();
            })
            .unwrap();
        let address: socket2::SockAddr = listening.address().into();
        let kind = socket2::Type::STREAM;
        let small = socket2::Socket::new(socket2::Domain::IPV4, kind, None).unwrap();
        small.set_recv_buffer_size(4096).unwrap();
        small.connect(&address).unwrap();
        until(|| sockets.0.counts.closed.get() == 1).await;
        let back = client(move || {
            let mut back = Vec::new();
            TcpStream::from(small).read_to_end(&mut back).unwrap();
            back
        })
        .await;
        assert!(back == pattern(100_000));
    });
}
