//! One place that says for each envelope what is done with it.

use std::rc::Rc;

use kakera_proto::realtime::{Envelope, Pong, envelope::Message};

use super::{
    Realtime, codec,
    reply::{fail, refuse, reply},
    rpc,
};
use crate::{
    error::{Error, ErrorKind, RealtimeCode},
    session::{CloseCause, Dispatch, Session},
};

impl Dispatch for Realtime {
    fn payload(&self, session: &Rc<Session>, payload: &[u8]) {
        let envelope = match codec::decode(session.format, payload) {
            Ok(envelope) => envelope,
            Err(error) => {
                tracing::debug!(sid = %session.id, %error, "Malformed message.");
                return session.close_in_turn(CloseCause::Malformed);
            }
        };
        match envelope.message {
            // These never wait for what came before them.
            Some(Message::Ping(_) | Message::Pong(_)) => self.envelope(session, envelope),
            _ => session.take_turn(envelope),
        }
    }

    fn refuse(&self, session: &Rc<Session>, payload: &[u8]) {
        match codec::decode(session.format, payload) {
            Ok(envelope) => fail(session, envelope.cid, &too_many()),
            Err(_) => session.close_in_turn(CloseCause::Malformed),
        }
    }

    fn envelope(&self, session: &Rc<Session>, Envelope { cid, message }: Envelope) {
        match message {
            Some(Message::Ping(_)) => reply(session, cid, Some(Message::Pong(Pong {}))),
            Some(Message::Pong(_)) => {}
            Some(Message::Rpc(call)) => rpc::call(session, cid, &call),
            Some(Message::ChannelJoin(join)) => self.channel_join(session, cid, &join),
            Some(Message::ChannelLeave(leave)) => self.channel_leave(session, cid, &leave),
            Some(Message::ChannelMessageSend(send)) => {
                self.channel_message_send(session, cid, send);
            }
            Some(Message::ChannelMessageUpdate(update)) => {
                self.channel_message_update(session, cid, update);
            }
            Some(Message::ChannelMessageRemove(remove)) => {
                self.channel_message_remove(session, cid, &remove);
            }
            Some(Message::MatchCreate(create)) => self.match_create(session, cid, &create),
            Some(Message::MatchJoin(join)) => self.match_join(session, cid, join),
            Some(Message::MatchLeave(leave)) => self.match_leave(session, cid, &leave),
            Some(Message::MatchDataSend(sent)) => self.match_data_send(session, sent),
            Some(Message::StatusFollow(follow)) => self.status_follow(session, cid, follow),
            Some(Message::StatusUnfollow(unfollow)) => {
                self.status_unfollow(session, cid, &unfollow);
            }
            Some(Message::StatusUpdate(update)) => self.status_update(session, cid, &update),
            Some(Message::MatchmakerAdd(add)) => self.matchmaker_add(session, cid, add),
            Some(Message::MatchmakerRemove(remove)) => {
                self.matchmaker_remove(session, cid, &remove);
            }
            Some(Message::PartyMatchmakerAdd(add)) => {
                self.party_matchmaker_add(session, cid, add);
            }
            Some(Message::PartyMatchmakerRemove(remove)) => {
                self.party_matchmaker_remove(session, cid, remove);
            }
            Some(Message::PartyCreate(create)) => self.party_create(session, cid, create),
            Some(Message::PartyJoin(join)) => self.party_join(session, cid, &join),
            Some(Message::PartyLeave(leave)) => self.party_leave(session, cid, &leave),
            Some(Message::PartyPromote(promote)) => self.party_promote(session, cid, promote),
            Some(Message::PartyAccept(accept)) => self.party_accept(session, cid, accept),
            Some(Message::PartyRemove(remove)) => self.party_remove(session, cid, remove),
            Some(Message::PartyClose(close)) => self.party_close(session, cid, &close),
            Some(Message::PartyJoinRequestList(list)) => {
                self.party_join_request_list(session, cid, list);
            }
            Some(Message::PartyDataSend(sent)) => self.party_data_send(session, cid, sent),
            Some(Message::PartyUpdate(update)) => self.party_update(session, cid, update),
            None => costly(session, cid, RealtimeCode::MissingPayload, "Missing message."),
            // What only servers send.
            Some(
                Message::Channel(_)
                | Message::ChannelMessage(_)
                | Message::ChannelMessageAck(_)
                | Message::ChannelPresenceEvent(_)
                | Message::Error(_)
                | Message::Match(_)
                | Message::MatchData(_)
                | Message::MatchPresenceEvent(_)
                | Message::MatchmakerMatched(_)
                | Message::MatchmakerTicket(_)
                | Message::Notifications(_)
                | Message::Status(_)
                | Message::StatusPresenceEvent(_)
                | Message::StreamData(_)
                | Message::StreamPresenceEvent(_)
                | Message::Party(_)
                | Message::PartyLeader(_)
                | Message::PartyJoinRequest(_)
                | Message::PartyMatchmakerTicket(_)
                | Message::PartyData(_)
                | Message::PartyPresenceEvent(_),
            ) => costly(session, cid, RealtimeCode::UnrecognizedPayload, "Unrecognized message."),
        }
    }
}

/// Tells a client what was wrong with its envelope, and ends its session.
fn costly(session: &Session, cid: String, code: RealtimeCode, why: &str) {
    refuse(session, cid, code, why);
    session.close(CloseCause::Unprocessable);
}

fn too_many() -> Error {
    Error::new(ErrorKind::ResourceExhausted, "Too many messages, try again later.")
}
