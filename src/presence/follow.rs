//! Following the status of users, who are spread over the shards that keep them.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use kakera_shards::Address;

use super::{
    Entry, Follow, Join, JoinError, JoinOptions, PostError, Presence, Presences, Reason, Reply,
    Request, hold::Mark,
};
use crate::{
    fanout::Slot,
    ids::{SessionId, StreamId, UserId},
};

/// A follow whose owners have not all answered.
struct Asked<F> {
    slot: Slot,
    session: SessionId,
    waiting: usize,
    presences: Vec<Arc<Presence>>,
    marks: Vec<Mark>,
    failed: bool,
    /// Users whom the session did not follow before, to be let go of if an owner does not answer.
    new: Vec<StreamId>,
    then: Option<F>,
}

impl Presences {
    /// Lets a session follow users, and tells who of them is online and how. `then` runs when the session
    /// follows all of them, or none that it did not follow before; a reply that it queues leaves before
    /// any event of these users does. With an error it may run before this returns.
    pub fn follow<F>(&self, slot: Slot, users: &[UserId], then: F)
    where
        F: FnOnce(Result<Vec<Arc<Presence>>, JoinError>) + 'static,
    {
        let begun = self.begin_follow(slot, users);
        let (joins, new) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                self.0.counters.refused_here(error);
                return then(Err(error));
            }
        };
        let Some(session) = self.member(slot).map(|member| member.session) else {
            return then(Err(JoinError::Left));
        };
        let mut by_owner: Vec<(Address, Vec<Join>)> = Vec::new();
        for join in joins {
            let owner = self.0.post.owner_of(&join.stream);
            match by_owner.iter_mut().find(|(address, _)| *address == owner) {
                Some((_, batch)) => batch.push(join),
                None => by_owner.push((owner, vec![join])),
            }
        }
        if by_owner.is_empty() {
            return then(Ok(Vec::new()));
        }
        self.0.holds.borrow_mut().begin(slot);
        let asked = Rc::new(RefCell::new(Asked {
            slot,
            session,
            waiting: by_owner.len(),
            presences: Vec::new(),
            marks: Vec::new(),
            failed: false,
            new,
            then: Some(then),
        }));
        for (owner, batch) in by_owner {
            let joins = batch
                .iter()
                .map(|join| (UserId(join.stream.subject), Arc::clone(&join.presence)))
                .collect();
            let request = Request::Follow(Box::new(Follow { joins }));
            let (this, asked) = (self.clone(), Rc::clone(&asked));
            let answered = move |answer| this.followed(&batch, &asked, answer);
            self.0.post.call(owner, request, Box::new(answered));
        }
    }

    /// The session follows these users no more; nothing of theirs is delivered from here on.
    pub fn unfollow(&self, slot: Slot, users: &[UserId]) {
        let streams = users.iter().map(|user| StreamId::followers(*user));
        let leaves = {
            let mut home = self.0.home.borrow_mut();
            streams.filter_map(|stream| home.leave(slot, &stream)).collect()
        };
        self.tell(leaves);
    }

    /// Which of the users appear online, in no promised order.
    pub fn online(
        &self,
        users: &[UserId],
        then: impl FnOnce(Result<Vec<UserId>, PostError>) + 'static,
    ) {
        let mut by_owner: Vec<(Address, Vec<UserId>)> = Vec::new();
        for user in users {
            let owner = self.0.post.owner_of_user(*user);
            match by_owner.iter_mut().find(|(address, _)| *address == owner) {
                Some((_, batch)) => batch.push(*user),
                None => by_owner.push((owner, vec![*user])),
            }
        }
        if by_owner.is_empty() {
            return then(Ok(Vec::new()));
        }
        let gathered = Rc::new(RefCell::new((by_owner.len(), Ok(Vec::new()), Some(then))));
        for (owner, batch) in by_owner {
            let gathered = Rc::clone(&gathered);
            let answered = move |answer| {
                let mut state = gathered.borrow_mut();
                state.0 -= 1;
                match (answer, &mut state.1) {
                    (Ok(Reply::Online(some)), Ok(all)) => all.extend(some),
                    (Ok(_), all) => *all = Err(PostError::Refused),
                    (Err(error), all) => *all = Err(error),
                }
                if state.0 == 0
                    && let Some(then) = state.2.take()
                {
                    let all = std::mem::replace(&mut state.1, Ok(Vec::new()));
                    drop(state);
                    then(all);
                }
            };
            self.0.post.call(owner, Request::Online(batch), Box::new(answered));
        }
    }

    /// Notes the follows; on an error none of them is.
    fn begin_follow(
        &self,
        slot: Slot,
        users: &[UserId],
    ) -> Result<(Vec<Join>, Vec<StreamId>), JoinError> {
        let mut home = self.0.home.borrow_mut();
        let (mut joins, mut new): (Vec<Join>, _) = (Vec::with_capacity(users.len()), Vec::new());
        for user in users {
            let stream = StreamId::followers(*user);
            let known = home.knows(slot, &stream);
            let options = JoinOptions { hidden: true, ..JoinOptions::default() };
            match home.begin_join(slot, &stream, options) {
                Ok(join) => joins.push(join),
                Err(error) => {
                    for join in &joins {
                        home.abandon(join, false);
                    }
                    return Err(error);
                }
            }
            if !known {
                new.push(stream);
            }
        }
        Ok((joins, new))
    }

    /// Owner: takes a session in as a follower of users that this shard keeps.
    pub(super) fn take_follow(&self, follow: &Follow) -> Reply {
        let me = self.0.post.me();
        if follow.joins.iter().any(|(user, _)| self.0.post.owner_of_user(*user) != me) {
            return Reply::NotOwner;
        }
        let mut owner = self.0.owner.borrow_mut();
        let (mut presences, mut entered) = (Vec::new(), Vec::new());
        for (user, presence) in &follow.joins {
            let stream = StreamId::followers(*user);
            match owner.enter(&stream, presence, Entry::Join) {
                Ok(joined) if joined.new => entered.push((stream, presence)),
                Ok(_) => {}
                Err(error) => {
                    // All or none; followers are hidden, so nobody is told of their coming and going.
                    for (stream, presence) in entered {
                        owner.leave(&stream, presence.session, presence.join, Reason::Leave);
                    }
                    return Reply::Joined(Err(error));
                }
            }
            presences.extend(owner.snapshot(&StreamId::status(*user)).cloned());
        }
        Reply::Presences(presences)
    }

    /// Handles one owner's answer to a follow.
    fn followed<F>(
        &self,
        batch: &[Join],
        asked: &RefCell<Asked<F>>,
        answer: Result<Reply, PostError>,
    ) where
        F: FnOnce(Result<Vec<Arc<Presence>>, JoinError>),
    {
        let mut state = asked.borrow_mut();
        state.waiting -= 1;
        match answer {
            Ok(Reply::Presences(presences)) => {
                let mut home = self.0.home.borrow_mut();
                // Those that the session has let go of meanwhile were taken back when it did.
                let lost: Vec<_> =
                    batch.iter().filter(|join| home.install(join).is_err()).collect();
                let lost = |p: &Presence| lost.iter().any(|join| join.stream.subject == p.user.0);
                state.presences.extend(presences.into_iter().filter(|presence| !lost(presence)));
                let users = batch.iter().map(|join| UserId(join.stream.subject)).collect();
                let mark = self.0.holds.borrow().mark(state.slot, users);
                state.marks.push(mark);
            }
            answer @ (Ok(_) | Err(_)) => {
                state.failed = true;
                let lost = answer.is_err_and(|error| error == PostError::Lost);
                let mut home = self.0.home.borrow_mut();
                let undo = batch.iter().filter_map(|join| home.abandon(join, lost)).collect();
                drop(home);
                self.tell(undo);
            }
        }
        if state.waiting > 0 {
            return;
        }
        let (slot, failed) = (state.slot, state.failed);
        let presences = std::mem::take(&mut state.presences);
        let new = std::mem::take(&mut state.new);
        let users: Vec<_> = new.iter().map(|stream| UserId(stream.subject)).collect();
        // Without a reply there are no snapshots that would know of anything; but whom the session does
        // not follow after all is none of its business.
        let marks = if failed {
            vec![Mark::of_all(users.clone())]
        } else {
            std::mem::take(&mut state.marks)
        };
        let then = state.then.take();
        let alive = self.0.home.borrow().slot(state.session) == Some(slot);
        drop(state);
        let result = match (alive, failed) {
            (true, false) => Ok(presences),
            (true, true) => {
                self.unfollow(slot, &users);
                Err(JoinError::Unavailable)
            }
            // Closing took back what the session followed, and its hold.
            (false, _) => Err(JoinError::Left),
        };
        if let Some(then) = then {
            then(result);
        }
        if alive {
            self.release(slot, &marks);
        }
    }

    /// Lets go of what was held for a session.
    fn release(&self, slot: Slot, marks: &[Mark]) {
        let frames = self.0.holds.borrow_mut().end(slot, marks);
        let refused = frames.iter().any(|frame| self.0.sessions.send(slot, frame).is_err());
        if refused {
            self.0.sessions.slow(slot);
        }
    }
}
