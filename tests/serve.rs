//! Starting and ending a node: what the operator sees when it goes well and when it does not.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::json;

use support::{
    http::{SERVER_KEY, request, sign_in},
    metrics::Metrics,
    server::{DataDir, Ports, Server, command},
    socket::JsonClient,
};

/// Runs a server that must not start; answers what it did.
fn fails_to_start(data: &DataDir, ports: Ports, flags: &[&str]) -> Output {
    let output =
        command(data.path(), ports, flags).output().expect("the server's binary can be run");
    assert!(!output.status.success(), "it started");
    output
}

/// The lines in which a failed start says what is wrong.
fn complaints(output: &Output, what: &str) -> Vec<String> {
    let said = [output.stdout.clone(), output.stderr.clone()].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let found: Vec<_> =
        said.lines().filter(|line| line.contains(what)).map(str::to_owned).collect();
    assert!(!found.is_empty(), "no word of {what:?} in\n{said}");
    found
}

#[test]
fn a_server_whose_port_is_taken_says_which_and_fails() {
    let first = Server::start();
    let ports = Ports { socket: first.ports.socket, console: Ports::free().console };
    let output = fails_to_start(&DataDir::new(), ports, &[]);
    complaints(&output, "socket.port: cannot listen on");
}

#[test]
fn a_server_whose_database_cannot_be_opened_says_so_and_fails() {
    let data = DataDir::new();
    let path = data.path().join("kakera.db");
    std::fs::write(&path, "this is no database, and long enough to be read as one".repeat(20))
        .expect("the data directory is writable");
    let output = fails_to_start(&data, Ports::free(), &[]);
    complaints(&output, "the database cannot be opened");
}

#[test]
fn a_server_whose_database_does_not_answer_says_so_and_fails() {
    let nobody_listens = Ports::free().console;
    let address = format!("--database.address=nobody@127.0.0.1:{nobody_listens}/nothing");
    let output =
        fails_to_start(&DataDir::new(), Ports::free(), &["--database.driver=postgres", &address]);
    complaints(&output, "the database cannot be used");
}

#[test]
fn a_server_is_ready_when_it_says_so_and_says_where() {
    let server = Server::start_with(&["--metrics.prometheus_port=0"]);
    let log = wait_for(|| server.log(), |log| log.contains("Startup done"));
    let line = log.lines().find(|line| line.contains("Startup done")).expect("just found");
    let line: serde_json::Value = serde_json::from_str(line).expect("the log is JSON");
    assert_eq!(line["http"], format!("127.0.0.1:{}", server.ports.socket));
    assert_eq!(line["grpc"], format!("127.0.0.1:{}", server.ports.socket - 1));
    assert_eq!(line["console"], format!("127.0.0.1:{}", server.ports.console));
    assert_eq!(line["shards"], 2);
}

#[test]
fn a_scrape_counts_the_sessions_of_all_shards() {
    let ports = Ports::free();
    let flag = format!("--metrics.prometheus_port={}", ports.console);
    let server = Server::start_with(&[&flag]);
    let token = sign_in(server.address(), "device-of-alice");
    let clients: Vec<_> =
        (0..12).map(|_| JsonClient::connect(server.address(), &token, "")).collect();
    let metrics = Metrics::on(ports.console);
    metrics.expect("nakama_sessions", clients.len() as f64);
    metrics.expect("nakama_users_with_sessions", 1.0);
    drop(clients);
    metrics.expect("nakama_sessions", 0.0);
    metrics.expect("nakama_users_with_sessions", 0.0);
}

#[test]
fn a_request_in_flight_is_answered_before_the_server_ends() {
    let mut server = Server::start_with(&["--shutdown_grace_sec=5"]);
    // Creating an account by email takes a while: the password is hashed.
    let address = server.address();
    let call = thread::spawn(move || {
        let body = json!({"email": "alice@example.com", "password": "a long password"}).to_string();
        request(address, "POST", "/v2/account/authenticate/email?create=true", SERVER_KEY, &body)
    });
    thread::sleep(Duration::from_millis(30));
    server.signal("TERM");
    let reply = call.join().expect("the call does not panic").expect("the call is answered");
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    assert!(server.wait(Duration::from_secs(6)).success());
}

#[test]
fn sighup_takes_a_new_certificate_and_keeps_the_old_one_where_the_new_is_broken() {
    let data = DataDir::new();
    let (chain, key) = (data.path().join("chain.pem"), data.path().join("key.pem"));
    let first = certificate(&chain, &key);
    let flags = [
        format!("--socket.ssl_certificate={}", chain.display()),
        format!("--socket.ssl_private_key={}", key.display()),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::start_in(data, &flags);
    assert_eq!(served(server.address(), &first), first);

    let second = certificate(&chain, &key);
    assert_ne!(second, first);
    server.signal("HUP");
    wait_for(|| server.log(), |log| log.contains("The TLS certificate was read again"));
    assert_eq!(served(server.address(), &second), second);

    std::fs::write(&chain, "no certificate").expect("the file is writable");
    server.signal("HUP");
    wait_for(|| server.log(), |log| log.contains("The TLS certificate in use stays in use"));
    assert_eq!(served(server.address(), &second), second);
}

/// Writes a new certificate for `localhost` and its key.
fn certificate(chain: &Path, key: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])
        .expect("a key can be generated");
    std::fs::write(chain, made.cert.pem()).expect("the data directory is writable");
    std::fs::write(key, made.signing_key.serialize_pem()).expect("the data directory is writable");
    CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).expect("just written")
}

/// The certificate that a client which trusts `trusted` is shown, after a request over it.
fn served(server: SocketAddr, trusted: &CertificateDer<'static>) -> CertificateDer<'static> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate of ours is well-formed");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a valid name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a usable configuration");
    let stream = TcpStream::connect(server).expect("the server listens");
    let mut stream = StreamOwned::new(client, stream);
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("the handshake succeeds");
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("the server answers");
    assert_eq!(&head, b"HTTP/1.1 200");
    let shown = stream.conn.peer_certificates().and_then(|chain| chain.first());
    shown.expect("the server shows a certificate").clone().into_owned()
}

/// Reads again until it is as wanted.
fn wait_for(read: impl Fn() -> String, wanted: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let text = read();
        if wanted(&text) {
            return text;
        }
        assert!(Instant::now() < deadline, "it does not come in\n{text}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_service_manager_hears_of_the_start_of_stopping_and_that_all_shards_get_on() {
    let data = DataDir::new();
    let path = data.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("the data directory is writable");
    manager.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    let heard = || {
        let mut buffer = [0; 256];
        let len = manager.recv(&mut buffer).expect("the server tells within its time");
        String::from_utf8_lossy(&buffer[..len]).trim().to_owned()
    };
    let mut child = command(data.path(), Ports::free(), &[])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "4000000")
        .stdout(Stdio::null())
        .spawn()
        .expect("the server's binary can be run");
    assert_eq!(heard(), "READY=1");
    assert_eq!(heard(), "WATCHDOG=1");
    assert_eq!(heard(), "WATCHDOG=1");
    let status = Command::new("kill").arg(child.id().to_string()).status();
    assert!(status.expect("kill can be run").success());
    while heard() != "STOPPING=1" {}
    assert!(child.wait().expect("the child is ours").success());
}
