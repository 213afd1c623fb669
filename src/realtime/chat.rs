//! Chat's envelopes.

use std::rc::Rc;

use kakera_proto::realtime::{
    ChannelJoin, ChannelLeave, ChannelMessageAck, ChannelMessageRemove, ChannelMessageSend,
    ChannelMessageUpdate, envelope::Message,
};
use kakera_shards::runtime;

use super::{
    Realtime,
    reply::{refuse, reply},
};
use crate::{
    chat::{Access, ChannelJoined, ChatError, Draft, History, Target},
    ids::UserId,
    notifications::Notice,
    session::{Session, Turn},
};

impl Realtime {
    pub(super) fn channel_join(&self, session: &Rc<Session>, cid: String, join: &ChannelJoin) {
        let me = session.identity().user;
        let target = match Target::read(me, &join.target, join.r#type) {
            Ok(target) => target,
            Err(error) => return refused(session, cid, error),
        };
        let hidden = join.hidden.unwrap_or(false);
        let persistence = join.persistence.unwrap_or(true);
        let turn = session.begin_turn();
        match target.access {
            Access::Open => self.enter(session, cid, turn, (&target, hidden, persistence)),
            Access::User(_) | Access::Group(_) => {
                let (this, session) = (self.clone(), Rc::clone(session));
                runtime::spawn("channel_join", async move {
                    let allowed = this.access.channel(me, target.access).await;
                    // The slot may be another session's by now.
                    if !session.phase().speaks() {
                        return;
                    }
                    match allowed {
                        Ok(()) => this.enter(&session, cid, turn, (&target, hidden, persistence)),
                        Err(error) => refused(&session, cid, error),
                    }
                });
            }
        }
    }

    fn enter(
        &self,
        session: &Rc<Session>,
        cid: String,
        turn: Turn,
        (target, hidden, persistence): (&Target, bool, bool),
    ) {
        let (this, access) = (self.clone(), target.access);
        let entering = Rc::clone(session);
        self.chat.join(session.slot, target, hidden, persistence, move |joined| match joined {
            Ok(ChannelJoined { channel, invite }) => {
                let id = channel.id.clone();
                reply(&entering, cid, Some(Message::Channel(channel)));
                match (invite, access) {
                    (Some(invite), _) => this.invite(invite, turn),
                    (None, Access::Group(_)) => this.confirm(entering, id, access, turn),
                    (None, Access::Open | Access::User(_)) => drop(turn),
                }
            }
            Err(error) => refused(&entering, cid, error),
        });
    }

    /// Asks once more whether the session may be on a group's channel, now that it is there. Who is taken
    /// out of the group is taken off its channel after that; one who joins in between is not found there.
    fn confirm(&self, session: Rc<Session>, channel_id: String, access: Access, turn: Turn) {
        let this = self.clone();
        runtime::spawn("channel_confirm", async move {
            let allowed = this.access.channel(session.identity().user, access).await;
            if allowed == Err(ChatError::GroupNotFound) && session.phase().speaks() {
                // Its id was just made from the channel.
                let _ = this.chat.leave(session.slot, &channel_id, move || drop(turn));
            }
        });
    }

    /// Tells who is meant by a direct message. The session goes on when that is stored.
    fn invite(&self, invite: (UserId, Notice), turn: Turn) {
        let notifications = self.notifications.clone();
        runtime::spawn("channel_invite", async move {
            if let Err(error) = notifications.send(&[invite]).await {
                tracing::warn!(%error, "A user was not told of a direct message.");
            }
            drop(turn);
        });
    }

    pub(super) fn channel_leave(&self, session: &Rc<Session>, cid: String, leave: &ChannelLeave) {
        let turn = session.begin_turn();
        let this = Rc::clone(session);
        let answered = cid.clone();
        let left = self.chat.leave(session.slot, &leave.channel_id, move || {
            reply(&this, answered, None);
            drop(turn);
        });
        if let Err(error) = left {
            refused(session, cid, error);
        }
    }

    pub(super) fn channel_message_send(
        &self,
        session: &Rc<Session>,
        cid: String,
        send: ChannelMessageSend,
    ) {
        let draft = self.chat.draft_send(session.slot, &send.channel_id, send.content);
        self.publish(session, cid, draft);
    }

    pub(super) fn channel_message_update(
        &self,
        session: &Rc<Session>,
        cid: String,
        update: ChannelMessageUpdate,
    ) {
        let ChannelMessageUpdate { channel_id, message_id, content } = update;
        let draft = self.chat.draft_update(session.slot, &channel_id, &message_id, content);
        self.publish(session, cid, draft);
    }

    pub(super) fn channel_message_remove(
        &self,
        session: &Rc<Session>,
        cid: String,
        remove: &ChannelMessageRemove,
    ) {
        let ChannelMessageRemove { channel_id, message_id } = remove;
        let draft = self.chat.draft_remove(session.slot, channel_id, message_id);
        self.publish(session, cid, draft);
    }

    fn publish(&self, session: &Rc<Session>, cid: String, draft: Result<Draft, ChatError>) {
        let draft = match draft {
            Ok(draft) => draft,
            Err(error) => return refused(session, cid, error),
        };
        let turn = session.begin_turn();
        if !History::concerns(&draft) {
            return self.send(session, cid, turn, draft);
        }
        let (this, session) = (self.clone(), Rc::clone(session));
        // What is kept is sent, also where its sender is gone by then.
        runtime::spawn("channel_message", async move {
            match this.history.keep(draft).await {
                Ok(draft) => this.send(&session, cid, turn, draft),
                Err(error) => refused(&session, cid, error),
            }
        });
    }

    fn send(&self, session: &Rc<Session>, cid: String, turn: Turn, draft: Draft) {
        let session = Rc::clone(session);
        self.chat.publish(draft, move |sent: Result<ChannelMessageAck, ChatError>| {
            match sent {
                Ok(ack) => reply(&session, cid, Some(Message::ChannelMessageAck(ack))),
                Err(error) => refused(&session, cid, error),
            }
            drop(turn);
        });
    }
}

fn refused(session: &Session, cid: String, error: ChatError) {
    refuse(session, cid, error.code(), error.to_string());
}
