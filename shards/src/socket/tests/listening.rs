//! Listeners: bounds, sharing a port, running out of descriptors.

use super::*;

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
fn the_listeners_of_a_shard_share_one_bound_of_connections() {
    on_a_shard(SocketConfig::default(), async |sockets| {
        let options = ListenOptions { connections_max: 2, ..ListenOptions::default() };
        let listen = || echo_server(&sockets, options.clone(), Pace::Now).address();
        let (http, grpc) = (listen(), listen());
        client(move || {
            let mut held: Vec<_> = [http, grpc].map(dial).into();
            for stream in &mut held {
                stream.write_all(b"x").unwrap();
                stream.read_exact(&mut [0]).unwrap();
            }
            for address in [http, grpc] {
                assert_eq!(dial(address).read(&mut [0]).unwrap(), 0, "closed at once");
            }
        })
        .await;
        until(|| sockets.is_empty()).await;
        assert_eq!((sockets.0.counts.refused.get(), sockets.0.state.borrow().accepted), (2, 0));
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
