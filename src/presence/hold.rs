//! Keeps status events from overtaking the snapshot that they change.
//!
//! A follow asks several owners. The first to answer may tell of a change before the last has answered,
//! and the reply, which carries all their snapshots, has not been sent yet. Until it is, what the
//! followed users do is held back for that session; what a snapshot already knows is then left out.

use std::cell::RefCell;

use hashbrown::HashMap;

use crate::{
    fanout::{Sink, Slot, Slow},
    ids::UserId,
    net::WireFrame,
};

/// Frames held for one session. A session with more is cut off as too slow.
pub const HELD_FRAMES_MAX: usize = 1024;

/// The sessions that wait for the answers to a follow.
#[derive(Default)]
pub(super) struct Holds(HashMap<Slot, Hold>);

#[derive(Default)]
struct Hold {
    /// Follows that have not been answered in full.
    waiting: u32,
    held: RefCell<Held>,
}

#[derive(Default)]
struct Held {
    /// Counts the frames that were ever held.
    total: u64,
    frames: Vec<(u64, UserId, WireFrame)>,
}

/// A snapshot of users has come: what was held of them before it is in it.
pub(super) struct Mark {
    users: Vec<UserId>,
    before: u64,
}

impl Mark {
    /// Whatever was or will be held of these users is no news.
    pub(super) fn of_all(users: Vec<UserId>) -> Self {
        Self { users, before: u64::MAX }
    }
}

impl Holds {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A follow of the session begins.
    pub(super) fn begin(&mut self, slot: Slot) {
        self.0.entry(slot).or_default().waiting += 1;
    }

    /// An owner has answered with a snapshot of these users.
    pub(super) fn mark(&self, slot: Slot, users: Vec<UserId>) -> Mark {
        let before = self.0.get(&slot).map_or(0, |hold| hold.held.borrow().total);
        Mark { users, before }
    }

    /// A follow has been answered, with the snapshots of `marks`. Yields what was held and is still news,
    /// once no other follow waits.
    pub(super) fn end(&mut self, slot: Slot, marks: &[Mark]) -> Vec<WireFrame> {
        let Some(hold) = self.0.get_mut(&slot) else { return Vec::new() };
        let held = hold.held.get_mut();
        held.frames.retain(|(number, user, _)| {
            !marks.iter().any(|mark| *number < mark.before && mark.users.contains(user))
        });
        hold.waiting = hold.waiting.saturating_sub(1);
        if hold.waiting > 0 {
            return Vec::new();
        }
        let hold = self.0.remove(&slot).unwrap_or_default();
        hold.held.into_inner().frames.into_iter().map(|(_, _, frame)| frame).collect()
    }

    /// The session has closed.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.0.remove(&slot);
    }

    /// A sink for events of `user` that holds back what it must and passes on the rest.
    pub(super) fn before<'a, S: Sink + ?Sized>(
        &'a self,
        sink: &'a S,
        user: UserId,
    ) -> impl Sink + use<'a, S> {
        Holding { holds: self, sink, user }
    }
}

struct Holding<'a, S: ?Sized> {
    holds: &'a Holds,
    sink: &'a S,
    user: UserId,
}

impl<S: Sink + ?Sized> Sink for Holding<'_, S> {
    fn send(&self, slot: Slot, frame: &WireFrame) -> Result<(), Slow> {
        let Some(hold) = self.holds.0.get(&slot) else { return self.sink.send(slot, frame) };
        let mut held = hold.held.borrow_mut();
        if held.frames.len() >= HELD_FRAMES_MAX {
            return Err(Slow);
        }
        let number = held.total;
        held.total += 1;
        held.frames.push((number, self.user, frame.clone()));
        Ok(())
    }
}
