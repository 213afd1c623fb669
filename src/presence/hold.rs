//! Keeps status events from overtaking the snapshot that they change.
//!
//! A follow asks several owners. The first to answer may tell of a change before the last has answered,
//! and the reply, which carries all their snapshots, has not been sent yet. Until it is, what the
//! followed users do is held back for that session.

use std::cell::RefCell;

use hashbrown::HashMap;

use crate::{
    fanout::{Sink, Slot, Slow},
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
    frames: RefCell<Vec<WireFrame>>,
}

impl Holds {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A follow of the session begins.
    pub(super) fn begin(&mut self, slot: Slot) {
        self.0.entry(slot).or_default().waiting += 1;
    }

    /// A follow has been answered. Yields what was held once no other follow waits.
    pub(super) fn end(&mut self, slot: Slot) -> Vec<WireFrame> {
        let Some(hold) = self.0.get_mut(&slot) else { return Vec::new() };
        hold.waiting = hold.waiting.saturating_sub(1);
        if hold.waiting > 0 {
            return Vec::new();
        }
        self.0.remove(&slot).map(|hold| hold.frames.into_inner()).unwrap_or_default()
    }

    /// The session has closed.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.0.remove(&slot);
    }

    /// A sink that holds back what it must and passes on the rest.
    pub(super) fn before<'a, S: Sink + ?Sized>(&'a self, sink: &'a S) -> impl Sink + use<'a, S> {
        Holding { holds: self, sink }
    }
}

struct Holding<'a, S: ?Sized> {
    holds: &'a Holds,
    sink: &'a S,
}

impl<S: Sink + ?Sized> Sink for Holding<'_, S> {
    fn send(&self, slot: Slot, frame: &WireFrame) -> Result<(), Slow> {
        let Some(hold) = self.holds.0.get(&slot) else { return self.sink.send(slot, frame) };
        let mut frames = hold.frames.borrow_mut();
        if frames.len() >= HELD_FRAMES_MAX {
            return Err(Slow);
        }
        frames.push(frame.clone());
        Ok(())
    }
}
