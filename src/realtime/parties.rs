//! The envelopes of parties.

use std::rc::Rc;

use kakera_proto::realtime::{
    PartyAccept, PartyClose, PartyCreate, PartyDataSend, PartyJoin, PartyJoinRequest,
    PartyJoinRequestList, PartyLeave, PartyPromote, PartyRemove, PartyUpdate, UserPresence,
    envelope::Message,
};

use super::{
    Realtime,
    reply::{refuse, reply},
};
use crate::{
    error::RealtimeCode,
    parties::{Answer, Ask, Named, PartyError, PartyRef},
    session::Session,
};

impl Realtime {
    pub(super) fn party_create(&self, session: &Rc<Session>, cid: String, create: PartyCreate) {
        if let Err(max) = self.parties.check_size(create.max_size) {
            let why = format!("Invalid party max size, must be 1-{max}");
            return refuse(session, cid, RealtimeCode::BadInput, why);
        }
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        self.parties.create(session.slot, create, move |created| {
            match created {
                Ok(party) => reply(&this, cid, Some(Message::Party(party))),
                Err(PartyError::Join) => {
                    broken(&this, cid, "Error tracking party creation");
                }
                Err(error) => refused(&this, cid, "creating party", &error),
            }
            drop(turn);
        });
    }

    pub(super) fn party_join(&self, session: &Rc<Session>, cid: String, join: &PartyJoin) {
        let Some(party) = party(session, &cid, &join.party_id) else { return };
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        self.parties.join(session.slot, party, move |joined| {
            match joined {
                Ok(()) => reply(&this, cid, None),
                Err(PartyError::Join) => broken(&this, cid, "Error tracking party join"),
                Err(error) => refused(&this, cid, "joining party", &error),
            }
            drop(turn);
        });
    }

    pub(super) fn party_leave(&self, session: &Rc<Session>, cid: String, leave: &PartyLeave) {
        let Some(party) = party(session, &cid, &leave.party_id) else { return };
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        self.parties.leave(session.slot, &party, move || {
            reply(&this, cid, None);
            drop(turn);
        });
    }

    pub(super) fn party_promote(&self, session: &Rc<Session>, cid: String, promote: PartyPromote) {
        let Some(named) = named(session, &cid, promote.presence) else { return };
        let Some(party) = party(session, &cid, &promote.party_id) else { return };
        self.ask_party(session, cid, (party, Ask::Promote(named)), "promoting new party leader");
    }

    pub(super) fn party_accept(&self, session: &Rc<Session>, cid: String, accept: PartyAccept) {
        let Some(named) = named(session, &cid, accept.presence) else { return };
        let Some(party) = party(session, &cid, &accept.party_id) else { return };
        self.ask_party(session, cid, (party, Ask::Accept(named)), "accepting party join request");
    }

    pub(super) fn party_remove(&self, session: &Rc<Session>, cid: String, remove: PartyRemove) {
        let Some(named) = named(session, &cid, remove.presence) else { return };
        let Some(party) = party(session, &cid, &remove.party_id) else { return };
        let doing = "removing party member or join request";
        self.ask_party(session, cid, (party, Ask::Remove(named)), doing);
    }

    pub(super) fn party_close(&self, session: &Rc<Session>, cid: String, close: &PartyClose) {
        let Some(party) = party(session, &cid, &close.party_id) else { return };
        self.ask_party(session, cid, (party, Ask::Close), "closing party");
    }

    pub(super) fn party_join_request_list(
        &self,
        session: &Rc<Session>,
        cid: String,
        list: PartyJoinRequestList,
    ) {
        let Some(party) = party(session, &cid, &list.party_id) else { return };
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        self.parties.ask(session.slot, party, Ask::Requests, move |answer| {
            match answer {
                Ok(Answer::Requests(presences)) => {
                    let requests = PartyJoinRequest { party_id: list.party_id, presences };
                    reply(&this, cid, Some(Message::PartyJoinRequest(requests)));
                }
                Ok(Answer::Done | Answer::Enter | Answer::TakeIn(_) | Answer::Ticket(_)) => {
                    reply(&this, cid, None);
                }
                Err(error) => refused(&this, cid, "listing party join requests", &error),
            }
            drop(turn);
        });
    }

    pub(super) fn party_data_send(&self, session: &Rc<Session>, cid: String, sent: PartyDataSend) {
        let Some(party) = party(session, &cid, &sent.party_id) else { return };
        let PartyDataSend { op_code, data, .. } = sent;
        self.ask_party(session, cid, (party, Ask::Data { op_code, data }), "sending party data");
    }

    pub(super) fn party_update(&self, session: &Rc<Session>, cid: String, update: PartyUpdate) {
        let Some(party) = party(session, &cid, &update.party_id) else { return };
        let PartyUpdate { label, open, hidden, .. } = update;
        let update = Ask::Update { label: label.into(), open, hidden };
        self.ask_party(session, cid, (party, update), "updating party");
    }

    /// Asks a party what is answered with no more than "done".
    fn ask_party(
        &self,
        session: &Rc<Session>,
        cid: String,
        (party, ask): (PartyRef, Ask),
        doing: &'static str,
    ) {
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        self.parties.ask(session.slot, party, ask, move |answer| {
            match answer {
                Ok(_) => reply(&this, cid, None),
                Err(error) => refused(&this, cid, doing, &error),
            }
            drop(turn);
        });
    }
}

/// The party that a client means; refuses what is none.
pub(super) fn party(session: &Session, cid: &str, id: &str) -> Option<PartyRef> {
    let party = PartyRef::read(id);
    if party.is_none() {
        invalid(session, cid.to_owned(), "Invalid party ID");
    }
    party
}

/// Whom a client means; refuses what leaves it open.
fn named(session: &Session, cid: &str, presence: Option<UserPresence>) -> Option<Named> {
    let named = Named::read(presence);
    if named.is_none() {
        invalid(session, cid.to_owned(), "Invalid presence");
    }
    named
}

pub(super) fn refused(session: &Session, cid: String, doing: &str, error: &PartyError) {
    refuse(session, cid, error.code(), format!("Error {doing}: {error}"));
}

pub(super) fn invalid(session: &Session, cid: String, why: &str) {
    refuse(session, cid, RealtimeCode::BadInput, why);
}

fn broken(session: &Session, cid: String, why: &str) {
    refuse(session, cid, RealtimeCode::RuntimeException, why);
}
