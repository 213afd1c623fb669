//! Chat's calls, for sessions of this shard.

use std::{cell::Cell, rc::Rc};

use kakera_proto::realtime::{Channel, ChannelMessageAck, UserPresence};
use kakera_shards::{Clock, Rng};
use uuid::Uuid;

use super::{
    ChatError, Code, Draft, Target,
    draft::{check_content, message_uuid},
    stream_of,
};
use crate::{
    fanout::{Audience, Slot},
    ids::{StreamId, StreamMode, UserId},
    presence::{
        JoinError, JoinOptions, Joined, Member, Presences,
        wire::{self, ChannelNames, channel_id},
    },
};

/// What a join answers, and what else it brings about.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelJoined {
    pub channel: Channel,
    /// The other side of a direct message, who is not there and is to be notified. Only a session that
    /// was not on the channel before brings this about.
    pub invite: Option<UserId>,
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

    /// Checks a new message and prepares it for [`Self::publish`].
    pub fn draft_send(
        &self,
        slot: Slot,
        channel_id: &str,
        content: String,
    ) -> Result<Draft, ChatError> {
        let stream = stream_of(channel_id)?;
        check_content(&content)?;
        self.draft(slot, stream, "sending", Code::Chat, self.new_message_id(), content)
    }

    /// Checks a change of an earlier message and prepares it for [`Self::publish`].
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
        let draft = self.draft(slot, stream, "updating", Code::ChatUpdate, message_id, content)?;
        if draft.persistent { Err(ChatError::HistoryNotBuilt) } else { Ok(draft) }
    }

    /// Checks the removal of an earlier message and prepares it for [`Self::publish`].
    pub fn draft_remove(
        &self,
        slot: Slot,
        channel_id: &str,
        message_id: &str,
    ) -> Result<Draft, ChatError> {
        let message_id = message_uuid(message_id)?;
        let stream = stream_of(channel_id)?;
        let content = "{}".to_owned();
        let draft = self.draft(slot, stream, "removing", Code::ChatRemove, message_id, content)?;
        if draft.persistent { Err(ChatError::HistoryNotBuilt) } else { Ok(draft) }
    }

    /// Sends a message to everybody on its channel. `then` runs after it has left for them, so that the
    /// sender receives the message first and the acknowledgement second.
    pub fn publish(
        &self,
        draft: Draft,
        then: impl FnOnce(Result<ChannelMessageAck, ChatError>) + 'static,
    ) {
        let (ack, stream) = (draft.ack(), draft.stream.clone());
        self.presences.send_then(stream, Audience::All, draft.into_envelope(), move |sent| {
            then(sent.map(|_| ack).map_err(|_| ChatError::Busy));
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
        doing: &'static str,
        code: Code,
        message_id: Uuid,
        content: String,
    ) -> Result<Draft, ChatError> {
        let not_joined = ChatError::NotJoined(doing);
        let membership = self.presences.membership(slot, &stream).ok_or(not_joined)?;
        let member = self.presences.member(slot).ok_or(not_joined)?;
        let now = self.now_micros();
        Ok(Draft {
            stream,
            code,
            message_id,
            sender: member.user,
            username: member.username.to_string(),
            content,
            create_micros: now,
            update_micros: now,
            persistent: membership.persistence,
        })
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
    let other = if stream.subject == member.user.0 { stream.subcontext } else { stream.subject };
    let absent = !joined.presences.iter().any(|presence| presence.user.0 == other);
    let invites = joined.new && stream.mode == StreamMode::DIRECT && absent;
    ChannelJoined { channel, invite: invites.then_some(UserId(other)) }
}
