//! A shard's mailbox: the ends of the lanes that lead to it, and the bell that others ring.
//!
//! Each ordered pair of shards has two lanes. Requests may be refused when their lane is full. Events
//! and replies share the other lane in the order they were sent; there, what may be lost is dropped
//! when the lane is long, and what must not be lost always fits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
    task::Context,
};

use crossbeam::utils::CachePadded;
use futures_util::task::AtomicWaker;

use crate::{
    envelope::{Ask, Protocol, Tell},
    lane::{LaneReceiver, LaneSender, lane},
};

/// How much may wait between two shards.
#[derive(Clone, Copy, Debug)]
pub struct MailboxLimits {
    /// Requests of one shard that wait for another; one more is refused.
    pub requests_len_max: u32,
    /// Events and replies of one shard that wait for another; a droppable one more is dropped.
    pub events_len_max: u32,
}

impl Default for MailboxLimits {
    fn default() -> Self {
        Self { requests_len_max: 4096, events_len_max: 16_384 }
    }
}

/// Which senders have something for a shard, and whether that shard must be woken for it.
pub(crate) struct Bell {
    /// One bit a sender, set after its message is in its lane.
    rung: Box<[CachePadded<AtomicU64>]>,
    asleep: CachePadded<AtomicBool>,
    waker: AtomicWaker,
}

impl Bell {
    pub(crate) fn new(senders: usize) -> Arc<Self> {
        let words = senders.div_ceil(64).max(1);
        Arc::new(Self {
            rung: (0..words).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
            asleep: CachePadded::new(AtomicBool::new(false)),
            waker: AtomicWaker::new(),
        })
    }

    /// Says that a sender has put something in. True where the shard had to be woken.
    pub(crate) fn ring(&self, sender: usize) -> bool {
        let (Some(word), bit) = (self.rung.get(sender / 64), 1 << (sender % 64)) else {
            return false;
        };
        // Either this fence comes after the one in `take`, and the bit is seen cleared and set again;
        // or it comes before, and the receiver, which clears the bit before it looks into the lanes,
        // finds the message there.
        fence(Ordering::SeqCst);
        if word.load(Ordering::Relaxed) & bit != 0 {
            return false;
        }
        word.fetch_or(bit, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.waker.wake();
            return true;
        }
        false
    }

    /// Moves the bits of a word of senders out.
    pub(crate) fn take(&self, word: usize) -> u64 {
        let Some(rung) = self.rung.get(word) else { return 0 };
        if rung.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let bits = rung.swap(0, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        bits
    }

    /// Prepares to be woken. False where something came in meanwhile.
    pub(crate) fn sleep(&self, cx: &Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.asleep.store(true, Ordering::SeqCst);
        if self.rung.iter().any(|word| word.load(Ordering::SeqCst) != 0) {
            self.asleep.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    pub(crate) fn words(&self) -> usize {
        self.rung.len()
    }
}

/// The sending end of a pair.
pub(crate) struct Outlet<P: Protocol> {
    requests: LaneSender<Ask<P>>,
    events: LaneSender<Tell<P>>,
    bell: Arc<Bell>,
    /// The sender's bit in the bell.
    sender: usize,
}

impl<P: Protocol> Outlet<P> {
    /// Gives the message back where the lane is full.
    pub(crate) fn ask(&self, message: Ask<P>) -> Result<(), Ask<P>> {
        self.requests.push(message)?;
        self.ring();
        Ok(())
    }

    /// Puts in what must arrive.
    pub(crate) fn tell(&self, message: Tell<P>) {
        self.events.push_beyond(message);
        self.ring();
    }

    /// Puts in what may be lost; false where it was.
    pub(crate) fn tell_droppable(&self, message: Tell<P>) -> bool {
        if self.events.push(message).is_err() {
            return false;
        }
        self.ring();
        true
    }

    /// Has the receiver look, even though nothing was put in.
    pub(crate) fn ring(&self) -> bool {
        self.bell.ring(self.sender)
    }

    /// Requests that wait.
    pub(crate) fn requests_len(&self) -> u64 {
        self.requests.len()
    }

    /// Events and replies that wait.
    pub(crate) fn events_len(&self) -> u64 {
        self.events.len()
    }
}

/// The receiving end of a pair.
pub(crate) struct Inlet<P: Protocol> {
    requests: LaneReceiver<Ask<P>>,
    events: LaneReceiver<Tell<P>>,
}

impl<P: Protocol> Inlet<P> {
    /// Takes one message out without telling the sender; for the simulator's wire.
    pub(crate) fn pop(&self) -> Option<Mail<P>> {
        let event = self.events.pop().map(Mail::Tell);
        event.or_else(|| self.requests.pop().map(Mail::Ask))
    }

    /// Tells the sender how many requests and events were handled in all.
    pub(crate) fn publish_totals(&self, requests: u64, events: u64) {
        self.requests.publish_total(requests);
        self.events.publish_total(events);
    }

    /// Hands out up to `slice` messages; how many, and whether to go on.
    fn drain(&self, slice: usize, handle: &mut impl FnMut(Mail<P>) -> bool) -> (usize, bool) {
        let (mut taken, mut go_on) = (0, true);
        while go_on && taken < slice {
            let Some(tell) = self.events.pop() else { break };
            taken += 1;
            go_on = handle(Mail::Tell(tell));
        }
        let events = taken;
        while go_on && taken < slice {
            let Some(ask) = self.requests.pop() else { break };
            taken += 1;
            go_on = handle(Mail::Ask(ask));
        }
        if events > 0 {
            self.events.publish();
        }
        if taken > events {
            self.requests.publish();
        }
        (taken, go_on)
    }
}

/// The lanes of an ordered pair. `sender` is the bit that the sender has in the receiver's bell.
pub(crate) fn pair<P: Protocol>(
    limits: MailboxLimits,
    bell: &Arc<Bell>,
    sender: usize,
) -> (Outlet<P>, Inlet<P>) {
    let (requests, requests_out) = lane(limits.requests_len_max.max(1));
    let (events, events_out) = lane(limits.events_len_max.max(1));
    (
        Outlet { requests, events, bell: Arc::clone(bell), sender },
        Inlet { requests: requests_out, events: events_out },
    )
}

/// All that leads to a shard.
pub(crate) struct Inbox<P: Protocol> {
    inlets: Vec<Inlet<P>>,
    bell: Arc<Bell>,
    /// Senders with something left from the last batch.
    left: Vec<u64>,
    /// Where the next batch begins, so that the first senders are not always first.
    start: usize,
}

/// A message taken out of the mailbox.
pub(crate) enum Mail<P: Protocol> {
    Ask(Ask<P>),
    Tell(Tell<P>),
}

/// Messages of one lane handled before the next sender has its turn.
const SLICE: usize = 64;

impl<P: Protocol> Inbox<P> {
    /// The inlets stand in the order of their senders' bits.
    pub(crate) fn new(inlets: Vec<Inlet<P>>, bell: Arc<Bell>) -> Self {
        let left = vec![0; bell.words()];
        Self { inlets, bell, left, start: 0 }
    }

    /// Hands out up to `budget` messages: events before requests, a slice from each sender in turn.
    /// `handle` answers whether to go on. Returns whether more may be waiting.
    pub(crate) fn drain(&mut self, budget: usize, mut handle: impl FnMut(Mail<P>) -> bool) -> bool {
        for (word, left) in self.left.iter_mut().enumerate() {
            *left |= self.bell.take(word);
        }
        let mut remaining = budget;
        while let Some(sender) = self.next_sender() {
            if remaining == 0 {
                return true;
            }
            let Some(inlet) = self.inlets.get(sender) else { return false };
            let slice = SLICE.min(remaining);
            let (taken, go_on) = inlet.drain(slice, &mut handle);
            remaining -= taken;
            // A sender that filled its slice may have more; it has its next turn after the others.
            if taken < slice
                && go_on
                && let Some(left) = self.left.get_mut(sender / 64)
            {
                *left &= !(1 << (sender % 64));
            }
            self.start = sender + 1;
            if !go_on {
                return true;
            }
        }
        false
    }

    /// The first sender with something left, from where the last one was.
    fn next_sender(&self) -> Option<usize> {
        let from = |start: usize| {
            let words = self.left.iter().enumerate().skip(start / 64);
            words.into_iter().find_map(|(index, &left)| {
                let skipped = if index == start / 64 { start % 64 } else { 0 };
                let ahead = left >> skipped << skipped;
                (ahead != 0).then(|| index * 64 + ahead.trailing_zeros() as usize)
            })
        };
        from(self.start).or_else(|| from(0))
    }

    /// Prepares to be woken by the next message. False where there is one already.
    pub(crate) fn sleep(&self, cx: &Context<'_>) -> bool {
        self.left.iter().all(|&left| left == 0) && self.bell.sleep(cx)
    }
}
