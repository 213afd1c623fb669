//! One direction of one lane between two shards: a queue with one producer, one consumer and a bound.
//!
//! The producer counts what it put in and the consumer publishes, once per batch, what it took out;
//! so the bound costs no locked instruction on either side.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crossbeam::{queue::SegQueue, utils::CachePadded};

struct Shared<T> {
    queue: SegQueue<T>,
    /// How many the consumer has taken, as of its last batch.
    taken: CachePadded<AtomicU64>,
}

/// The producer's end. It may move to another thread, but belongs to one at a time.
pub(crate) struct LaneSender<T> {
    shared: Arc<Shared<T>>,
    len_max: u64,
    sent: Cell<u64>,
    taken_seen: Cell<u64>,
}

/// The consumer's end.
pub(crate) struct LaneReceiver<T> {
    shared: Arc<Shared<T>>,
    taken: Cell<u64>,
}

/// A lane that refuses more than `len_max` messages; those that must fit may go beyond.
pub(crate) fn lane<T>(len_max: u32) -> (LaneSender<T>, LaneReceiver<T>) {
    let shared =
        Arc::new(Shared { queue: SegQueue::new(), taken: CachePadded::new(AtomicU64::new(0)) });
    (
        LaneSender {
            shared: Arc::clone(&shared),
            len_max: u64::from(len_max),
            sent: Cell::new(0),
            taken_seen: Cell::new(0),
        },
        LaneReceiver { shared, taken: Cell::new(0) },
    )
}

impl<T> LaneSender<T> {
    /// Puts a message in, or gives it back where the lane is full.
    pub(crate) fn push(&self, message: T) -> Result<(), T> {
        if self.sent.get() - self.taken_seen.get() >= self.len_max && self.len() >= self.len_max {
            return Err(message);
        }
        self.push_beyond(message);
        Ok(())
    }

    /// Puts a message in, however full the lane is.
    pub(crate) fn push_beyond(&self, message: T) {
        self.sent.set(self.sent.get() + 1);
        self.shared.queue.push(message);
    }

    /// How many wait, counting those of a batch that is being handled.
    pub(crate) fn len(&self) -> u64 {
        self.taken_seen.set(self.shared.taken.load(Ordering::Acquire));
        self.sent.get() - self.taken_seen.get()
    }
}

impl<T> LaneReceiver<T> {
    pub(crate) fn pop(&self) -> Option<T> {
        let message = self.shared.queue.pop()?;
        self.taken.set(self.taken.get() + 1);
        Some(message)
    }

    /// Tells the producer a total of its own, where what was popped is still under way.
    pub(crate) fn publish_total(&self, taken: u64) {
        self.shared.taken.store(taken, Ordering::Release);
    }

    /// Tells the producer what was popped so far.
    pub(crate) fn publish(&self) {
        self.shared.taken.store(self.taken.get(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_gives_the_message_back_until_a_batch_was_taken() {
        let (sender, receiver) = lane(2);
        assert_eq!((sender.push(1), sender.push(2), sender.push(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!(receiver.pop(), Some(1));
        assert_eq!(sender.push(3), Err(3));
        receiver.publish();
        assert_eq!(sender.push(3), Ok(()));
        assert_eq!((receiver.pop(), receiver.pop(), receiver.pop()), (Some(2), Some(3), None));
    }

    #[test]
    fn what_must_fit_goes_beyond_the_bound_and_counts_against_it() {
        let (sender, receiver) = lane(1);
        for i in 0..5 {
            sender.push_beyond(i);
        }
        assert_eq!(sender.push(9), Err(9));
        assert_eq!(sender.len(), 5);
        let taken: Vec<_> = std::iter::from_fn(|| receiver.pop()).collect();
        assert_eq!(taken, [0, 1, 2, 3, 4]);
        receiver.publish();
        assert_eq!(sender.push(9), Ok(()));
    }

    #[test]
    fn two_threads_keep_the_order_and_lose_nothing() {
        const MESSAGES: u64 = 100_000;
        let (sender, receiver) = lane(64);
        let producer = std::thread::spawn(move || {
            for i in 0..MESSAGES {
                let mut message = i;
                while let Err(back) = sender.push(message) {
                    message = back;
                    std::thread::yield_now();
                }
            }
        });
        let mut expected = 0;
        while expected < MESSAGES {
            match receiver.pop() {
                Some(message) => {
                    assert_eq!(message, expected);
                    expected += 1;
                    receiver.publish();
                }
                None => std::thread::yield_now(),
            }
        }
        producer.join().unwrap();
    }
}
