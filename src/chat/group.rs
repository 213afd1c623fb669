//! What a group's channel tells of its members.
//!
//! ```text
//! note = chat.group_event(..) -> in the transaction: name = messages::insert_note(tx, &note)
//!                             -> after its commit:   chat.announce(&note, name)
//! ```

use super::{Chat, Code, draft::envelope};
use crate::{
    fanout::Audience,
    ids::{GroupId, StreamId, UserId},
    store::{
        Timestamp,
        messages::{GroupNote, MessageRecord},
    },
};

/// What happened to a member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    Join,
    Add,
    Leave,
    Kick,
    Promote,
    Ban,
    Demote,
}

impl GroupEvent {
    fn code(self) -> Code {
        match self {
            Self::Join => Code::GroupJoin,
            Self::Add => Code::GroupAdd,
            Self::Leave => Code::GroupLeave,
            Self::Kick => Code::GroupKick,
            Self::Promote => Code::GroupPromote,
            Self::Ban => Code::GroupBan,
            Self::Demote => Code::GroupDemote,
        }
    }
}

impl Chat {
    /// Prepares the message with which a group's channel tells of `user`: its id and its time. Nothing is
    /// stored or sent yet.
    pub fn group_event(&self, group: GroupId, event: GroupEvent, user: UserId) -> GroupNote {
        GroupNote {
            id: self.new_message_id(),
            code: event.code() as i16,
            group,
            user,
            time: Timestamp(self.now_micros()),
        }
    }

    /// Sends a stored note to everybody on the group's channel. To be called before those who are no
    /// longer members are taken off it: they are told as well. An owner whose lane is full tells nobody;
    /// the history has the note all the same.
    pub fn announce(&self, note: &GroupNote, username: String) {
        let stream = StreamId::group(note.group);
        let message = MessageRecord {
            id: note.id,
            code: note.code.into(),
            sender: note.user,
            username,
            content: "{}".to_owned(),
            create_time: note.time,
            update_time: note.time,
        };
        let envelope = envelope(&stream, true, message);
        if self.presences.send(stream, Audience::All, envelope).is_err() {
            tracing::warn!(group = %note.group, "A group was not told of its members live.");
        }
    }
}
