//! A port of a shard, and what answers there.

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::{Rc, Weak},
};

use bytes::Bytes;
use kakera_shards::{
    Counter, Counters, runtime,
    socket::{ListenOptions, Listening, Socket, Sockets, Stream},
};
use slab::Slab;

use super::{
    connection,
    http::{HttpLimits, HttpService},
    link::Link,
    tls::{Certificates, TlsSocket},
    watch::{Times, Watch},
    websocket::{SocketService, WebSocketConfig},
};
use crate::flood::AddressTable;

/// Bounds of a front, for each shard.
#[derive(Clone, Debug, Default)]
pub struct FrontConfig {
    pub listen: ListenOptions,
    pub http: HttpLimits,
    pub websocket: WebSocketConfig,
}

/// What a front offers.
#[derive(Clone)]
pub struct Services {
    pub http: Rc<dyn HttpService>,
    /// WebSocket connections at `/ws`; without it that path is a request like others.
    pub sockets: Option<Rc<dyn SocketService>>,
    /// Whose connections are accepted how often; without it all are.
    pub flood: Option<Rc<AddressTable>>,
}

pub(super) struct Shared {
    pub(super) config: FrontConfig,
    pub(super) services: Services,
    pub(super) counters: NetCounters,
    certificates: Option<Certificates>,
    times: Rc<Times>,
    /// Connections that speak HTTP.
    connections: RefCell<Slab<Weak<Watch>>>,
    draining: Cell<bool>,
}

/// Requests that a limit of [`HttpLimits`] kept from the service.
pub(super) struct NetCounters {
    pub(super) bodies_too_large: Counter,
    pub(super) bodies_too_slow: Counter,
}

impl NetCounters {
    fn new(counters: &Counters) -> Self {
        Self {
            bodies_too_large: counters
                .counter("http_bodies_too_large", "Requests refused for the size of their body."),
            bodies_too_slow: counters
                .counter("http_bodies_too_slow", "Requests whose body did not come in time."),
        }
    }
}

/// A port of this shard. It goes on when dropped; [`Front::stop`] ends it.
pub struct Front {
    shared: Rc<Shared>,
    listening: Listening,
}

impl Front {
    /// Listens; the same address may be listened on by every shard.
    pub fn listen(
        sockets: &Sockets,
        address: SocketAddr,
        config: FrontConfig,
        certificates: Option<Certificates>,
        services: Services,
    ) -> io::Result<Self> {
        let times =
            Rc::new(Times { read: config.http.read_timeout, idle: config.http.idle_timeout });
        let options = config.listen.clone();
        let shared = Rc::new(Shared {
            config,
            services,
            counters: NetCounters::new(&runtime::counters()),
            certificates,
            times,
            connections: RefCell::new(Slab::new()),
            draining: Cell::new(false),
        });
        let accepting = shared.clone();
        let listening = sockets.listen(address, options, move |socket| accepting.accept(socket))?;
        Ok(Self { shared, listening })
    }

    /// With the port that the kernel chose where none was asked for.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// Connections of any kind.
    pub fn connections(&self) -> usize {
        self.listening.connections()
    }

    /// Accepts no more, and lets HTTP connections finish the requests they are at. WebSocket
    /// connections are their services' to close. Over when [`Front::connections`] is 0.
    pub fn stop(&self) {
        self.shared.draining.set(true);
        self.listening.stop();
        let connections: Vec<_> =
            self.shared.connections.borrow().iter().map(|(_, watch)| watch.clone()).collect();
        for watch in connections {
            if let Some(watch) = watch.upgrade() {
                watch.drain();
            }
        }
    }
}

impl Shared {
    fn accept(self: &Rc<Self>, socket: Socket) {
        let Some(peer) = socket.peer() else { return socket.abort() };
        if let Some(flood) = &self.services.flood
            && !flood.connection(peer.ip())
        {
            return socket.abort();
        }
        let link = match &self.certificates {
            None => Link::Plain(socket),
            Some(certificates) => match TlsSocket::accept(socket.clone(), certificates) {
                Ok(tls) => Link::Tls(tls),
                Err(error) => {
                    tracing::error!(%error, "TLS cannot begin");
                    return socket.abort();
                }
            },
        };
        // The task begins later; the socket wants its consumer now.
        let stream = Stream::new(link, Bytes::new());
        let watch = Watch::new(self.times.clone());
        let place = self.connections.borrow_mut().insert(Rc::downgrade(&watch));
        let listed = Listed { shared: self.clone(), place };
        let serving = connection::run(self.clone(), watch, stream, peer);
        runtime::spawn("connection", async move {
            serving.await;
            drop(listed);
        });
    }
}

/// A connection's place in the front's list.
struct Listed {
    shared: Rc<Shared>,
    place: usize,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.shared.connections.borrow_mut().try_remove(self.place);
    }
}
