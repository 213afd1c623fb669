//! Several shards in the simulator: the real mesh, mailboxes, calls and timers, in virtual time.
//!
//! As between real shards, requests of one shard to another keep their order, and so do events and
//! answers; one lane may lag behind any other. Full lanes refuse requests, calls whose answers are late
//! go unanswered, and the last shard may be lost.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use kakera_shards::{
    Address, CallError, Loss, MailboxLimits, Mesh, MeshLimits, NodeId, Protocol, ReplyTo, Rng,
    ShardContext, StableHash, ring::Member, runtime, sim,
};

use super::client::Clients;
use crate::{
    ids::{StreamId, StreamMode, UserId},
    presence::{Limits, Post, PostError, Presences, Reply, Request, Then},
};

/// How long a call waits for its answer.
const CALL_DEADLINE: Duration = Duration::from_millis(50);
/// When a refused leave is tried again, and how late a turn may end.
const TURN: Duration = Duration::from_millis(1);

/// What may go wrong in a net.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Lanes are short, so that they refuse.
    pub(crate) refused: bool,
    /// Messages are slow, so that calls go unanswered.
    pub(crate) lost: bool,
    /// The last shard owns nothing, so that it may be lost.
    pub(crate) mortal: bool,
}

pub(crate) struct Net {
    pub(crate) shards: Vec<Shard>,
    simulation: RefCell<sim::Simulation<Wire>>,
}

#[derive(Clone)]
pub(crate) struct Shard {
    pub(crate) address: Address,
    pub(crate) presences: Presences,
    pub(crate) clients: Rc<Clients>,
}

struct Wire;

impl Protocol for Wire {
    type Request = Request;
    type Reply = Reply;
}

struct MeshPost {
    mesh: Mesh<Wire>,
    /// The last shard owns nothing.
    mortal: bool,
}

impl MeshPost {
    fn owner(&self, key: StableHash) -> Address {
        let shards: Vec<_> = self.mesh.ring().shards().collect();
        let owners = shards.len() - usize::from(self.mortal);
        shards[(key.finish() % owners as u64) as usize]
    }
}

impl Post for MeshPost {
    fn me(&self) -> Address {
        self.mesh.me()
    }

    fn owner_of(&self, stream: &StreamId) -> Address {
        match stream.mode {
            StreamMode::NOTIFICATIONS | StreamMode::STATUS | StreamMode::FOLLOWERS => {
                self.owner_of_user(UserId(stream.subject))
            }
            _ => {
                let key = StableHash::new("stream").bytes_16(stream.subject.as_bytes());
                self.owner(key.bytes(stream.label().as_bytes()))
            }
        }
    }

    fn owner_of_user(&self, user: UserId) -> Address {
        self.owner(StableHash::new("user").bytes_16(user.0.as_bytes()))
    }

    fn shards(&self) -> Vec<Address> {
        self.mesh.ring().shards().collect()
    }

    fn cast(&self, to: Address, request: Request) -> Result<(), Request> {
        self.mesh.cast(to, request).map_err(|refused| refused.request)
    }

    fn call(&self, to: Address, request: Request, then: Then) {
        self.mesh.call_then(to, request, CALL_DEADLINE, |reply| {
            then(reply.map_err(|error| match error {
                CallError::Full | CallError::TooManyCalls | CallError::Unreachable => {
                    PostError::Refused
                }
                _ => PostError::Lost,
            }));
        });
    }

    fn deliver(&self, to: Address, request: Request, droppable: bool) -> bool {
        let loss = if droppable { Loss::Droppable } else { Loss::Never };
        self.mesh.deliver(to, request, loss)
    }
}

/// What a shard does about its turns: presence events leave when one ends, soon after a message.
struct Turns {
    presences: Presences,
    rng: Rng,
    ends: Cell<bool>,
}

impl Turns {
    fn end_soon(self: &Rc<Self>) {
        let wanted = self.presences.read_owner(crate::presence::Owner::is_dirty);
        if !(wanted || self.presences.owes()) || self.ends.replace(true) {
            return;
        }
        let this = Rc::clone(self);
        runtime::spawn("end of turn", async move {
            if this.rng.chance(0.5) {
                runtime::sleep(TURN).await;
            }
            this.ends.set(false);
            this.presences.end_turn();
            if this.presences.owes() {
                runtime::sleep(TURN).await;
                this.end_soon();
            }
        });
    }
}

fn start(context: &ShardContext<Wire>, mortal: bool) -> Shard {
    let clients = Rc::new(Clients::default());
    let post = MeshPost { mesh: context.mesh.clone(), mortal };
    let sessions = Rc::clone(&clients);
    let limits = Limits::default();
    let presences = Presences::counted(Rc::new(post), sessions, limits, &context.counters());
    clients.attach(&presences);
    let rng = context.rng.clone();
    let turns = Rc::new(Turns { presences: presences.clone(), rng, ends: Cell::new(false) });
    context.serve(Rc::new(move |_: Address, request, reply: ReplyTo<Wire>| {
        turns.presences.handle(request, move |answer| reply.send(answer));
        turns.end_soon();
    }));
    Shard { address: context.me(), presences, clients }
}

impl Net {
    pub(crate) fn new(shards: u16, seed: u64, faults: Faults) -> Self {
        let mailbox = if faults.refused {
            MailboxLimits { requests_len_max: 3, ..MailboxLimits::default() }
        } else {
            MailboxLimits::default()
        };
        let slowest = if faults.lost { 40_000 } else { 50 };
        let config = sim::SimConfig {
            members: vec![Member { node: NodeId(7), shards }],
            limits: MeshLimits { mailbox, ..MeshLimits::default() },
            faults: sim::Faults { delay_micros: (0, slowest), ..sim::Faults::default() },
        };
        let started = Rc::new(RefCell::new(Vec::new()));
        let list = Rc::clone(&started);
        let mut simulation = sim::Simulation::new(seed, config, move |context| {
            list.borrow_mut().push(start(&context, faults.mortal));
            std::future::ready(Ok(()))
        });
        assert!(simulation.run_until_quiet(Duration::from_secs(1)));
        let mut shards: Vec<Shard> = started.take();
        shards.sort_by_key(|shard| shard.address);
        Self { shards, simulation: RefCell::new(simulation) }
    }

    /// Lets some time pass.
    pub(crate) fn run_for(&self, time: Duration) {
        self.simulation.borrow_mut().run_for(time);
    }

    /// Runs until nothing is under way and nothing is owed.
    pub(crate) fn settle(&self) {
        let mut simulation = self.simulation.borrow_mut();
        loop {
            assert!(simulation.run_until_quiet(Duration::from_hours(1)), "the net comes to rest");
            // A shard to which nothing comes any more tries again by itself, now and then.
            let mut owing = self.shards.iter().filter(|shard| shard.presences.owes()).peekable();
            if owing.peek().is_none() {
                break;
            }
            owing.for_each(|shard| shard.presences.end_turn());
        }
        let counted = |name| simulation.counted(name);
        assert_eq!(counted("stream_misrouted"), 0, "requests went to who does not own them");
        assert_eq!(counted("task_panics"), 0, "a shard panicked");
    }

    /// The sum of a counter over all shards.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        self.simulation.borrow().counted(name)
    }

    /// The last shard is gone, with its sessions and what it has sent and nobody got. The others notice
    /// when nothing of it can arrive any more.
    pub(crate) fn crash_last(&mut self) {
        let Some(victim) = self.shards.pop() else { return };
        let mut simulation = self.simulation.borrow_mut();
        simulation.crash(victim.address);
        simulation.run_for(Duration::from_millis(100));
        for shard in &self.shards {
            shard.presences.lose(victim.address);
            shard.presences.end_turn();
        }
    }
}
