//! One shard of a measured node: its loopback connections, and what it does in each phase.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::{Rc, Weak},
    time::Duration,
};

use bytes::Bytes;
use kakera_shards::{
    Address, Loss, Mesh, ReplyTo, runtime,
    socket::{Closed, Consumer, ListenOptions, Pace, Socket, SocketConfig, Sockets},
};

use super::{
    Phase,
    node::{Ask, Messages},
};

/// Connections of a shard to itself.
const CONNECTIONS: usize = 64;
/// Bytes of a message, as in a chat room.
const MESSAGE_LEN: usize = 64;
/// Messages of a shard on their way to everybody.
const ROUNDS_IN_FLIGHT: usize = 8;
/// Calls of a shard that wait for their answer.
const CALLS_IN_FLIGHT: usize = 64;
const ANSWER: Duration = Duration::from_secs(10);

pub(super) struct Worker {
    mesh: Mesh<Messages>,
    sockets: Sockets,
    /// The ends that play the server.
    servers: RefCell<Vec<Socket>>,
    /// The ends that play the clients.
    clients: RefCell<Vec<Socket>>,
    phase: Cell<Option<Phase>>,
    done: Cell<u64>,
    /// Bytes that the clients got since the last message to everybody was sent.
    received: Cell<usize>,
}

impl Worker {
    /// Opens the shard's connections to itself.
    pub(super) async fn connect(mesh: Mesh<Messages>) -> io::Result<Rc<Self>> {
        let sockets = Sockets::start(SocketConfig::default())?;
        let worker = Rc::new(Self {
            mesh,
            sockets,
            servers: RefCell::default(),
            clients: RefCell::default(),
            phase: Cell::new(None),
            done: Cell::new(0),
            received: Cell::new(0),
        });
        let this = Rc::downgrade(&worker);
        let any = "127.0.0.1:0".parse().map_err(io::Error::other)?;
        let listening = worker.sockets.listen(any, ListenOptions::default(), move |socket| {
            let Some(worker) = this.upgrade() else { return };
            socket.consume(Rc::new(Server { worker: this.clone(), socket: socket.clone() }));
            worker.servers.borrow_mut().push(socket);
        })?;
        for _ in 0..CONNECTIONS {
            let socket = worker.sockets.connect_socket(listening.address()).await?;
            let worker_of = Rc::downgrade(&worker);
            socket.consume(Rc::new(Client { worker: worker_of, socket: socket.clone() }));
            worker.clients.borrow_mut().push(socket);
        }
        while worker.servers.borrow().len() < CONNECTIONS {
            runtime::yield_now().await;
        }
        Ok(worker)
    }

    pub(super) async fn shut_down(&self) {
        self.sockets.shut_down().await;
    }

    pub(super) fn handle(self: &Rc<Self>, ask: Ask, reply: ReplyTo<Messages>) {
        match ask {
            Ask::Ping => reply.send(0),
            Ask::Begin(phase) => {
                self.begin(phase);
                reply.send(0);
            }
            Ask::End => {
                self.phase.set(None);
                reply.send(self.done.take());
            }
            Ask::Deliver(message) => {
                for server in self.servers.borrow().iter() {
                    // One that is gone is not counted either.
                    let _ = server.write_bytes(&message, Pace::Paced);
                }
            }
        }
    }

    fn begin(self: &Rc<Self>, phase: Phase) {
        self.phase.set(Some(phase));
        self.done.set(0);
        self.received.set(0);
        match phase {
            Phase::RoundTrip => self.call_peer(phase),
            Phase::Calls => (0..CALLS_IN_FLIGHT).for_each(|_| self.call_peer(phase)),
            Phase::Echo => {
                for client in self.clients.borrow().iter() {
                    let _ = client.write(&[b'e'; MESSAGE_LEN], Pace::Now);
                }
            }
            Phase::FanOut => (0..ROUNDS_IN_FLIGHT).for_each(|_| self.tell_everybody()),
        }
    }

    /// Calls the next shard again and again while the phase lasts.
    fn call_peer(self: &Rc<Self>, phase: Phase) {
        let this = Rc::clone(self);
        self.mesh.call_then(self.peer(), Ask::Ping, ANSWER, move |answer| {
            if answer.is_ok() && this.phase.get() == Some(phase) {
                this.done.set(this.done.get() + 1);
                this.call_peer(phase);
            }
        });
    }

    fn peer(&self) -> Address {
        let me = self.mesh.me();
        let shards: Vec<Address> = self.mesh.shards().collect();
        let next = usize::from(me.shard.0) + 1;
        shards.get(next % shards.len().max(1)).copied().unwrap_or(me)
    }

    fn tell_everybody(&self) {
        let message = Bytes::from_static(&[b'f'; MESSAGE_LEN]);
        for shard in self.mesh.shards() {
            // The rounds in flight are far fewer than a lane holds.
            self.mesh.deliver(shard, Ask::Deliver(message.clone()), Loss::Droppable);
        }
    }

    /// A client's end got bytes.
    fn arrived(&self, client: &Socket, len: usize) {
        match self.phase.get() {
            Some(Phase::Echo) => {
                self.done.set(self.done.get() + 1);
                let _ = client.write(&[b'e'; MESSAGE_LEN], Pace::Now);
            }
            Some(Phase::FanOut) => {
                self.done.set(self.done.get() + (len / MESSAGE_LEN) as u64);
                // Each shard sends one message for each that all shards together sent it: the number in
                // flight stays the same.
                let round = CONNECTIONS * MESSAGE_LEN * self.mesh.shards().count();
                let mut received = self.received.get() + len;
                while received >= round {
                    received -= round;
                    self.tell_everybody();
                }
                self.received.set(received);
            }
            Some(Phase::RoundTrip | Phase::Calls) | None => {}
        }
    }
}

struct Server {
    worker: Weak<Worker>,
    socket: Socket,
}

impl Consumer for Server {
    fn data(&self, bytes: &mut [u8]) {
        let phase = self.worker.upgrade().and_then(|worker| worker.phase.get());
        if phase == Some(Phase::Echo) {
            let _ = self.socket.write(bytes, Pace::Now);
        }
    }

    fn ended(&self) {
        self.socket.close();
    }

    fn closed(&self, _: Closed) {}
}

struct Client {
    worker: Weak<Worker>,
    socket: Socket,
}

impl Consumer for Client {
    fn data(&self, bytes: &mut [u8]) {
        if let Some(worker) = self.worker.upgrade() {
            worker.arrived(&self.socket, bytes.len());
        }
    }

    fn ended(&self) {
        self.socket.close();
    }

    fn closed(&self, _: Closed) {}
}
