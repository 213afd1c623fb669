//! Starts the shards of a node in order, and stops them in order.
//!
//! Each shard is a thread with an executor. All executors and all lanes between them exist before the
//! first line of the program's code runs; if one cannot be set up, none starts. A drain is asked for
//! from outside; the node stops when every shard has finished, or when the grace time is over.

mod context;
mod lifecycle;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap, error::Error as StdError, future::Future, io, sync::Arc, thread,
    time::Duration,
};

pub use context::{DrainGuard, ShardContext};
pub use lifecycle::Phase;

use context::Program;
use lifecycle::Lifecycle;

use crate::{
    Address, Clock, MeshLimits, NodeId, Ring, Rng, ShardId,
    counters::Board,
    envelope::Protocol,
    mailbox::{Bell, Inbox, Inlet, Outlet, pair},
    mesh::{Mesh, MeshParts},
    ring::Member,
    runtime::{ExecutorConfig, Local, OffloadConfig, Pool, Production, available_cpus},
};

/// How long a shard that does not react even to the end of the grace time is waited for.
const STUCK_AFTER: Duration = Duration::from_secs(1);

/// About what going to sleep and being woken costs; see [`ExecutorConfig::spin_before_park`].
const SPIN_BEFORE_PARK: Duration = Duration::from_micros(20);

/// What a shard's code fails with.
pub type ShardError = Box<dyn StdError + Send + Sync>;

/// How a node runs.
#[derive(Clone, Debug)]
pub struct BootConfig {
    pub node: NodeId,
    /// How many shards; more than CPUs is allowed.
    pub shards: u16,
    /// The CPUs to use, in turn.
    pub cpus: Vec<usize>,
    /// Whether each shard stays on its CPU.
    pub pin: bool,
    /// See [`ExecutorConfig::spin_before_park`]; for pinned shards only.
    pub spin_before_park: Duration,
    /// See [`ExecutorConfig::turn_max`].
    pub turn_max: Duration,
    /// From the start of a drain to its end, whoever has not finished.
    pub shutdown_grace: Duration,
    pub limits: MeshLimits,
    pub offload: OffloadConfig,
}

impl BootConfig {
    /// A shard on each CPU that the process may use.
    pub fn new(node: NodeId) -> io::Result<Self> {
        let cpus = available_cpus()?;
        let executor = ExecutorConfig::default();
        Ok(Self {
            node,
            shards: u16::try_from(cpus.len()).unwrap_or(u16::MAX),
            cpus,
            pin: true,
            spin_before_park: SPIN_BEFORE_PARK,
            turn_max: executor.turn_max,
            shutdown_grace: Duration::from_secs(10),
            limits: MeshLimits::default(),
            offload: OffloadConfig::default(),
        })
    }
}

/// Why a node did not start, or did not stop as it should.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error("a node needs at least one shard")]
    NoShards,
    #[error("the threads for blocking work could not be started: {0}")]
    Offload(io::Error),
    #[error("shard {shard} could not be set up: {source}")]
    Setup { shard: u16, source: io::Error },
    #[error("shard {shard} failed: {source}")]
    Failed { shard: u16, source: ShardError },
    #[error("shard {shard} panicked")]
    Panicked { shard: u16 },
    #[error("the grace time ended before these shards had finished: {shards:?}")]
    Abandoned { shards: Vec<u16> },
}

/// A running node. Dropping it leaves the shards running; [`Node::join`] waits for their end.
#[must_use = "the shards run until they are drained and joined"]
pub struct Node {
    handle: Handle,
    grace: Duration,
}

/// Steers a node from any thread.
#[derive(Clone)]
pub struct Handle {
    lifecycle: Arc<Lifecycle>,
    board: Board,
    pool: Arc<Pool>,
}

impl Handle {
    /// Asks the shards to finish. Asking again changes nothing.
    pub fn drain(&self) {
        self.lifecycle.drain();
    }

    /// Ends the grace time now.
    pub fn stop(&self) {
        self.lifecycle.stop();
    }

    pub fn phase(&self) -> Phase {
        self.lifecycle.phase()
    }

    /// The counters of all shards.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Blocking jobs that wait for a thread.
    pub fn offload_waiting(&self) -> usize {
        self.pool.waiting()
    }

    /// Blocking jobs that were done.
    pub fn offload_done(&self) -> u64 {
        self.pool.done()
    }
}

impl Node {
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits until every shard has called [`ShardContext::ready`]. False where the node drains instead,
    /// as after a failure, which [`Node::join`] then tells.
    pub fn wait_ready(&self) -> bool {
        self.handle.lifecycle.wait_ready()
    }

    /// Waits until the node has stopped. The first failure of a shard is the result.
    pub fn join(self) -> Result<(), BootError> {
        self.handle.lifecycle.wait_exit(self.grace + STUCK_AFTER)
    }
}

/// Starts a node and waits for its end. See [`start`].
pub fn run<P, M, F>(config: &BootConfig, main: M) -> Result<(), BootError>
where
    P: Protocol,
    M: Fn(ShardContext<P>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), ShardError>> + 'static,
{
    start(config, main)?.join()
}

/// Starts a node: `main` runs once on each shard, when all of them are set up.
///
/// A shard keeps serving its mailbox after its `main` has ended, until all have. A failure of one is
/// the end of all: the others are asked to drain.
pub fn start<P, M, F>(config: &BootConfig, main: M) -> Result<Node, BootError>
where
    P: Protocol,
    M: Fn(ShardContext<P>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), ShardError>> + 'static,
{
    let ring = Ring::new(1, &[Member { node: config.node, shards: config.shards }])
        .ok_or(BootError::NoShards)?;
    let pool = Pool::start(config.offload).map_err(BootError::Offload)?;
    let board = Board::default();
    let lifecycle = Lifecycle::new(config.shards);
    let main: Program<P> = Arc::new(move |context| Box::pin(main(context)));
    for (shard, (outlets, inbox)) in (0..).zip(connect::<P>(config)) {
        let cpu = pinned_cpu(config, shard);
        let setup = Setup {
            address: Address { node: config.node, shard: ShardId(shard) },
            executor: ExecutorConfig {
                name: format!("shard-{shard}"),
                cpu,
                spin_before_park: cpu.map_or(Duration::ZERO, |_| config.spin_before_park),
                turn_max: config.turn_max,
            },
            grace: config.shutdown_grace,
            limits: config.limits,
            ring: ring.clone(),
            pool: Arc::clone(&pool),
            board: board.clone(),
            lifecycle: Arc::clone(&lifecycle),
        };
        let main = Arc::clone(&main);
        let spawned = thread::Builder::new()
            .name(format!("shard-{shard}"))
            .spawn(move || setup.run(outlets, inbox, &main));
        if let Err(source) = spawned {
            lifecycle.abort(BootError::Setup { shard, source });
            break;
        }
    }
    lifecycle.release()?;
    let handle = Handle { lifecycle, board, pool };
    Ok(Node { handle, grace: config.shutdown_grace })
}

fn pinned_cpu(config: &BootConfig, shard: u16) -> Option<usize> {
    let index = usize::from(shard).checked_rem(config.cpus.len())?;
    config.cpus.get(index).copied().filter(|_| config.pin)
}

type Ends<P> = (Vec<Outlet<P>>, Inbox<P>);

/// The lanes of every ordered pair of shards: what each shard sends through, and its mailbox.
fn connect<P: Protocol>(config: &BootConfig) -> Vec<Ends<P>> {
    let shards = usize::from(config.shards);
    let mut outlets: Vec<Vec<Outlet<P>>> = (0..shards).map(|_| Vec::new()).collect();
    let mut inboxes = Vec::new();
    for _receiver in 0..shards {
        let bell = Bell::new(shards);
        let mut inlets: Vec<Inlet<P>> = Vec::new();
        for (sender, outlets) in outlets.iter_mut().enumerate() {
            let (outlet, inlet) = pair(config.limits.mailbox, &bell, sender);
            outlets.push(outlet);
            inlets.push(inlet);
        }
        inboxes.push(Inbox::new(inlets, bell));
    }
    outlets.into_iter().zip(inboxes).collect()
}

/// What the thread of a shard begins with.
struct Setup {
    address: Address,
    executor: ExecutorConfig,
    grace: Duration,
    limits: MeshLimits,
    ring: Ring,
    pool: Arc<Pool>,
    board: Board,
    lifecycle: Arc<Lifecycle>,
}

impl Setup {
    /// The life of a shard's thread.
    fn run<P: Protocol>(self, outlets: Vec<Outlet<P>>, inbox: Inbox<P>, main: &Program<P>) {
        let shard = self.address.shard;
        let _exit = self.lifecycle.on_thread(shard);
        let executor = match Production::new(&self.executor) {
            Ok(executor) => executor,
            Err(source) => {
                self.lifecycle.abort(BootError::Setup { shard: shard.0, source });
                return;
            }
        };
        let counters = self.board.of_shard(shard);
        let local = Local::new(
            shard,
            Clock::system(),
            counters.clone(),
            self.executor.turn_max,
            Some(Arc::clone(&self.pool)),
        );
        let rng = Rng::from_os();
        let parts = MeshParts {
            me: self.address,
            outlets,
            foreign: BTreeMap::new(),
            inbox,
            ring: self.ring,
            limits: self.limits,
            first_generation: rng.next_u32(),
        };
        let mesh = Mesh::new(parts, local.timers.clone(), &counters);
        if !self.lifecycle.wait_release() {
            return;
        }
        executor.run(&local, context::run_shard(self.lifecycle, self.grace, mesh, rng, main));
    }
}
