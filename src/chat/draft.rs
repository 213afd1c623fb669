//! A channel message before it is sent: checked, numbered and stamped.

use kakera_proto::{
    Timestamp, api,
    realtime::{ChannelMessageAck, Envelope, envelope::Message},
};
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::ChatError;
use crate::{
    ids::StreamId,
    presence::wire::{ChannelNames, channel_id},
    store::{Timestamp as StoreTime, messages::MessageRecord},
};

/// What a channel message is about, by the protocol's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    Chat = 0,
    ChatUpdate = 1,
    ChatRemove = 2,
    GroupJoin = 3,
    GroupAdd = 4,
    GroupLeave = 5,
    GroupKick = 6,
    GroupPromote = 7,
    GroupBan = 8,
    GroupDemote = 9,
}

/// What a client does to a channel's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Send,
    Update,
    Remove,
}

impl Deed {
    pub fn code(self) -> Code {
        match self {
            Self::Send => Code::Chat,
            Self::Update => Code::ChatUpdate,
            Self::Remove => Code::ChatRemove,
        }
    }

    pub(super) fn doing(self) -> &'static str {
        match self {
            Self::Send => "sending",
            Self::Update => "updating",
            Self::Remove => "removing",
        }
    }

    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Update => "update",
            Self::Remove => "remove",
        }
    }

    pub(super) fn object(self) -> &'static str {
        match self {
            Self::Send => "message",
            Self::Update => "message update",
            Self::Remove => "message remove",
        }
    }
}

/// A message that may be stored and sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub stream: StreamId,
    pub deed: Deed,
    pub message: MessageRecord,
    /// Whether it is meant for the channel's history, as the sender's join says.
    pub persistent: bool,
}

impl Draft {
    /// What the sender is answered.
    pub fn ack(&self) -> ChannelMessageAck {
        let Self { stream, message, persistent, .. } = self;
        let names = ChannelNames::of(stream);
        ChannelMessageAck {
            channel_id: channel_id(stream),
            message_id: message.id.to_string(),
            code: Some(message.code),
            username: message.username.clone(),
            create_time: Some(timestamp(message.create_time)),
            update_time: Some(timestamp(message.update_time)),
            persistent: Some(*persistent),
            room_name: names.room_name,
            group_id: names.group_id,
            user_id_one: names.user_id_one,
            user_id_two: names.user_id_two,
        }
    }

    /// What everybody on the channel receives, the sender too.
    pub fn into_envelope(self) -> Envelope {
        envelope(&self.stream, self.persistent, self.message)
    }
}

/// The envelope with which a channel's sessions receive a message.
pub(super) fn envelope(stream: &StreamId, persistent: bool, message: MessageRecord) -> Envelope {
    let message = Message::ChannelMessage(written(stream, persistent, message));
    Envelope { cid: String::new(), message: Some(message) }
}

/// A message as the protocol writes it.
pub(super) fn written(
    stream: &StreamId,
    persistent: bool,
    message: MessageRecord,
) -> api::ChannelMessage {
    let names = ChannelNames::of(stream);
    api::ChannelMessage {
        channel_id: channel_id(stream),
        message_id: message.id.to_string(),
        code: Some(message.code),
        sender_id: message.sender.to_string(),
        username: message.username,
        content: message.content,
        create_time: Some(timestamp(message.create_time)),
        update_time: Some(timestamp(message.update_time)),
        persistent: Some(persistent),
        room_name: names.room_name,
        group_id: names.group_id,
        user_id_one: names.user_id_one,
        user_id_two: names.user_id_two,
    }
}

/// Reads a message's id.
pub(super) fn message_uuid(text: &str) -> Result<Uuid, ChatError> {
    Uuid::parse_str(text).map_err(|_| ChatError::MessageId)
}

/// Content is the text of a JSON object; what is in it is the clients' affair.
pub(super) fn check_content(content: &str) -> Result<(), ChatError> {
    let object = content.trim_ascii_start().starts_with('{')
        && serde_json::from_str::<IgnoredAny>(content).is_ok();
    if object { Ok(()) } else { Err(ChatError::Content) }
}

fn timestamp(StoreTime(micros): StoreTime) -> Timestamp {
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: (micros.rem_euclid(1_000_000) * 1000) as i32,
    }
}
