//! A channel message before it is sent: checked, numbered and stamped.

use kakera_proto::{
    Timestamp, api,
    realtime::{ChannelMessageAck, Envelope, envelope::Message},
};
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::ChatError;
use crate::{
    ids::{StreamId, UserId},
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

/// A message that may be stored and sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub stream: StreamId,
    pub code: Code,
    pub message_id: Uuid,
    pub sender: UserId,
    pub username: String,
    pub content: String,
    pub create_micros: i64,
    pub update_micros: i64,
    /// Whether it is meant for the channel's history, as the sender's join says.
    pub persistent: bool,
}

impl Draft {
    /// What the sender is answered.
    pub fn ack(&self) -> ChannelMessageAck {
        let names = ChannelNames::of(&self.stream);
        ChannelMessageAck {
            channel_id: channel_id(&self.stream),
            message_id: self.message_id.to_string(),
            code: Some(self.code as i32),
            username: self.username.clone(),
            create_time: Some(timestamp(self.create_micros)),
            update_time: Some(timestamp(self.update_micros)),
            persistent: Some(self.persistent),
            room_name: names.room_name,
            group_id: names.group_id,
            user_id_one: names.user_id_one,
            user_id_two: names.user_id_two,
        }
    }

    /// What everybody on the channel receives, the sender too.
    pub fn into_envelope(self) -> Envelope {
        let record = MessageRecord {
            id: self.message_id,
            code: self.code as i32,
            sender: self.sender,
            username: self.username,
            content: self.content,
            create_time: StoreTime(self.create_micros),
            update_time: StoreTime(self.update_micros),
        };
        let message = written(&self.stream, record, self.persistent);
        Envelope { cid: String::new(), message: Some(Message::ChannelMessage(message)) }
    }
}

/// A message as the protocol writes it.
pub(super) fn written(
    stream: &StreamId,
    record: MessageRecord,
    persistent: bool,
) -> api::ChannelMessage {
    let names = ChannelNames::of(stream);
    api::ChannelMessage {
        channel_id: channel_id(stream),
        message_id: record.id.to_string(),
        code: Some(record.code),
        sender_id: record.sender.to_string(),
        username: record.username,
        content: record.content,
        create_time: Some(timestamp(record.create_time.0)),
        update_time: Some(timestamp(record.update_time.0)),
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

fn timestamp(unix_micros: i64) -> Timestamp {
    Timestamp {
        seconds: unix_micros.div_euclid(1_000_000),
        nanos: (unix_micros.rem_euclid(1_000_000) * 1000) as i32,
    }
}
