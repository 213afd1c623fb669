//! How sockets end, and peers that hold them up.

use super::*;
use crate::boot;

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

#[test]
fn a_closed_socket_does_not_wait_for_a_peer_that_takes_it_byte_by_byte() {
    let config = SocketConfig { finish_max: Duration::from_millis(300), ..SocketConfig::default() };
    on_a_shard(config, async |sockets| {
        let closed = Rc::new(Cell::new(None));
        let of_server = Rc::clone(&closed);
        let listening = sockets
            .listen(any(), ListenOptions::default(), move |socket| {
                let (pace, closed) = (Pace::Now, Rc::clone(&of_server));
                socket.consume(Rc::new(Echo { socket: socket.clone(), pace, closed }));
                socket.write(&pattern(32 << 20), pace).unwrap();
                socket.close();
            })
            .unwrap();
        let address = listening.address();
        let taken = client(move || {
            let mut stream = dial(address);
            let (mut bytes, mut taken) = ([0; 4096], 0);
            while let Ok(len @ 1..) = stream.read(&mut bytes) {
                taken += len;
                thread::sleep(Duration::from_millis(5));
            }
            taken
        })
        .await;
        until(|| closed.get().is_some()).await;
        assert_eq!(closed.get(), Some(Closed::Here));
        assert!(taken < 32 << 20, "{taken}");
    });
}

#[test]
fn nothing_is_opened_while_all_is_shut_down() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let peer = std::net::TcpListener::bind(any()).unwrap();
        let address = peer.local_addr().unwrap();
        // It is woken by the end of its connection, before the pump ends, and tries again.
        let (tried, of_task) = (Rc::new(Cell::new(None)), sockets.clone());
        let result = Rc::clone(&tried);
        runtime::spawn("returns", async move {
            let mut stream = of_task.connect_tcp(address).await.unwrap();
            result.set(Some(true));
            let mut bytes = [0];
            let mut bytes = ReadBuf::new(&mut bytes);
            let _ = poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut bytes)).await;
            let again = of_task.connect_tcp(address).await;
            result.set(Some(again.is_ok()));
            std::future::pending::<()>().await;
        });
        until(|| tried.get() == Some(true)).await;
        sockets.shut_down().await;
        until(|| tried.get() == Some(false)).await;
        assert!(sockets.listen(any(), ListenOptions::default(), drop).is_err());
    });
}

struct Silent;
impl crate::envelope::Protocol for Silent {
    type Request = ();
    type Reply = ();
}

#[test]
fn a_ring_that_the_kernel_does_not_take_is_the_end_of_the_node() {
    let config = boot::BootConfig {
        shards: 1,
        pin: false,
        ..boot::BootConfig::new(crate::NodeId(1)).unwrap()
    };
    let ended = boot::run(&config, |context: boot::ShardContext<Silent>| async move {
        let sockets = Sockets::start(SocketConfig::default())?;
        echo_server(&sockets, ListenOptions::default(), Pace::Now);
        sockets.0.state.borrow().ring.lose();
        context.draining().await;
        sockets.shut_down().await;
        Ok(())
    });
    assert_eq!(ended.unwrap_err().to_string(), "shard 0 failed: its task `socket pump` ended");
}
