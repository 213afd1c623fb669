//! What sockets, WebSocket and HTTP cost a server core.
//!
//! `cargo bench --bench net [echo|burst|idle|http] [connections]`, all by default. One shard on one core,
//! blocking clients on another thread over loopback; the processor time is that of the shard's thread.

#[path = "asked/mod.rs"]
mod asked;

use std::{
    cell::{Cell, RefCell},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::LocalBoxFuture};
use http::{HeaderMap, StatusCode};
use kakera::net::{
    Accept, CloseReason, Front, FrontConfig, HttpService, MessageRef, Request, Response, Services,
    SocketEvents, SocketService, UpgradeRequest, WireFrame, WsSocket,
};
use kakera_shards::{
    runtime::{self, ExecutorConfig},
    socket::{Pace, SocketConfig, Sockets},
};

struct Hello;

impl HttpService for Hello {
    fn call(&self, _: Request) -> LocalBoxFuture<'_, Response> {
        async { Response::new(StatusCode::OK, "text/plain", "hello") }.boxed_local()
    }
}

#[derive(Default)]
struct Echoes {
    sockets: RefCell<Vec<WsSocket>>,
    bursts: Cell<u64>,
}

struct Echoing(Rc<Echoes>);
struct Echo(WsSocket, Rc<Echoes>);

const FANOUT: &[u8] = b"fan out";

impl SocketService for Echoing {
    fn open(&self, _: UpgradeRequest) -> LocalBoxFuture<'_, Result<Accept, Response>> {
        let all = self.0.clone();
        async move {
            Ok(Accept {
                headers: HeaderMap::new(),
                start: Box::new(move |socket| {
                    all.sockets.borrow_mut().push(socket.clone());
                    Rc::new(Echo(socket, all))
                }),
            })
        }
        .boxed_local()
    }
}

impl SocketEvents for Echo {
    fn message(&self, message: MessageRef<'_>) {
        let MessageRef::Binary(bytes) = message else { return };
        if bytes == FANOUT {
            self.1.bursts.set(self.1.bursts.get() + 1);
            let frame = WireFrame::binary(&[7; 100]);
            for socket in self.1.sockets.borrow().iter() {
                let _ = socket.send(&frame, Pace::Paced);
            }
        } else {
            let _ = self.0.send(&WireFrame::binary(bytes), Pace::Now);
        }
    }

    fn closed(&self, _: CloseReason) {
        self.1.sockets.borrow_mut().clear();
    }
}

struct Server {
    address: SocketAddr,
    tid: i32,
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Server {
    fn start() -> Self {
        let (tell, told) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread = thread::spawn(move || {
            let config = ExecutorConfig { cpu: Some(0), ..ExecutorConfig::default() };
            runtime::block_on(&config, async {
                let sockets = Sockets::start(SocketConfig::default()).unwrap();
                let services = Services {
                    http: Rc::new(Hello),
                    sockets: Some(Rc::new(Echoing(Rc::default()))),
                    flood: None,
                };
                let any = "127.0.0.1:0".parse().unwrap();
                let mut config = FrontConfig::default();
                config.websocket.outgoing_queue_len_max = 4096;
                let front = Front::listen(&sockets, any, config, None, services).unwrap();
                let tid = std::fs::read_link("/proc/thread-self").unwrap();
                let tid = tid.file_name().unwrap().to_str().unwrap().parse().unwrap();
                tell.send((front.address(), tid)).unwrap();
                while !stopping.load(Ordering::Relaxed) {
                    runtime::sleep(Duration::from_millis(100)).await;
                }
                front.stop();
                sockets.shut_down().await;
                let counts = runtime::counters().board().read();
                let show = [
                    "socket_receives",
                    "socket_sends",
                    "socket_writes",
                    "socket_turns",
                    "socket_sleeps",
                ];
                for reading in counts.iter().filter(|r| show.contains(&r.name)) {
                    eprintln!("    {} {}", reading.name, reading.value);
                }
            })
            .unwrap();
        });
        let (address, tid) = told.recv().unwrap();
        Self { address, tid, stop, thread }
    }

    /// Processor time of the shard's thread.
    fn cpu(&self) -> Duration {
        let stat =
            std::fs::read_to_string(format!("/proc/self/task/{}/schedstat", self.tid)).unwrap();
        Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
    }

    fn open(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .write_all(
                b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut some = [0; 512];
            let n = stream.read(&mut some).unwrap();
            assert!(n > 0);
            head.extend_from_slice(&some[..n]);
        }
        stream
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

fn masked(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x82, 0x80 | payload.len() as u8, 1, 2, 3, 4];
    frame.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn report(what: &str, units: u64, server: &Server, cpu: Duration, started: Instant) {
    let spent = server.cpu().saturating_sub(cpu);
    let took = started.elapsed();
    println!(
        "{what}: {:.2} us of server CPU each, {:.0} a second of server CPU, {:.0} a second, core {:.0} % busy",
        spent.as_secs_f64() * 1e6 / units as f64,
        units as f64 / spent.as_secs_f64(),
        units as f64 / took.as_secs_f64(),
        spent.as_secs_f64() / took.as_secs_f64() * 100.0
    );
}

fn echo(connections: usize) {
    let server = Server::start();
    let mut streams: Vec<_> = (0..connections).map(|_| server.open()).collect();
    let request = masked(&[7; 40]);
    let mut answer = [0; 42];
    let mut round = |streams: &mut Vec<TcpStream>| {
        for stream in streams.iter_mut() {
            stream.write_all(&request).unwrap();
        }
        for stream in streams.iter_mut() {
            stream.read_exact(&mut answer).unwrap();
        }
    };
    let warm = Instant::now();
    while warm.elapsed() < Duration::from_millis(500) {
        round(&mut streams);
    }
    let (cpu, started, mut done) = (server.cpu(), Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(3) {
        round(&mut streams);
        done += streams.len() as u64;
    }
    report(&format!("echo of 40 bytes, {connections} connections"), done, &server, cpu, started);
    drop(streams);
    server.stop();
}

/// Ten senders' messages reach every socket together.
fn burst(connections: usize) {
    let server = Server::start();
    let mut streams: Vec<_> = (0..connections).map(|_| server.open()).collect();
    let request = masked(FANOUT).repeat(10);
    let mut answer = [0; 1020];
    let mut round = |streams: &mut Vec<TcpStream>| {
        streams[0].write_all(&request).unwrap();
        for stream in streams.iter_mut() {
            stream.read_exact(&mut answer).unwrap();
        }
    };
    for _ in 0..20 {
        round(&mut streams);
    }
    let (cpu, started, mut done) = (server.cpu(), Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(3) {
        round(&mut streams);
        done += 10 * streams.len() as u64;
    }
    report(
        &format!("delivery, ten together, {connections} connections"),
        done,
        &server,
        cpu,
        started,
    );
    drop(streams);
    server.stop();
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn idle(connections: usize) {
    let server = Server::start();
    let mut streams: Vec<_> = (0..100).map(|_| server.open()).collect();
    streams.reserve(connections);
    thread::sleep(Duration::from_millis(200));
    let (before, cpu, started) = (resident(), server.cpu(), Instant::now());
    streams.extend((0..connections).map(|_| server.open()));
    report("open", connections as u64, &server, cpu, started);
    thread::sleep(Duration::from_millis(500));
    let each = (resident() - before) as f64 / connections as f64;
    println!(
        "idle: {each:.0} bytes resident a connection, {connections} connections, both ends in one process"
    );
    // Once all have spoken.
    let request = masked(&[7; 40]);
    for stream in &mut streams {
        stream.write_all(&request).unwrap();
        stream.read_exact(&mut [0; 42]).unwrap();
    }
    let each = (resident() - before) as f64 / connections as f64;
    println!("idle after an echo: {each:.0} bytes");
    drop(streams);
    server.stop();
}

/// Keep-alive connections that made a request and wait.
fn idle_http(connections: usize) {
    let server = Server::start();
    let open = || {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert!(stream.read(&mut [0; 512]).unwrap() > 0);
        stream
    };
    let mut streams: Vec<_> = (0..100).map(|_| open()).collect();
    streams.reserve(connections);
    thread::sleep(Duration::from_millis(200));
    let before = resident();
    streams.extend((0..connections).map(|_| open()));
    thread::sleep(Duration::from_millis(200));
    let each = (resident() - before) as f64 / connections as f64;
    println!("idle keep-alive: {each:.0} bytes resident a connection, {connections} connections");
    drop(streams);
    server.stop();
}

fn http(connections: usize) {
    let server = Server::start();
    let mut streams: Vec<_> =
        (0..connections).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let request = b"GET /healthcheck HTTP/1.1\r\nHost: localhost:7350\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
    let mut answer = [0; 4096];
    let mut round = |streams: &mut Vec<TcpStream>| {
        for stream in streams.iter_mut() {
            stream.write_all(request).unwrap();
        }
        for stream in streams.iter_mut() {
            let n = stream.read(&mut answer).unwrap();
            assert!(answer[..n].ends_with(b"hello"));
        }
    };
    for _ in 0..100 {
        round(&mut streams);
    }
    let (cpu, started, mut done) = (server.cpu(), Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(3) {
        round(&mut streams);
        done += streams.len() as u64;
    }
    report(&format!("keep-alive request, {connections} connections"), done, &server, cpu, started);
    drop(streams);
    server.stop();
}

fn main() {
    let mut args = asked::words().into_iter();
    let (what, count) = (args.next(), args.next().and_then(|count| count.parse().ok()));
    let all = what.is_none();
    let asked = |name| all || what.as_deref() == Some(name);
    if asked("echo") {
        for connections in count.map_or(vec![1, 8, 32, 200], |count| vec![count]) {
            echo(connections);
        }
    }
    if asked("burst") {
        burst(count.unwrap_or(100));
    }
    if asked("http") {
        http(count.unwrap_or(64));
    }
    if asked("idle") {
        idle(count.unwrap_or(5000));
        idle_http(count.unwrap_or(5000));
    }
}
