//! The channel of a group, as far as members come and go there.

use kakera_shards::runtime;

use crate::{
    chat::{Chat, GroupEvent},
    ids::{GroupId, StreamId, UserId},
    presence::Presences,
    store::messages::GroupNote,
};

/// The channels of groups. Everything but [`Self::note`] is best effort.
pub trait GroupChannels {
    /// Prepares what the channel will tell of a member; nothing goes out yet.
    fn note(&self, group: GroupId, event: GroupEvent, user: UserId) -> GroupNote;

    /// Tells it to everybody on the channel.
    fn announce(&self, note: &GroupNote, username: String);

    /// Takes a user off the channel.
    fn remove(&self, group: GroupId, user: UserId);

    /// Takes everybody off the channel.
    fn close(&self, group: GroupId);
}

/// The channels of a running server.
pub struct LiveChannels {
    chat: Chat,
    presences: Presences,
}

impl LiveChannels {
    pub fn new(chat: Chat, presences: Presences) -> Self {
        Self { chat, presences }
    }
}

impl GroupChannels for LiveChannels {
    fn note(&self, group: GroupId, event: GroupEvent, user: UserId) -> GroupNote {
        self.chat.group_event(group, event, user)
    }

    fn announce(&self, note: &GroupNote, username: String) {
        self.chat.announce(note, username);
    }

    fn remove(&self, group: GroupId, user: UserId) {
        let removed = self.presences.remove_user(&StreamId::group(group), user);
        runtime::spawn("group channel", async move {
            if let Err(error) = removed.await {
                tracing::warn!(%error, %group, %user, "A user was not taken off a group's channel.");
            }
        });
    }

    fn close(&self, group: GroupId) {
        self.presences.close_stream(StreamId::group(group), move |closed| {
            if let Err(error) = closed {
                tracing::warn!(?error, %group, "The channel of a deleted group was not closed.");
            }
        });
    }
}
