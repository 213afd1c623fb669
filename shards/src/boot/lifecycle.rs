//! The phases of a node, seen by all its threads.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;

use super::BootError;
use crate::{ShardId, runtime::End};

/// Where a node is in its life. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Shards are being set up; none of the program's code runs yet.
    Starting,
    Running,
    /// Nothing new is taken in, what is under way is finished.
    Draining,
    /// Every shard has finished, or was given up.
    Stopped,
}

impl Phase {
    fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Starting,
            1 => Self::Running,
            2 => Self::Draining,
            _ => Self::Stopped,
        }
    }
}

/// What moves a node on.
enum Event {
    Released,
    DrainAsked,
    StopAsked,
    Failed(BootError),
    ShardReady(ShardId),
    ShardSetUp,
    ShardFinished(ShardId),
    ThreadEnded(ShardId),
}

#[derive(Clone, Copy, Default)]
struct ShardState {
    ready: bool,
    finished: bool,
    ended: bool,
}

struct State {
    phase: Phase,
    shards: Vec<ShardState>,
    set_up: usize,
    drain_began: Option<Instant>,
    failure: Option<BootError>,
}

impl State {
    /// All transitions. A change of phase is told to everybody by the caller.
    fn apply(&mut self, event: Event) {
        match event {
            Event::Released => self.advance(Phase::Running),
            Event::DrainAsked => self.advance(Phase::Draining),
            Event::StopAsked => self.advance(Phase::Stopped),
            Event::Failed(error) => {
                // Before the release there is nothing to drain.
                let next =
                    if self.phase == Phase::Starting { Phase::Stopped } else { Phase::Draining };
                self.failure.get_or_insert(error);
                self.advance(next);
            }
            Event::ShardSetUp => self.set_up += 1,
            Event::ShardReady(shard) => self.mark(shard, |state| state.ready = true),
            Event::ShardFinished(shard) => {
                self.mark(shard, |state| state.finished = true);
                if self.shards.iter().all(|state| state.finished) {
                    self.advance(Phase::Stopped);
                }
            }
            Event::ThreadEnded(shard) => {
                self.mark(shard, |state| state.ended = true);
                if self.phase < Phase::Stopped {
                    // Its executor is gone, so nobody answers for it.
                    self.apply(Event::Failed(BootError::Panicked { shard: shard.0 }));
                    self.apply(Event::ShardFinished(shard));
                }
            }
        }
    }

    fn advance(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
        if self.phase >= Phase::Draining {
            self.drain_began.get_or_insert_with(Instant::now);
        }
    }

    fn mark(&mut self, shard: ShardId, change: impl FnOnce(&mut ShardState)) {
        if let Some(state) = self.shards.get_mut(usize::from(shard.0)) {
            change(state);
        }
    }

    fn unfinished(&self) -> Vec<u16> {
        let shards = (0..).zip(&self.shards);
        shards.filter(|(_, state)| !state.finished).map(|(shard, _)| shard).collect()
    }
}

pub(super) struct Lifecycle {
    /// The phase again, for those who look often.
    phase: AtomicU8,
    state: Mutex<State>,
    changed: Condvar,
    /// One for each shard, to tell it of a new phase.
    watchers: Vec<AtomicWaker>,
}

impl Lifecycle {
    pub(super) fn new(shards: u16) -> Arc<Self> {
        Arc::new(Self {
            phase: AtomicU8::new(Phase::Starting as u8),
            state: Mutex::new(State {
                phase: Phase::Starting,
                shards: vec![ShardState::default(); usize::from(shards)],
                set_up: 0,
                drain_began: None,
                failure: None,
            }),
            changed: Condvar::new(),
            watchers: (0..shards).map(|_| AtomicWaker::new()).collect(),
        })
    }

    pub(super) fn phase(&self) -> Phase {
        Phase::from_u8(self.phase.load(Ordering::SeqCst))
    }

    /// Has the waker called at the next change of phase.
    pub(super) fn watch(&self, shard: ShardId, waker: &Waker) {
        if let Some(watcher) = self.watchers.get(usize::from(shard.0)) {
            watcher.register(waker);
        }
    }

    pub(super) fn drain(&self) {
        self.apply(Event::DrainAsked);
    }

    pub(super) fn stop(&self) {
        self.apply(Event::StopAsked);
    }

    /// A shard has failed: the first failure is the node's.
    pub(super) fn fail(&self, error: BootError) {
        tracing::error!(%error, "A shard failed; the node drains.");
        self.apply(Event::Failed(error));
    }

    /// A task ended that its shard cannot do without; while the node drains that is as it should be,
    /// unless the task panicked.
    pub(super) fn lost(&self, shard: ShardId, task: &str, how: End) {
        let how = match how {
            End::Panicked => "panicked",
            End::Ended if self.phase() < Phase::Draining => "ended",
            End::Ended => return,
        };
        let source = format!("its task `{task}` {how}").into();
        self.fail(BootError::Failed { shard: shard.0, source });
    }

    /// A shard could not be set up.
    pub(super) fn abort(&self, error: BootError) {
        self.apply(Event::Failed(error));
    }

    pub(super) fn shard_ready(&self, shard: ShardId) {
        self.apply(Event::ShardReady(shard));
    }

    pub(super) fn shard_finished(&self, shard: ShardId) {
        self.apply(Event::ShardFinished(shard));
    }

    /// Called on the thread of a shard; the guard tells when that ends, in whatever way.
    pub(super) fn on_thread(self: &Arc<Self>, shard: ShardId) -> ThreadGuard {
        ThreadGuard { lifecycle: Arc::clone(self), shard }
    }

    /// Waits until all shards are set up, then lets them go; or tells what failed.
    pub(super) fn release(&self) -> Result<(), BootError> {
        let mut state = self.lock();
        while state.set_up < state.shards.len() && state.failure.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        drop(state);
        self.apply(Event::Released);
        Ok(())
    }

    /// Waits, on a shard's thread, until all are set up. False where one could not be.
    pub(super) fn wait_release(&self) -> bool {
        self.apply(Event::ShardSetUp);
        let mut state = self.lock();
        while state.phase == Phase::Starting {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // A failure elsewhere, unless somebody has already asked the running node to stop.
        state.phase != Phase::Stopped || state.set_up == state.shards.len()
    }

    pub(super) fn wait_ready(&self) -> bool {
        let mut state = self.lock();
        loop {
            if state.phase > Phase::Running {
                return false;
            }
            if state.shards.iter().all(|shard| shard.ready) {
                return true;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until all threads have ended; once a drain began, for at most `drain_max`.
    pub(super) fn wait_exit(&self, drain_max: Duration) -> Result<(), BootError> {
        let mut state = self.lock();
        while !state.shards.iter().all(|shard| shard.ended) {
            state = match state.drain_began {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(began) => {
                    let left = drain_max.saturating_sub(began.elapsed());
                    if left.is_zero() {
                        break;
                    }
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        let shards = state.unfinished();
        if shards.is_empty() { Ok(()) } else { Err(BootError::Abandoned { shards }) }
    }

    fn apply(&self, event: Event) {
        let mut state = self.lock();
        let before = state.phase;
        state.apply(event);
        let after = state.phase;
        self.phase.store(after as u8, Ordering::SeqCst);
        self.changed.notify_all();
        drop(state);
        if after != before {
            tracing::debug!(?before, ?after, "The node's phase changed.");
            self.watchers.iter().for_each(AtomicWaker::wake);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Lifecycle::on_thread`].
pub(super) struct ThreadGuard {
    lifecycle: Arc<Lifecycle>,
    shard: ShardId,
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        self.lifecycle.apply(Event::ThreadEnded(self.shard));
    }
}
