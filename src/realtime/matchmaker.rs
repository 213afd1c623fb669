//! The envelopes of the matchmaker, for sessions and for parties.

use std::rc::Rc;

use kakera_proto::realtime::{
    MatchmakerAdd, MatchmakerRemove, MatchmakerTicket, PartyMatchmakerAdd, PartyMatchmakerRemove,
    PartyMatchmakerTicket, envelope::Message,
};

use super::{
    Realtime,
    parties::{invalid, party, refused},
    reply::{refuse, reply},
};
use crate::{
    error::RealtimeCode,
    matchmaker::{MatchmakerError, Player, Seeker, Wanted},
    parties::{Answer, Seek},
    session::Session,
};

impl Realtime {
    pub(super) fn matchmaker_add(&self, session: &Rc<Session>, cid: String, add: MatchmakerAdd) {
        let wanted = match Wanted::read(add) {
            Ok(wanted) => wanted,
            Err(error) => return invalid(session, cid, &error.to_string()),
        };
        let identity = session.identity();
        let player = Player {
            session: session.id,
            user: identity.user,
            username: identity.username.clone(),
        };
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        self.matchmaker.add(player, wanted, move |added| {
            match added {
                Ok(ticket) => {
                    let ticket = MatchmakerTicket { ticket: ticket.to_string() };
                    reply(&this, cid, Some(Message::MatchmakerTicket(ticket)));
                }
                Err(error) => {
                    tracing::debug!(sid = %this.id, %error, "A ticket is refused.");
                    failed(&this, cid, "Error adding to matchmaker");
                }
            }
            drop(turn);
        });
    }

    pub(super) fn matchmaker_remove(
        &self,
        session: &Rc<Session>,
        cid: String,
        remove: &MatchmakerRemove,
    ) {
        if remove.ticket.is_empty() {
            return invalid(session, cid, "Invalid matchmaker ticket");
        }
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        self.matchmaker.remove(Seeker::Session(session.id), &remove.ticket, move |removed| {
            match removed {
                Ok(()) => reply(&this, cid, None),
                Err(MatchmakerError::TicketNotFound) => {
                    invalid(&this, cid, "Matchmaker ticket not found");
                }
                Err(_) => failed(&this, cid, "Error removing matchmaker ticket"),
            }
            drop(turn);
        });
    }

    pub(super) fn party_matchmaker_add(
        &self,
        session: &Rc<Session>,
        cid: String,
        mut add: PartyMatchmakerAdd,
    ) {
        let party_id = std::mem::take(&mut add.party_id);
        let wanted = match Wanted::read_party(add) {
            Ok(wanted) => wanted,
            Err(error) => return invalid(session, cid, &error.to_string()),
        };
        let Some(party) = party(session, &cid, &party_id) else { return };
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        self.parties.seek_others(session.slot, party, Seek::Add(wanted), move |answer| {
            match answer {
                Ok(Answer::Ticket(ticket)) => {
                    let ticket = PartyMatchmakerTicket { party_id, ticket: ticket.to_string() };
                    reply(&this, cid, Some(Message::PartyMatchmakerTicket(ticket)));
                }
                Ok(Answer::Done | Answer::Enter | Answer::TakeIn(_) | Answer::Requests(_)) => {
                    reply(&this, cid, None);
                }
                Err(error) => refused(&this, cid, "adding party to matchmaker", &error),
            }
            drop(turn);
        });
    }

    pub(super) fn party_matchmaker_remove(
        &self,
        session: &Rc<Session>,
        cid: String,
        remove: PartyMatchmakerRemove,
    ) {
        if remove.ticket.is_empty() {
            return invalid(session, cid, "Invalid matchmaker ticket");
        }
        let Some(party) = party(session, &cid, &remove.party_id) else { return };
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        let seek = Seek::Remove(remove.ticket.into());
        self.parties.seek_others(session.slot, party, seek, move |answer| {
            match answer {
                Ok(_) => reply(&this, cid, None),
                // The reference's words.
                Err(error) => refused(&this, cid, "closing party", &error),
            }
            drop(turn);
        });
    }
}

fn failed(session: &Session, cid: String, why: &str) {
    refuse(session, cid, RealtimeCode::RuntimeException, why);
}
