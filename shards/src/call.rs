//! Calls that wait for an answer.
//!
//! The table is bounded; an id holds the entry's place and a generation, so that an answer that comes
//! too late finds nobody. A deadline is a timer of the shard's wheel.

use std::{
    cell::{Cell, RefCell},
    task::{Context, Poll, Waker},
    time::Duration,
};

use slab::Slab;

use crate::{clock::Clock, envelope::Protocol, timers::TimerKey};

/// Names a call of a shard; only that shard can tell what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallId(u64);

impl CallId {
    fn new(index: usize, generation: u32) -> Self {
        Self((u64::from(generation) << 32) | index as u64)
    }

    pub(crate) fn from_token(token: u64) -> Self {
        Self(token)
    }

    pub(crate) fn token(self) -> u64 {
        self.0
    }

    fn index(self) -> usize {
        (self.0 & u64::from(u32::MAX)) as usize
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Until when an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// A time of [`Clock::monotonic_ms`]. A handler that calls on passes its own call's deadline on.
    AtMs(u64),
    /// A while from now.
    Within(Duration),
}

impl Deadline {
    pub(crate) fn at_ms(self, clock: &Clock) -> u64 {
        match self {
            Self::AtMs(at_ms) => at_ms,
            Self::Within(delay) => {
                let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
                clock.monotonic_micros().saturating_add(micros).div_ceil(1000)
            }
        }
    }
}

impl From<Duration> for Deadline {
    fn from(delay: Duration) -> Self {
        Self::Within(delay)
    }
}

/// Why a call has no answer. Where it was not refused, the other side may have acted on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CallError {
    /// The lane to the other shard is full. Nothing was sent.
    #[error("the other shard is overloaded")]
    Full,
    /// This shard waits for as many answers as it may. Nothing was sent.
    #[error("this shard waits for too many answers")]
    TooManyCalls,
    /// No such shard, or no way to its node. Nothing was sent.
    #[error("the other shard cannot be reached")]
    Unreachable,
    /// No answer came in time.
    #[error("the other shard did not answer in time")]
    DeadlineExceeded,
    /// The other side dropped the question unanswered, as when its handler panicked.
    #[error("the other shard gave no answer")]
    Abandoned,
    /// This shard stops.
    #[error("this shard stops")]
    Stopped,
}

pub(crate) type Answer<P> = Result<<P as Protocol>::Reply, CallError>;

/// Runs when the answer is there, in the order of the mailbox.
pub(crate) type Then<P> = Box<dyn FnOnce(Answer<P>)>;

enum Waiting<P: Protocol> {
    Callback(Then<P>),
    Future(Option<Waker>),
    Answered(Answer<P>),
}

struct Entry<P: Protocol> {
    generation: u32,
    timer: Option<TimerKey>,
    waiting: Waiting<P>,
}

/// What came of an answer.
pub(crate) enum Settled<P: Protocol> {
    /// Run the callback; the timer is no longer needed.
    Run(Then<P>, Answer<P>, Option<TimerKey>),
    /// A task has been woken; likewise.
    Woken(Option<TimerKey>),
    /// Nobody waits for it any more.
    Late,
}

/// The calls of a shard that wait.
pub(crate) struct Calls<P: Protocol> {
    entries: RefCell<Slab<Entry<P>>>,
    generation: Cell<u32>,
    len_max: usize,
}

impl<P: Protocol> Calls<P> {
    /// The first generation should differ from that of an earlier life of this shard, whose answers
    /// may still be under way.
    pub(crate) fn new(len_max: usize, first_generation: u32) -> Self {
        Self {
            entries: RefCell::new(Slab::new()),
            generation: Cell::new(first_generation),
            len_max: len_max.min(u32::MAX as usize),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Adds a call; None runs as a future. Gives the callback back where the table is full.
    pub(crate) fn insert(&self, then: Option<Then<P>>) -> Result<CallId, Option<Then<P>>> {
        let mut entries = self.entries.borrow_mut();
        if entries.len() >= self.len_max {
            return Err(then);
        }
        let generation = self.generation.get().wrapping_add(1);
        self.generation.set(generation);
        let waiting = then.map_or(Waiting::Future(None), Waiting::Callback);
        let index = entries.insert(Entry { generation, timer: None, waiting });
        Ok(CallId::new(index, generation))
    }

    pub(crate) fn set_timer(&self, id: CallId, timer: TimerKey) {
        if let Some(entry) = find(&mut self.entries.borrow_mut(), id) {
            entry.timer = Some(timer);
        }
    }

    /// Takes an answer in. What it yields is carried out after the table was let go.
    pub(crate) fn settle(&self, id: CallId, answer: Answer<P>) -> Settled<P> {
        let mut entries = self.entries.borrow_mut();
        let Some(entry) = find(&mut entries, id) else { return Settled::Late };
        match &mut entry.waiting {
            Waiting::Answered(_) => Settled::Late,
            Waiting::Future(waker) => {
                let waker = waker.take();
                let timer = entry.timer.take();
                entry.waiting = Waiting::Answered(answer);
                drop(entries);
                if let Some(waker) = waker {
                    waker.wake();
                }
                Settled::Woken(timer)
            }
            Waiting::Callback(_) => match entries.remove(id.index()) {
                Entry { waiting: Waiting::Callback(then), timer, .. } => {
                    Settled::Run(then, answer, timer)
                }
                Entry { timer, .. } => Settled::Woken(timer),
            },
        }
    }

    /// Asks for the answer of a call that is awaited as a future.
    pub(crate) fn poll(&self, id: CallId, cx: &Context<'_>) -> Poll<Answer<P>> {
        let mut entries = self.entries.borrow_mut();
        let Some(entry) = find(&mut entries, id) else {
            return Poll::Ready(Err(CallError::Stopped));
        };
        match &mut entry.waiting {
            Waiting::Future(waker) => {
                match waker {
                    Some(known) => known.clone_from(cx.waker()),
                    None => *waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            Waiting::Answered(_) | Waiting::Callback(_) => match entries.remove(id.index()) {
                Entry { waiting: Waiting::Answered(answer), .. } => Poll::Ready(answer),
                Entry { .. } => Poll::Ready(Err(CallError::Stopped)),
            },
        }
    }

    /// Forgets a call whose future was dropped. Yields its timer.
    pub(crate) fn forget(&self, id: CallId) -> Option<TimerKey> {
        let mut entries = self.entries.borrow_mut();
        find(&mut entries, id)?;
        let entry = entries.remove(id.index());
        drop(entries);
        entry.timer
    }

    /// The ids of all that wait, for when the shard stops.
    pub(crate) fn ids(&self) -> Vec<CallId> {
        let entries = self.entries.borrow();
        entries.iter().map(|(index, entry)| CallId::new(index, entry.generation)).collect()
    }
}

fn find<P: Protocol>(entries: &mut Slab<Entry<P>>, id: CallId) -> Option<&mut Entry<P>> {
    entries.get_mut(id.index()).filter(|entry| entry.generation == id.generation())
}
