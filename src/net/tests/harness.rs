use std::{
    cell::{Cell, RefCell},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    rc::Rc,
    sync::mpsc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::LocalBoxFuture};
use http::{HeaderMap, HeaderValue, StatusCode};
use kakera_shards::{
    runtime::{self, ExecutorConfig},
    socket::{Pace, SocketConfig, Sockets},
};

use crate::{
    flood::AddressTable,
    net::{
        Accept, CloseReason, Front, FrontConfig, HttpService, MessageRef, Request, Response,
        Services, SocketEvents, SocketService, UpgradeRequest, WireFrame, WsSocket,
        tls::Certificates,
    },
};

pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// Runs a test on a shard; all sockets must be closed at its end, or be closable.
pub(super) fn on_a_shard(main: impl AsyncFnOnce(Sockets)) {
    runtime::block_on(&ExecutorConfig::default(), async {
        let sockets = Sockets::start(SocketConfig::default()).unwrap();
        runtime::timeout(LIMIT, main(sockets.clone())).await.expect("in time");
        runtime::timeout(LIMIT, sockets.shut_down()).await.expect("all sockets close");
        assert!(sockets.is_empty());
    })
    .unwrap();
}

/// Runs a blocking client beside the shard and waits for it.
pub(super) async fn client<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
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

pub(super) async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        runtime::sleep(Duration::from_millis(1)).await;
    }
}

pub(super) fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads one HTTP/1.1 response with a content length: status, head and body.
pub(super) fn read_response(stream: &mut impl Read) -> (u16, String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let status = head[9..12].parse().unwrap();
    let len = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |len| len.parse().unwrap());
    let mut body = vec![0; len];
    stream.read_exact(&mut body).unwrap();
    (status, head, body)
}

pub(super) fn ask(stream: &mut (impl Read + Write), request: &[u8]) -> (u16, String, Vec<u8>) {
    stream.write_all(request).unwrap();
    read_response(stream)
}

/// Answers by path.
pub(super) struct Site {
    pub(super) calls: Cell<usize>,
}

impl HttpService for Site {
    fn call(&self, request: Request) -> LocalBoxFuture<'_, Response> {
        self.calls.set(self.calls.get() + 1);
        async move {
            let text = |body: String| Response::new(StatusCode::OK, "text/plain", body);
            match request.uri.path() {
                "/echo" => Response::new(StatusCode::OK, "text/plain", request.body),
                "/length" => text(request.body.len().to_string()),
                "/panic" => panic!("as asked"),
                "/slow" => {
                    runtime::sleep(Duration::from_millis(300)).await;
                    text("slow".into())
                }
                "/close" => {
                    let mut response = text("closing".into());
                    let close = HeaderValue::from_static("close");
                    response.headers.insert(http::header::CONNECTION, close);
                    response
                }
                "/never" => std::future::pending().await,
                "/big" => text("0123456789abcdef".repeat(200_000)),
                "/trailers" => {
                    let mut response = text("body".into());
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", HeaderValue::from_static("0"));
                    response.trailers = Some(trailers);
                    response
                }
                path => text(format!("{} {path} {}", request.method, request.tls)),
            }
        }
        .boxed_local()
    }
}

/// What happened on the sockets of a [`Chat`], in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Text(String),
    Binary(usize),
    Pong,
    Closed(CloseReason),
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) sockets: RefCell<Vec<WsSocket>>,
    pub(super) events: RefCell<Vec<Event>>,
}

impl Log {
    pub(super) fn closed(&self) -> Option<CloseReason> {
        self.events.borrow().iter().find_map(|event| match event {
            Event::Closed(reason) => Some(reason.clone()),
            Event::Text(_) | Event::Binary(_) | Event::Pong => None,
        })
    }

    pub(super) fn last_socket(&self) -> WsSocket {
        self.sockets.borrow().last().unwrap().clone()
    }
}

/// Lets in who brings a token, and echoes.
pub(super) struct Chat {
    pub(super) log: Rc<Log>,
}

struct Guest {
    socket: WsSocket,
    log: Rc<Log>,
}

impl SocketService for Chat {
    fn open(&self, request: UpgradeRequest) -> LocalBoxFuture<'_, Result<Accept, Response>> {
        async move {
            // Those who decide wait for others.
            runtime::yield_now().await;
            if request.uri.query() == Some("token=panic") {
                return Ok(Accept {
                    headers: HeaderMap::new(),
                    start: Box::new(|_| panic!("as asked")),
                });
            }
            if request.uri.query() != Some("token=good") {
                return Err(Response::empty(StatusCode::UNAUTHORIZED));
            }
            let log = self.log.clone();
            Ok(Accept {
                headers: HeaderMap::new(),
                start: Box::new(move |socket| {
                    log.sockets.borrow_mut().push(socket.clone());
                    Rc::new(Guest { socket, log })
                }),
            })
        }
        .boxed_local()
    }
}

impl SocketEvents for Guest {
    fn message(&self, message: MessageRef<'_>) {
        let (event, frame) = match message {
            MessageRef::Text(text) => {
                (Event::Text(text.to_owned()), WireFrame::text(text.as_bytes()))
            }
            MessageRef::Binary(bytes) => (Event::Binary(bytes.len()), WireFrame::binary(bytes)),
        };
        match message {
            MessageRef::Text("pause") => self.socket.pause_reading(),
            MessageRef::Text("close") => {
                let _ = self.socket.send(&frame, Pace::Paced);
                self.socket.close(1000, "as asked");
            }
            MessageRef::Text("ping") => self.socket.ping().unwrap(),
            MessageRef::Text("panic") => panic!("as asked"),
            _ => {
                let _ = self.socket.send(&frame, Pace::Now);
            }
        }
        self.log.events.borrow_mut().push(event);
    }

    fn pong(&self) {
        self.log.events.borrow_mut().push(Event::Pong);
    }

    fn closed(&self, reason: CloseReason) {
        self.log.events.borrow_mut().push(Event::Closed(reason));
    }
}

pub(super) struct TestFront {
    pub(super) front: Front,
    pub(super) address: SocketAddr,
    pub(super) site: Rc<Site>,
    pub(super) log: Rc<Log>,
}

pub(super) fn front(
    sockets: &Sockets,
    certificates: Option<Certificates>,
    adjust: impl FnOnce(&mut FrontConfig),
) -> TestFront {
    front_against(sockets, certificates, None, adjust)
}

/// A front that accepts connections only as often as the table says.
pub(super) fn front_against(
    sockets: &Sockets,
    certificates: Option<Certificates>,
    flood: Option<Rc<AddressTable>>,
    adjust: impl FnOnce(&mut FrontConfig),
) -> TestFront {
    let mut config = FrontConfig::default();
    adjust(&mut config);
    let (site, log) = (Rc::new(Site { calls: Cell::new(0) }), Rc::new(Log::default()));
    let chat = Rc::new(Chat { log: log.clone() });
    let services = Services { http: site.clone(), sockets: Some(chat), flood };
    let any = "127.0.0.1:0".parse().unwrap();
    let front = Front::listen(sockets, any, config, certificates, services).unwrap();
    TestFront { address: front.address(), front, site, log }
}

pub(super) fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}
