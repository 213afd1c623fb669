//! The simulator: shards of several nodes on one thread, in virtual time, with faults, from a seed.
//!
//! The shards are the real ones: the same run queue, mailbox, mesh, calls, timers and ring. Simulated
//! are the order in which they get their turns, the time, and the wire between them. The same seed
//! gives the same run, so a failure is repeated by its seed.

#[cfg(test)]
mod tests;
mod wire;

use std::{
    collections::BTreeMap,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use crate::{
    Address, Clock, Mesh, MeshLimits, NodeId, Ring, Rng, ShardContext,
    boot::ShardError,
    clock::VirtualTime,
    counters::Board,
    envelope::Protocol,
    mailbox::Inbox,
    mesh::MeshParts,
    ring::Member,
    runtime::{Local, guard, spawn},
};
use wire::{Ends, Wire};

/// A morning in November 2023: when every simulation begins.
const UNIX_BEGIN_MICROS: i64 = 1_700_000_000_000_000;
/// Polls of one shard before another may have its turn.
const POLLS_PER_TURN_MAX: u64 = 8;

/// What the wire does to messages. Within a lane of a pair of shards the order is always kept.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Shortest and longest delay between shards of a node, in µs.
    pub delay_micros: (u64, u64),
    /// Likewise between nodes.
    pub delay_between_nodes_micros: (u64, u64),
    /// The share of messages between nodes that is lost; within a node none is.
    pub loss_between_nodes: f64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay_micros: (0, 50),
            delay_between_nodes_micros: (100, 2_000),
            loss_between_nodes: 0.0,
        }
    }
}

/// What is simulated.
#[derive(Clone, Debug)]
pub struct SimConfig {
    pub members: Vec<Member>,
    pub limits: MeshLimits,
    pub faults: Faults,
}

type Main<P> = Rc<dyn Fn(ShardContext<P>) -> Pin<Box<dyn Future<Output = Result<(), ShardError>>>>>;

struct SimShard<P: Protocol> {
    address: Address,
    board: Board,
    /// None while it is down.
    up: Option<Up<P>>,
}

struct Up<P: Protocol> {
    local: Rc<Local>,
    context: ShardContext<P>,
}

/// A run of simulated shards.
pub struct Simulation<P: Protocol> {
    seed: u64,
    rng: Rng,
    time: Rc<VirtualTime>,
    config: SimConfig,
    ring: Ring,
    addresses: Vec<Address>,
    shards: Vec<SimShard<P>>,
    wire: Wire<P>,
    main: Main<P>,
}

/// Runs a body for seeds 1 to `runs`, or for the one in the environment's `KAKERA_SIM_SEED` alone. The
/// seed of a failure is printed.
pub fn check(runs: u64, body: impl Fn(u64)) {
    let given = std::env::var("KAKERA_SIM_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = given.map_or(1..=runs, |seed: u64| seed..=seed);
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(seed))) {
            eprintln!("The simulation failed; repeat it with KAKERA_SIM_SEED={seed}.");
            resume_unwind(panic);
        }
    }
}

impl<P: Protocol> Simulation<P> {
    /// Sets the shards up; `main` runs once on each, as [`crate::boot::start`] would run it.
    ///
    /// # Panics
    /// Where no member has a shard.
    pub fn new<F>(
        seed: u64,
        config: SimConfig,
        main: impl Fn(ShardContext<P>) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), ShardError>> + 'static,
    {
        let rng = Rng::from_seed(seed);
        let ring = Ring::new(1, &config.members).expect("a simulation has shards");
        let addresses: Vec<Address> = ring.shards().collect();
        let (wire, ends) = Wire::new(&addresses, config.limits.mailbox, config.faults, rng.clone());
        let shards = addresses
            .iter()
            .map(|&address| SimShard { address, board: Board::default(), up: None })
            .collect();
        let mut simulation = Self {
            seed,
            rng,
            time: VirtualTime::new(UNIX_BEGIN_MICROS),
            config,
            ring,
            addresses,
            shards,
            wire,
            main: Rc::new(move |context| Box::pin(main(context))),
        };
        for (index, ends) in ends.into_iter().enumerate() {
            simulation.start(index, ends);
        }
        simulation
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The generator that decides this run; drawing from it is part of the run.
    pub fn rng(&self) -> &Rng {
        &self.rng
    }

    /// Every shard, by node and number.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Microseconds since the simulation began.
    pub fn now_micros(&self) -> u64 {
        self.time.micros()
    }

    /// The sum of a counter over all shards and their earlier lives.
    pub fn counted(&self, name: &str) -> u64 {
        self.shards.iter().map(|shard| shard.board.sum(name)).sum()
    }

    /// Messages lost on the wire.
    pub fn lost(&self) -> u64 {
        self.wire.lost()
    }

    /// Runs something on a shard, as a task of it would. None where the shard is down.
    pub fn on<T>(&self, address: Address, run: impl FnOnce(&ShardContext<P>) -> T) -> Option<T> {
        let up = self.shards.iter().find(|shard| shard.address == address)?.up.as_ref()?;
        let _entered = up.local.enter();
        Some(run(&up.context))
    }

    /// Lets a time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.time.micros() + duration.as_micros() as u64;
        while self.step(end) {}
        self.time.set_micros(end);
    }

    /// Runs until no task is ready, no message is under way and no timer waits; at most for a time.
    /// False where something was still going on.
    pub fn run_until_quiet(&mut self, limit: Duration) -> bool {
        let end = self.time.micros() + limit.as_micros() as u64;
        while self.step(end) {}
        self.next_event().is_none()
    }

    /// Loses a shard with all that it knew: its tasks, its mailbox, what it has sent and not delivered.
    pub fn crash(&mut self, address: Address) {
        let Some(index) = self.index(address) else { return };
        // What it says while it falls apart is never heard: its new ends are nobody's.
        drop(self.wire.renew(&self.addresses, index));
        let Some(up) = self.shards.get_mut(index).and_then(|shard| shard.up.take()) else { return };
        take_down(&up);
    }

    /// Starts a shard that crashed, with nothing of its earlier life.
    pub fn restart(&mut self, address: Address) {
        let Some(index) = self.index(address) else { return };
        if self.shards.get(index).is_some_and(|shard| shard.up.is_none()) {
            let ends = self.wire.renew(&self.addresses, index);
            self.start(index, ends);
        }
    }

    /// Loses all that two nodes send each other, until [`Simulation::heal`].
    pub fn partition(&mut self, one: NodeId, other: NodeId) {
        self.wire.set_cut(|from, to| {
            let between = [from.node, to.node];
            (between == [one, other] || between == [other, one]).then_some(true)
        });
    }

    /// Ends all partitions.
    pub fn heal(&mut self) {
        self.wire.set_cut(|_, _| Some(false));
    }

    fn index(&self, address: Address) -> Option<usize> {
        self.addresses.iter().position(|known| *known == address)
    }

    fn start(&mut self, index: usize, ends: Ends<P>) {
        let Some(shard) = self.shards.get_mut(index) else { return };
        let me = shard.address;
        let clock = Clock::virtual_time(Rc::clone(&self.time));
        let counters = shard.board.of_shard(me.shard);
        // Real time must not decide anything, so a turn is bounded by its polls alone.
        let local = Local::new(me.shard, clock, counters.clone(), Duration::MAX, None);
        let rng = Rng::from_seed(self.rng.next_u64());
        let (mut outlets, mut foreign) = (Vec::new(), BTreeMap::new());
        for (&address, outlet) in self.addresses.iter().zip(ends.outlets) {
            if address.node == me.node {
                outlets.push(outlet);
            } else {
                foreign.insert(address, outlet);
            }
        }
        let parts = MeshParts {
            me,
            outlets,
            foreign,
            inbox: Inbox::new(ends.inlets, ends.bell),
            ring: self.ring.clone(),
            limits: self.config.limits,
            first_generation: rng.next_u32(),
        };
        let context =
            ShardContext::simulated(Mesh::new(parts, local.timers.clone(), &counters), rng);
        let (main, of_main) = (Rc::clone(&self.main), context.clone());
        let entered = local.enter();
        spawn("shard", async move {
            if let Err(error) = main(of_main).await {
                panic!("a simulated shard failed: {error}");
            }
        });
        drop(entered);
        shard.up = Some(Up { local, context });
    }

    /// One turn of a shard, or the next moment at which something happens. False where that is after
    /// `end`, or nothing will.
    fn step(&mut self, end: u64) -> bool {
        // What was sent from outside of a turn is taken up here.
        self.wire.collect(self.time.micros());
        self.wire.publish();
        let ready: Vec<usize> = (0..self.shards.len()).filter(|&i| self.has_work(i)).collect();
        let picked = ready.get(self.rng.below(ready.len() as u64) as usize);
        if let Some(up) = picked.and_then(|&index| self.shards[index].up.as_ref()) {
            let polls = 1 + self.rng.below(POLLS_PER_TURN_MAX) as u32;
            let _entered = up.local.enter();
            up.local.scheduler.turn_of(polls, |_| {});
            return true;
        }
        let Some(next) = self.next_event().filter(|&next| next <= end) else { return false };
        self.time.set_micros(next.max(self.time.micros()));
        let now = self.time.micros();
        self.wire.deliver(now);
        for up in self.shards.iter().filter_map(|shard| shard.up.as_ref()) {
            if up.local.timers.next_wake_ms().is_some_and(|at_ms| at_ms * 1000 <= now) {
                let _entered = up.local.enter();
                up.local.timers.run_due();
            }
        }
        true
    }

    fn has_work(&self, index: usize) -> bool {
        let up = self.shards.get(index).and_then(|shard| shard.up.as_ref());
        up.is_some_and(|up| up.local.scheduler.has_work())
    }

    /// When something happens next; now, where a task is ready.
    fn next_event(&self) -> Option<u64> {
        let timers = self.shards.iter().filter_map(|shard| {
            let at_ms = shard.up.as_ref()?.local.timers.next_wake_ms()?;
            Some(at_ms * 1000)
        });
        let ready = (0..self.shards.len()).any(|index| self.has_work(index));
        timers.chain(self.wire.next_due()).chain(ready.then(|| self.time.micros())).min()
    }
}

fn take_down<P: Protocol>(up: &Up<P>) {
    let _entered = up.local.enter();
    up.local.scheduler.clear();
    guard("the end of a shard", || up.context.mesh.stop());
    up.local.scheduler.clear();
}

impl<P: Protocol> Drop for Simulation<P> {
    fn drop(&mut self) {
        for shard in &mut self.shards {
            if let Some(up) = shard.up.take() {
                take_down(&up);
            }
        }
    }
}
