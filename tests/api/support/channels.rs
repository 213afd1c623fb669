//! The channels of groups where nobody is connected: what would have gone out, in order.

use std::{cell::RefCell, rc::Rc};

use kakera::{
    chat::GroupEvent,
    groups::GroupChannels,
    ids::{GroupId, UserId},
    store::{Timestamp, messages::GroupNote},
};
use kakera_shards::Clock;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Note(i16, UserId, String),
    Removed(UserId),
    Closed(GroupId),
}

/// Clones are the same.
#[derive(Clone, Default)]
pub struct RecordedChannels(Rc<RefCell<Vec<Sent>>>);

impl RecordedChannels {
    /// What was sent since the last time.
    pub fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.0.borrow_mut())
    }
}

impl GroupChannels for RecordedChannels {
    fn note(&self, group: GroupId, event: GroupEvent, user: UserId) -> GroupNote {
        let code = match event {
            GroupEvent::Join => 3,
            GroupEvent::Add => 4,
            GroupEvent::Leave => 5,
            GroupEvent::Kick => 6,
            GroupEvent::Promote => 7,
            GroupEvent::Ban => 8,
            GroupEvent::Demote => 9,
        };
        let time = Timestamp(Clock::system().unix_micros());
        GroupNote { id: Uuid::new_v4(), code, group, user, time }
    }

    fn announce(&self, note: &GroupNote, username: String) {
        self.0.borrow_mut().push(Sent::Note(note.code, note.user, username));
    }

    fn remove(&self, _: GroupId, user: UserId) {
        self.0.borrow_mut().push(Sent::Removed(user));
    }

    fn close(&self, group: GroupId) {
        self.0.borrow_mut().push(Sent::Closed(group));
    }
}
