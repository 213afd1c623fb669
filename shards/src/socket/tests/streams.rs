//! Outgoing connections as asynchronous streams.

use super::*;

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
