//! Chat's calls, for sessions of this shard.

use std::{cell::Cell, collections::BTreeMap, rc::Rc};

use kakera_proto::realtime::{Channel, ChannelMessageAck, UserPresence};
use kakera_shards::{Clock, Rng};
use uuid::Uuid;

use super::{
    ChatError, Deed, Draft, Target,
    draft::{check_content, message_uuid},
    stream_of,
};
use crate::{
    fanout::{Audience, Slot},
    ids::{StreamId, StreamMode, UserId},
    notifications::{Notice, codes},
    presence::{
        JoinError, JoinOptions, Joined, Member, Presences,
        wire::{self, ChannelNames, channel_id},
    },
    store::{Timestamp, messages::MessageRecord},
};

/// What a join answers, and what else it brings about.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelJoined {
    pub channel: Channel,
    /// What the other side of a direct message is to be told, who is not there. Only a session that was
    /// not on the channel before brings this about.
    pub invite: Option<(UserId, Notice)>,
}

/// See the module's description. Clones are the same.
#[derive(Clone)]
pub struct Chat {
    pub(super) presences: Presences,
    clock: Clock,
    rng: Rng,
    /// The time of the last message.
    last_micros: Rc<Cell<i64>>,
}

impl Chat {
    pub fn new(presences: Presences, clock: Clock, rng: Rng) -> Self {
        Self { presences, clock, rng, last_micros: Rc::default() }
    }

    /// Joins a channel to which the session has access. `then` runs when the session is a member; the
    /// reply has to be queued there.
    pub fn join(
        &self,
        slot: Slot,
        target: &Target,
        hidden: bool,
        persistence: bool,
        then: impl FnOnce(Result<ChannelJoined, ChatError>) + 'static,
    ) {
        let Some(member) = self.presences.member(slot) else {
            return then(Err(ChatError::Join(JoinError::Left)));
        };
        let stream = target.stream.clone();
        let options = JoinOptions { hidden, persistence, ..JoinOptions::default() };
        self.presences.join(slot, &target.stream, options, move |joined| {
            then(match joined {
                Ok(joined) => Ok(channel_joined(&stream, &member, persistence, &joined)),
                Err(error) => Err(ChatError::Join(error)),
            });
        });
    }

    /// Leaves a channel; `then` runs when the others no longer see the session there.
    pub fn leave(
        &self,
        slot: Slot,
        channel_id: &str,
        then: impl FnOnce() + 'static,
    ) -> Result<(), ChatError> {
        self.presences.leave(slot, &stream_of(channel_id)?, then);
        Ok(())
    }

    /// Checks a new message and prepares it for [`super::History::keep`] and [`Self::publish`].
    pub fn draft_send(
        &self,
        slot: Slot,
        channel_id: &str,
        content: String,
    ) -> Result<Draft, ChatError> {
        let stream = stream_of(channel_id)?;
        check_content(&content)?;
        self.draft(slot, stream, Deed::Send, self.new_message_id(), content)
    }

    /// Checks a change of an earlier message and prepares it for [`super::History::keep`] and [`Self::publish`].
    pub fn draft_update(
        &self,
        slot: Slot,
        channel_id: &str,
        message_id: &str,
        content: String,
    ) -> Result<Draft, ChatError> {
        let message_id = message_uuid(message_id)?;
        let stream = stream_of(channel_id)?;
        check_content(&content)?;
        self.draft(slot, stream, Deed::Update, message_id, content)
    }

    /// Checks the removal of an earlier message and prepares it for [`super::History::keep`] and [`Self::publish`].
    pub fn draft_remove(
        &self,
        slot: Slot,
        channel_id: &str,
        message_id: &str,
    ) -> Result<Draft, ChatError> {
        let message_id = message_uuid(message_id)?;
        let stream = stream_of(channel_id)?;
        let content = "{}".to_owned();
        self.draft(slot, stream, Deed::Remove, message_id, content)
    }

    /// Sends a message, kept already where it is meant to be, to everybody on its channel. `then` runs
    /// after it has left for them, so that the sender receives the message first and the acknowledgement
    /// second. A message that was kept is acknowledged also where the channel's owner is too busy to send
    /// it: the sender is not to write it once more.
    pub fn publish(
        &self,
        draft: Draft,
        then: impl FnOnce(Result<ChannelMessageAck, ChatError>) + 'static,
    ) {
        let (ack, stream, kept) = (draft.ack(), draft.stream.clone(), draft.persistent);
        self.presences.send_then(stream, Audience::All, draft.into_envelope(), move |sent| {
            if sent.is_err() {
                tracing::warn!(channel_id = %ack.channel_id, "A message was not sent live.");
            }
            then(if sent.is_ok() || kept { Ok(ack) } else { Err(ChatError::Busy) });
        });
    }

    pub(super) fn new_message_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.bytes_16()).into_uuid()
    }

    /// The time of a new message. No two of a shard have the same, for the history is ordered by it.
    pub(super) fn now_micros(&self) -> i64 {
        let now = self.clock.unix_micros().max(self.last_micros.get().saturating_add(1));
        self.last_micros.set(now);
        now
    }

    fn draft(
        &self,
        slot: Slot,
        stream: StreamId,
        deed: Deed,
        message_id: Uuid,
        content: String,
    ) -> Result<Draft, ChatError> {
        let not_joined = ChatError::NotJoined(deed);
        let membership = self.presences.membership(slot, &stream).ok_or(not_joined)?;
        let member = self.presences.member(slot).ok_or(not_joined)?;
        let now = Timestamp(self.now_micros());
        let message = MessageRecord {
            id: message_id,
            code: deed.code() as i32,
            sender: member.user,
            username: member.username.to_string(),
            content,
            create_time: now,
            update_time: now,
        };
        Ok(Draft { stream, deed, message, persistent: membership.persistence })
    }
}

fn channel_joined(
    stream: &StreamId,
    member: &Member,
    persistence: bool,
    joined: &Joined,
) -> ChannelJoined {
    let presences = joined.presences.iter().map(|presence| wire::user_presence(presence)).collect();
    let names = ChannelNames::of(stream);
    let channel = Channel {
        id: channel_id(stream),
        presences,
        self_: Some(UserPresence {
            user_id: member.user.to_string(),
            session_id: member.session.to_string(),
            username: member.username.to_string(),
            persistence,
            status: None,
        }),
        room_name: names.room_name,
        group_id: names.group_id,
        user_id_one: names.user_id_one,
        user_id_two: names.user_id_two,
    };
    ChannelJoined { channel, invite: joined.new.then(|| invite(stream, member, joined)).flatten() }
}

fn invite(stream: &StreamId, member: &Member, joined: &Joined) -> Option<(UserId, Notice)> {
    let me = member.user;
    let other = if stream.subject == me.0 { stream.subcontext } else { stream.subject };
    let there = joined.presences.iter().any(|presence| presence.user.0 == other);
    if stream.mode != StreamMode::DIRECT || there || other == me.0 {
        return None;
    }
    let subject = format!("{} wants to chat", member.username);
    let content = BTreeMap::from([("username", &*member.username)]);
    // Names are short enough for a subject.
    let notice = Notice::stored(codes::DM_REQUEST, subject, &content, Some(me)).ok()?;
    Some((UserId(other), notice))
}
