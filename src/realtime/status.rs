//! The envelopes of online status.

use std::rc::Rc;

use kakera_proto::realtime::{
    Status, StatusFollow, StatusUnfollow, StatusUpdate, envelope::Message,
};
use kakera_shards::runtime;

use super::{
    Realtime,
    reply::{refuse, reply},
};
use crate::{
    session::Session,
    status::{StatusError, Wanted},
};

impl Realtime {
    pub(super) fn status_follow(&self, session: &Rc<Session>, cid: String, follow: StatusFollow) {
        let me = session.identity();
        let wanted = match Wanted::read(me.user, &me.username, follow) {
            Ok(wanted) => wanted,
            Err(error) => return refused(session, cid, error),
        };
        if wanted.is_empty() {
            return reply(session, cid, Some(Message::Status(Status::default())));
        }
        let turn = session.begin_turn();
        let (this, session) = (self.clone(), Rc::clone(session));
        runtime::spawn("status_follow", async move {
            let users = match this.access.users(wanted).await {
                Ok(users) => users,
                Err(error) => {
                    tracing::warn!(sid = %session.id, %error, "Users to follow were not looked up.");
                    return refused(&session, cid, StatusError::Users);
                }
            };
            // The slot may be another session's by now.
            if !session.phase().speaks() {
                return;
            }
            let answered = Rc::clone(&session);
            this.statuses.follow(session.slot, &users, move |followed| {
                match followed {
                    Ok(status) => reply(&answered, cid, Some(Message::Status(status))),
                    Err(error) => refused(&answered, cid, error),
                }
                drop(turn);
            });
        });
    }

    pub(super) fn status_unfollow(
        &self,
        session: &Rc<Session>,
        cid: String,
        unfollow: &StatusUnfollow,
    ) {
        match self.statuses.unfollow(session.slot, unfollow) {
            Ok(()) => reply(session, cid, None),
            Err(error) => refused(session, cid, error),
        }
    }

    pub(super) fn status_update(&self, session: &Rc<Session>, cid: String, update: &StatusUpdate) {
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        self.statuses.update(session.slot, update.status.as_deref(), move |updated| {
            match updated {
                Ok(()) => reply(&this, cid, None),
                Err(error) => refused(&this, cid, error),
            }
            drop(turn);
        });
    }
}

fn refused(session: &Session, cid: String, error: StatusError) {
    refuse(session, cid, error.code(), error.to_string());
}
