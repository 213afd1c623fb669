//! The envelopes of matches.

use std::rc::Rc;

use kakera_proto::realtime::{
    Match, MatchCreate, MatchDataSend, MatchJoin, MatchLeave, envelope::Message, match_join,
};

use super::{
    Realtime,
    reply::{refuse, reply},
};
use crate::{
    matches::{MatchError, MatchRef},
    session::{Session, Turn},
};

impl Realtime {
    pub(super) fn match_create(&self, session: &Rc<Session>, cid: String, create: &MatchCreate) {
        let answer = answer(session, cid, session.begin_turn());
        self.matches.create(session.slot, &create.name, answer);
    }

    pub(super) fn match_join(&self, session: &Rc<Session>, cid: String, join: MatchJoin) {
        let (match_id, allow_empty) = match join.id {
            Some(match_join::Id::MatchId(id)) => (id, false),
            // Who holds a token of the matchmaker may be the first to arrive.
            Some(match_join::Id::Token(token)) => match self.match_tokens.match_id(&token) {
                Some(id) if MatchRef::read(&id).is_ok() => (id, true),
                Some(_) | None => return refused(session, cid, MatchError::Token),
            },
            None => return refused(session, cid, MatchError::IdMissing),
        };
        let answer = answer(session, cid, session.begin_turn());
        self.matches.join(session.slot, match_id, allow_empty, answer);
    }

    pub(super) fn match_leave(&self, session: &Rc<Session>, cid: String, leave: &MatchLeave) {
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        let answered = cid.clone();
        let left = self.matches.leave(session.slot, &leave.match_id, move || {
            reply(&this, answered, None);
            drop(turn);
        });
        if let Err(error) = left {
            refused(session, cid, error);
        }
    }

    /// Data is answered only where it is refused, and then without the `cid`, as clients expect who send
    /// it and do not wait.
    pub(super) fn match_data_send(&self, session: &Rc<Session>, sent: MatchDataSend) {
        let relayed = self.matches.data(session.slot, sent);
        if let Err(error) = relayed.and_then(|data| self.matches.relay(data)) {
            refused(session, String::new(), error);
        }
    }
}

fn answer(
    session: &Rc<Session>,
    cid: String,
    turn: Turn,
) -> impl FnOnce(Result<Match, MatchError>) + 'static {
    let session = Rc::clone(session);
    move |joined| {
        match joined {
            Ok(joined) => reply(&session, cid, Some(Message::Match(joined))),
            Err(error) => refused(&session, cid, error),
        }
        drop(turn);
    }
}

fn refused(session: &Session, cid: String, error: MatchError) {
    refuse(session, cid, error.code(), error.to_string());
}
