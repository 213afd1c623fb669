//! Which sessions of this shard are on which stream, kept so that a delivery is a walk over two lists.

use hashbrown::HashMap;

use super::{Format, Outgoing};
use crate::{ids::StreamId, net::WireFrame};

/// A session of this shard: its place in the shard's table of sessions. The place is free for another
/// session only after the session has left every stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// What writes to the sessions of this shard.
pub trait Sink {
    /// Queues the frame on the session. It must not call back into presence.
    fn send(&self, slot: Slot, frame: &WireFrame) -> Result<(), Slow>;
}

/// The session does not read as fast as it is written to: its queue is full, and it is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slow;

/// The local members of every stream that has any.
#[derive(Default)]
pub struct LocalMembers {
    streams: HashMap<StreamId, Members>,
}

#[derive(Default)]
struct Members {
    json: Vec<Slot>,
    protobuf: Vec<Slot>,
}

impl Members {
    fn of(&mut self, format: Format) -> &mut Vec<Slot> {
        match format {
            Format::Json => &mut self.json,
            Format::Protobuf => &mut self.protobuf,
        }
    }

    fn is_empty(&self) -> bool {
        self.json.is_empty() && self.protobuf.is_empty()
    }
}

impl LocalMembers {
    /// Adds a session that is not on the stream yet.
    pub fn add(&mut self, stream: &StreamId, slot: Slot, format: Format) {
        let members = match self.streams.get_mut(stream) {
            Some(members) => members,
            None => self.streams.entry(stream.clone()).or_default(),
        };
        let slots = members.of(format);
        debug_assert!(!slots.contains(&slot), "a session is on a stream once");
        // Most streams of a shard have one member of a format; a larger first step is memory for nothing.
        if slots.is_empty() {
            slots.reserve_exact(1);
        }
        slots.push(slot);
    }

    /// Removes a session; `false` if it was not there. Takes time linear in the stream's local members.
    pub fn remove(&mut self, stream: &StreamId, slot: Slot, format: Format) -> bool {
        let Some(members) = self.streams.get_mut(stream) else { return false };
        let slots = members.of(format);
        let Some(index) = slots.iter().position(|member| *member == slot) else { return false };
        slots.swap_remove(index);
        if members.is_empty() {
            self.streams.remove(stream);
        }
        true
    }

    /// Removes the stream and yields who was on it.
    pub fn take(&mut self, stream: &StreamId) -> impl Iterator<Item = Slot> + use<> {
        let Members { json, protobuf } = self.streams.remove(stream).unwrap_or_default();
        json.into_iter().chain(protobuf)
    }

    /// Queues the frames on every local member but `except`, and adds those too slow to `slow`.
    /// Allocates nothing as long as nobody is slow. Yields the number of recipients.
    pub fn deliver(
        &self,
        stream: &StreamId,
        frames: &Outgoing,
        except: Option<Slot>,
        sink: &(impl Sink + ?Sized),
        slow: &mut Vec<Slot>,
    ) -> usize {
        let Some(members) = self.streams.get(stream) else { return 0 };
        let mut sent = 0;
        for (format, slots) in
            [(Format::Json, &members.json), (Format::Protobuf, &members.protobuf)]
        {
            // A member of a format that the owner does not know of yet joined after this was sent.
            let Some(frame) = frames.get(format) else { continue };
            for slot in slots {
                if Some(*slot) == except {
                    continue;
                }
                match sink.send(*slot, frame) {
                    Ok(()) => sent += 1,
                    Err(Slow) => slow.push(*slot),
                }
            }
        }
        sent
    }

    /// How many streams have local members.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn slots(&self, stream: &StreamId) -> Vec<Slot> {
        self.streams
            .get(stream)
            .map(|members| members.json.iter().chain(&members.protobuf).copied().collect())
            .unwrap_or_default()
    }
}
