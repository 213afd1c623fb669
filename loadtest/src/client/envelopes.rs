//! What players say over sockets.

use std::collections::BTreeMap;

use kakera_proto::realtime::{
    ChannelJoin, ChannelLeave, ChannelMessageSend, MatchCreate, MatchDataSend, MatchJoin,
    MatchLeave, MatchmakerAdd, MatchmakerRemove, PartyClose, PartyCreate, PartyDataSend, PartyJoin,
    PartyLeave, PartyMatchmakerAdd, Ping, StatusFollow, StatusUnfollow, StatusUpdate, channel_join,
    envelope::Message, match_join,
};

pub fn ping() -> Message {
    Message::Ping(Ping {})
}

pub fn join_room(name: &str) -> Message {
    join_channel(name, channel_join::Type::Room)
}

pub fn join_direct(user: &str) -> Message {
    join_channel(user, channel_join::Type::DirectMessage)
}

/// Without history: what is measured is the realtime side.
fn join_channel(target: &str, kind: channel_join::Type) -> Message {
    Message::ChannelJoin(ChannelJoin {
        target: target.to_owned(),
        r#type: kind as i32,
        persistence: Some(false),
        hidden: Some(false),
    })
}

pub fn leave_channel(id: &str) -> Message {
    Message::ChannelLeave(ChannelLeave { channel_id: id.to_owned() })
}

pub fn channel_message(id: &str, content: String) -> Message {
    Message::ChannelMessageSend(ChannelMessageSend { channel_id: id.to_owned(), content })
}

pub fn create_match() -> Message {
    Message::MatchCreate(MatchCreate { name: String::new() })
}

pub fn join_match(id: &str) -> Message {
    let id = Some(match_join::Id::MatchId(id.to_owned()));
    Message::MatchJoin(MatchJoin { id, ..MatchJoin::default() })
}

/// Joins the match that a token of the matchmaker is for.
pub fn join_match_by_token(token: &str) -> Message {
    let id = Some(match_join::Id::Token(token.to_owned()));
    Message::MatchJoin(MatchJoin { id, ..MatchJoin::default() })
}

/// Looks for others, for a match of no fewer and no more than so many.
pub fn matchmaker_add(
    query: &str,
    (min_count, max_count): (i32, i32),
    properties: BTreeMap<String, String>,
) -> Message {
    Message::MatchmakerAdd(MatchmakerAdd {
        min_count,
        max_count,
        query: query.to_owned(),
        string_properties: properties,
        ..MatchmakerAdd::default()
    })
}

pub fn matchmaker_remove(ticket: &str) -> Message {
    Message::MatchmakerRemove(MatchmakerRemove { ticket: ticket.to_owned() })
}

/// Looks for others to play with the party.
pub fn party_matchmaker_add(id: &str, (min_count, max_count): (i32, i32)) -> Message {
    Message::PartyMatchmakerAdd(PartyMatchmakerAdd {
        party_id: id.to_owned(),
        min_count,
        max_count,
        ..PartyMatchmakerAdd::default()
    })
}

pub fn leave_match(id: &str) -> Message {
    Message::MatchLeave(MatchLeave { match_id: id.to_owned() })
}

pub fn match_data(id: &str, data: Vec<u8>) -> Message {
    Message::MatchDataSend(MatchDataSend {
        match_id: id.to_owned(),
        op_code: 1,
        data: data.into(),
        reliable: true,
        ..MatchDataSend::default()
    })
}

pub fn create_party(open: bool) -> Message {
    Message::PartyCreate(PartyCreate { open, max_size: 8, ..PartyCreate::default() })
}

pub fn join_party(id: &str) -> Message {
    Message::PartyJoin(PartyJoin { party_id: id.to_owned() })
}

pub fn leave_party(id: &str) -> Message {
    Message::PartyLeave(PartyLeave { party_id: id.to_owned() })
}

pub fn close_party(id: &str) -> Message {
    Message::PartyClose(PartyClose { party_id: id.to_owned() })
}

pub fn party_data(id: &str, data: Vec<u8>) -> Message {
    Message::PartyDataSend(PartyDataSend { party_id: id.to_owned(), op_code: 1, data: data.into() })
}

pub fn follow(user: &str) -> Message {
    Message::StatusFollow(StatusFollow { user_ids: vec![user.to_owned()], usernames: Vec::new() })
}

pub fn unfollow(user: &str) -> Message {
    Message::StatusUnfollow(StatusUnfollow { user_ids: vec![user.to_owned()] })
}

/// No status means to appear offline.
pub fn status(status: Option<String>) -> Message {
    Message::StatusUpdate(StatusUpdate { status })
}
