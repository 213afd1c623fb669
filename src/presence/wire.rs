//! Presences and streams as the protocol writes them.

use std::fmt::Write;

use kakera_proto::realtime::{
    ChannelPresenceEvent, Envelope, MatchPresenceEvent, PartyPresenceEvent, StatusPresenceEvent,
    Stream, StreamPresenceEvent, UserPresence, envelope::Message,
};
use uuid::Uuid;

use super::{Presence, StreamEvent};
use crate::ids::{StreamId, StreamMode};

/// The text of an id, or nothing for the nil one.
pub fn id_text(id: Uuid) -> String {
    if id.is_nil() { String::new() } else { id.to_string() }
}

/// The id of a chat channel: mode, subject, subcontext and label, parted by dots, nil ids left out.
pub fn channel_id(stream: &StreamId) -> String {
    let mut text = String::with_capacity(80 + stream.label().len());
    let mode = stream.mode.to_wire().unwrap_or_default();
    let (subject, subcontext) = (id_text(stream.subject), id_text(stream.subcontext));
    // Writing to a String does not fail.
    let _ = write!(text, "{mode}.{subject}.{subcontext}.{}", stream.label());
    text
}

/// The id of a match or a party: its UUID, a dot, and the name of its node where it has one.
pub fn homed_id(stream: &StreamId) -> String {
    format!("{}.{}", stream.subject, stream.label())
}

/// A presence as others see it on channels, parties and custom streams.
pub fn user_presence(presence: &Presence) -> UserPresence {
    UserPresence {
        user_id: presence.user.to_string(),
        session_id: presence.session.to_string(),
        username: presence.username.to_string(),
        persistence: presence.persistence,
        status: None,
    }
}

/// A presence as followers see it.
pub fn status_presence(presence: &Presence) -> UserPresence {
    let status = presence.status.as_deref().unwrap_or_default().to_owned();
    UserPresence { status: Some(status), ..user_presence(presence) }
}

/// A stream as scripts and custom stream events name it.
pub fn stream(stream: &StreamId) -> Stream {
    Stream {
        mode: stream.mode.to_wire().map_or(0, i32::from),
        subject: id_text(stream.subject),
        subcontext: id_text(stream.subcontext),
        label: stream.label().to_owned(),
    }
}

/// The envelope that tells of an event.
pub fn presence_event(event: &StreamEvent) -> Envelope {
    let one = if event.stream.mode == StreamMode::STATUS { status_presence } else { user_presence };
    let joins = event.joins.iter().map(|presence| one(presence)).collect();
    let leaves = event.leaves.iter().map(|left| one(&left.presence)).collect();
    let id = &event.stream;
    let message = match id.mode {
        StreamMode::STATUS => Message::StatusPresenceEvent(StatusPresenceEvent { joins, leaves }),
        StreamMode::ROOM | StreamMode::GROUP | StreamMode::DIRECT => {
            let names = ChannelNames::of(id);
            Message::ChannelPresenceEvent(ChannelPresenceEvent {
                channel_id: channel_id(id),
                joins,
                leaves,
                room_name: names.room_name,
                group_id: names.group_id,
                user_id_one: names.user_id_one,
                user_id_two: names.user_id_two,
            })
        }
        StreamMode::MATCH_RELAYED | StreamMode::MATCH_AUTHORITATIVE => {
            let match_id = homed_id(id);
            Message::MatchPresenceEvent(MatchPresenceEvent { match_id, joins, leaves })
        }
        StreamMode::PARTY => {
            let party_id = homed_id(id);
            Message::PartyPresenceEvent(PartyPresenceEvent { party_id, joins, leaves })
        }
        _ => Message::StreamPresenceEvent(StreamPresenceEvent {
            stream: Some(stream(id)),
            joins,
            leaves,
        }),
    };
    Envelope { cid: String::new(), message: Some(message) }
}

/// The fields with which several messages say what kind of channel they speak of; one kind is filled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelNames {
    pub room_name: String,
    pub group_id: String,
    pub user_id_one: String,
    pub user_id_two: String,
}

impl ChannelNames {
    pub fn of(stream: &StreamId) -> Self {
        let mut names = Self::default();
        match stream.mode {
            StreamMode::ROOM => stream.label().clone_into(&mut names.room_name),
            StreamMode::GROUP => names.group_id = id_text(stream.subject),
            StreamMode::DIRECT => {
                names.user_id_one = id_text(stream.subject);
                names.user_id_two = id_text(stream.subcontext);
            }
            _ => {}
        }
        names
    }
}
