//! Bytes in both directions: order, sharing of buffers, when writes leave.

use super::*;

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
