//! What the program gets on each shard, and the life of its code there.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
    time::Duration,
};

use futures_util::future::{Either, select};

use super::{
    BootError, ShardError,
    lifecycle::{Lifecycle, Phase},
};
use crate::{
    Address, Clock, Counters, Mesh, Rng, Timers,
    envelope::Protocol,
    owner::Handler,
    runtime::{self, Local, spawn_essential, spawn_owned},
};

pub(super) type Program<P> = Arc<
    dyn Fn(ShardContext<P>) -> Pin<Box<dyn Future<Output = Result<(), ShardError>>>> + Send + Sync,
>;

/// A shard, as its code sees it. Clones are cheap and stay on the shard's thread.
pub struct ShardContext<P: Protocol> {
    pub mesh: Mesh<P>,
    pub rng: Rng,
    drain: Rc<Drain>,
}

impl<P: Protocol> Clone for ShardContext<P> {
    fn clone(&self) -> Self {
        Self { mesh: self.mesh.clone(), rng: self.rng.clone(), drain: Rc::clone(&self.drain) }
    }
}

impl<P: Protocol> ShardContext<P> {
    pub fn me(&self) -> Address {
        self.mesh.me()
    }

    /// How many shards this node has.
    pub fn shards_len(&self) -> usize {
        self.mesh.shards().count()
    }

    pub fn clock(&self) -> Clock {
        self.mesh.clock().clone()
    }

    pub fn timers(&self) -> Timers {
        self.mesh.timers().clone()
    }

    pub fn counters(&self) -> Counters {
        runtime::counters()
    }

    /// Begins to handle messages; see [`Mesh::serve`].
    pub fn serve(&self, handler: Rc<dyn Handler<P>>) -> bool {
        self.mesh.serve(handler)
    }

    /// Says that this shard is up; see [`super::Node::wait_ready`].
    pub fn ready(&self) {
        if let Life::Production(lifecycle) = &self.drain.life {
            lifecycle.shard_ready(self.me().shard);
        }
    }

    /// Asks the whole node to drain.
    pub fn drain_node(&self) {
        match &self.drain.life {
            Life::Production(lifecycle) => lifecycle.drain(),
            Life::Simulated => self.drain.set(Phase::Draining),
        }
    }

    pub fn phase(&self) -> Phase {
        self.drain.phase.get()
    }

    /// Ends when the node begins to drain; any number of tasks may wait for it.
    pub async fn draining(&self) {
        self.drain.reached(Phase::Draining).await;
    }

    /// Holds the shard's drain up until it is dropped, or the grace time is over.
    pub fn drain_guard(&self) -> DrainGuard {
        self.drain.guards.set(self.drain.guards.get() + 1);
        DrainGuard(Rc::clone(&self.drain))
    }

    /// A context without a node around it, for the simulator.
    pub(crate) fn simulated(mesh: Mesh<P>, rng: Rng) -> Self {
        Self { mesh, rng, drain: Drain::new(Life::Simulated) }
    }
}

/// See [`ShardContext::drain_guard`].
#[must_use = "the drain is held up only while this lives"]
pub struct DrainGuard(Rc<Drain>);

impl Drop for DrainGuard {
    fn drop(&mut self) {
        self.0.guards.set(self.0.guards.get() - 1);
        self.0.wake_all();
    }
}

enum Life {
    Production(Arc<Lifecycle>),
    Simulated,
}

/// The phase as this shard's tasks see it.
struct Drain {
    life: Life,
    phase: Cell<Phase>,
    guards: Cell<usize>,
    /// Tasks that wait for a phase or for the guards: a handful, woken together.
    waiting: RefCell<Vec<Waker>>,
}

impl Drain {
    fn new(life: Life) -> Rc<Self> {
        Rc::new(Self {
            life,
            phase: Cell::new(Phase::Running),
            guards: Cell::new(0),
            waiting: RefCell::default(),
        })
    }

    fn set(&self, phase: Phase) {
        if phase > self.phase.get() {
            self.phase.set(phase);
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }

    async fn until(&self, done: impl Fn(&Self) -> bool) {
        poll_fn(|cx| {
            if done(self) {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    async fn reached(&self, phase: Phase) {
        self.until(|drain| drain.phase.get() >= phase).await;
    }
}

/// Runs the program on a shard, until the node stops.
pub(super) async fn run_shard<P: Protocol>(
    lifecycle: Arc<Lifecycle>,
    grace: Duration,
    mesh: Mesh<P>,
    rng: Rng,
    main: &Program<P>,
) {
    let shard = mesh.me().shard;
    let drain = Drain::new(Life::Production(Arc::clone(&lifecycle)));
    let node = Arc::clone(&lifecycle);
    Local::current().on_essential_end(move |task, how| node.lost(shard, task, how));
    spawn_essential(
        "lifecycle",
        watch(Arc::clone(&lifecycle), Rc::clone(&drain), mesh.clone(), grace),
    );
    let context = ShardContext { mesh: mesh.clone(), rng, drain: Rc::clone(&drain) };
    let program = Arc::clone(main);
    // Inside a task, so that a panic before its first await is caught as well.
    let main = spawn_owned("shard", async move { program(context).await });
    let finished = async {
        match main.await {
            Some(Ok(())) => {}
            Some(Err(source)) => lifecycle.fail(BootError::Failed { shard: shard.0, source }),
            None => lifecycle.fail(BootError::Panicked { shard: shard.0 }),
        }
        drain.until(|drain| drain.guards.get() == 0).await;
    };
    let stopped = drain.reached(Phase::Stopped);
    if let Either::Left(_) = select(std::pin::pin!(finished), std::pin::pin!(stopped)).await {
        lifecycle.shard_finished(shard);
        drain.reached(Phase::Stopped).await;
    }
    mesh.stop();
    // What was woken by that gets a last turn.
    runtime::yield_now().await;
}

/// Carries changes of the node's phase over to the shard's tasks, and ends the grace time.
async fn watch<P: Protocol>(
    lifecycle: Arc<Lifecycle>,
    drain: Rc<Drain>,
    mesh: Mesh<P>,
    grace: Duration,
) {
    let shard = mesh.me().shard;
    let mut grace_began = false;
    poll_fn(|cx| {
        lifecycle.watch(shard, cx.waker());
        let phase = lifecycle.phase();
        drain.set(phase);
        if phase >= Phase::Draining && !grace_began {
            grace_began = true;
            let lifecycle = Arc::clone(&lifecycle);
            mesh.timers().run_after(grace, move || lifecycle.stop());
        }
        if phase == Phase::Stopped { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
