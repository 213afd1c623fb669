use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};

use super::harness::{ask, client, dial, front, on_a_shard, until};
use crate::net::tls::{Certificates, TlsError};

struct Files {
    dir: PathBuf,
}

impl Files {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("kakera-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self { dir }
    }

    /// Writes a fresh certificate and returns it.
    fn renew(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(self.certificate(), made.cert.pem()).unwrap();
        std::fs::write(self.key(), made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    }

    fn certificate(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.dir.join("key.pem")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

type TlsStream = StreamOwned<ClientConnection, TcpStream>;

fn dial_tls(address: SocketAddr, trusted: &CertificateDer<'static>, alpn: &[&str]) -> TlsStream {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(session, dial(address))
}

#[test]
fn http_and_websocket_work_over_tls() {
    on_a_shard(async |sockets| {
        let files = Files::new("work");
        let trusted = files.renew();
        let certificates = Certificates::load(files.certificate(), files.key()).unwrap();
        let test = front(&sockets, Some(certificates), |_| ());
        let address = test.address;
        client(move || {
            let mut stream = dial_tls(address, &trusted, &["http/1.1"]);
            let (_, _, body) = ask(&mut stream, b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
            assert_eq!(body, b"GET /x true");
            assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
            let (_, _, body) = ask(&mut stream, b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
            assert!(body == "0123456789abcdef".repeat(200_000).as_bytes());
            let long = vec![b'x'; 200_000];
            let head = "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n";
            let (_, _, body) = ask(&mut stream, &[head.as_bytes(), &long].concat());
            assert_eq!(body, b"200000");
            let stream = dial_tls(address, &trusted, &[]);
            let (mut socket, _) =
                tungstenite::client("ws://localhost/ws?token=good", stream).unwrap();
            socket.send("over tls".into()).unwrap();
            assert_eq!(socket.read().unwrap(), "over tls".into());
            socket.close(None).unwrap();
            while socket.read().is_ok() {}
        })
        .await;
        until(|| test.front.connections() == 0).await;
    });
}

#[test]
fn http2_is_agreed_on_and_spoken() {
    on_a_shard(async |sockets| {
        let files = Files::new("alpn");
        let trusted = files.renew();
        let certificates = Certificates::load(files.certificate(), files.key()).unwrap();
        let test = front(&sockets, Some(certificates), |_| ());
        let address = test.address;
        let first = client(move || {
            let mut stream = dial_tls(address, &trusted, &["h2", "http/1.1"]);
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
            assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
            let mut head = [0; 9];
            stream.read_exact(&mut head).unwrap();
            head[3]
        })
        .await;
        // The server's settings come first.
        assert_eq!(first, 4);
    });
}

#[test]
fn a_reload_serves_new_connections_and_a_bad_one_changes_nothing() {
    on_a_shard(async |sockets| {
        let files = Files::new("reload");
        let old = files.renew();
        let certificates = Certificates::load(files.certificate(), files.key()).unwrap();
        let test = front(&sockets, Some(certificates.clone()), |_| ());
        let address = test.address;
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let mut kept = client(move || {
            let mut stream = dial_tls(address, &old, &[]);
            assert_eq!(ask(&mut stream, request).0, 200);
            stream
        })
        .await;
        let new = files.renew();
        certificates.reload().unwrap();
        std::fs::write(files.certificate(), "not a certificate").unwrap();
        assert!(matches!(certificates.reload(), Err(TlsError::Empty(_))));
        client(move || {
            assert_eq!(ask(&mut dial_tls(address, &new, &[]), request).0, 200);
            assert_eq!(ask(&mut kept, request).0, 200);
        })
        .await;
    });
}

#[test]
fn plain_bytes_on_a_tls_port_end_with_an_alert() {
    on_a_shard(async |sockets| {
        let files = Files::new("plain");
        files.renew();
        let certificates = Certificates::load(files.certificate(), files.key()).unwrap();
        let test = front(&sockets, Some(certificates), |_| ());
        let address = test.address;
        let answer = client(move || {
            let mut stream = dial(address);
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            answer
        })
        .await;
        assert_eq!(answer.first(), Some(&0x15));
        assert_eq!(test.site.calls.get(), 0);
        until(|| test.front.connections() == 0).await;
    });
}
