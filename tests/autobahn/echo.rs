//! The WebSocket side of the server with nothing behind it but an echo, which is what the Autobahn test suite
//! asks for. `run` beside it drives the suite.

use std::rc::Rc;

use futures_util::future::{self, FutureExt, LocalBoxFuture};
use http::{HeaderMap, StatusCode};
use kakera::net::{
    Accept, CloseReason, Front, FrontConfig, HttpService, MessageRef, Request, Response, Services,
    SocketEvents, SocketService, UpgradeRequest, WireFrame, WsSocket,
};
use kakera_shards::{
    runtime::{self, ExecutorConfig},
    socket::{Pace, SocketConfig, Sockets},
};

/// The suite's largest message.
const MESSAGE_LEN_MAX: usize = 16 << 20;

struct NotFound;

impl HttpService for NotFound {
    fn call(&self, _: Request) -> LocalBoxFuture<'_, Response> {
        future::ready(Response::new(StatusCode::NOT_FOUND, "text/plain", "only /ws")).boxed_local()
    }
}

struct Echoing;

struct Echo(WsSocket);

impl SocketService for Echoing {
    fn open(&self, _: UpgradeRequest) -> LocalBoxFuture<'_, Result<Accept, Response>> {
        let start = |socket| Rc::new(Echo(socket)) as Rc<dyn SocketEvents>;
        future::ready(Ok(Accept { headers: HeaderMap::new(), start: Box::new(start) }))
            .boxed_local()
    }
}

impl SocketEvents for Echo {
    fn message(&self, message: MessageRef<'_>) {
        let frame = match message {
            MessageRef::Text(text) => WireFrame::text(text.as_bytes()),
            MessageRef::Binary(bytes) => WireFrame::binary(bytes),
        };
        self.0.send(&frame, Pace::Now).expect("the queue is large enough for the suite");
    }

    fn closed(&self, _: CloseReason) {}
}

fn main() {
    runtime::block_on(&ExecutorConfig::default(), async {
        let sockets = Sockets::start(SocketConfig::default()).expect("io_uring is there");
        let services =
            Services { http: Rc::new(NotFound), sockets: Some(Rc::new(Echoing)), flood: None };
        let mut config = FrontConfig::default();
        config.websocket.message_bytes_max = MESSAGE_LEN_MAX;
        config.websocket.outgoing_queue_len_max = 1 << 16;
        config.websocket.outgoing_queue_bytes_max = 4 * MESSAGE_LEN_MAX;
        let any = "127.0.0.1:0".parse().expect("an address");
        let front = Front::listen(&sockets, any, config, None, services).expect("a free port");
        println!("ws://{}/ws", front.address());
        future::pending::<()>().await;
    })
    .expect("the executor runs");
}
