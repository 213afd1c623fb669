//! The parties that this shard keeps: what others ask of them, and what is done about it.

use std::sync::Arc;

use super::{Answer, Asked, Effect, Parties, PartyError, Reply, Request, service::Inner};
use crate::{
    fanout::Audience,
    ids::{PartyId, SessionId, StreamId, StreamMode},
    matchmaker::Gone,
    presence::{JoinOptions, Moved, Presence, Send, StreamEvent},
};

impl Parties {
    /// A message of another shard, or of this one to itself.
    pub fn handle(&self, request: Request, answer: impl FnOnce(Reply) + 'static) {
        match request {
            Request::Ask(asked) => self.answer(*asked, |reply| answer(Reply::Answer(reply))),
            Request::Seek(sought) => self.seek(*sought, |reply| answer(Reply::Answer(reply))),
            Request::List(filter) => {
                let page = self.0.state.borrow().list(&filter);
                answer(Reply::Page(Box::new(page)));
            }
            Request::Release(released) => {
                let (id, session) = *released;
                self.change(id, |state, effects| state.release(id, session, effects));
                answer(Reply::None);
            }
            Request::TakenIn(taken) => {
                let (session, stream) = *taken;
                let slot = self.0.presences.read_home(|home| home.slot(session));
                if let Some(slot) = slot {
                    self.leave_others(slot, &stream);
                }
                answer(Reply::None);
            }
        }
    }

    fn answer(
        &self,
        Asked { party, caller, ask }: Asked,
        answer: impl FnOnce(Result<Answer, PartyError>) + 'static,
    ) {
        let inner = &*self.0;
        if *party.node != *inner.node {
            inner.counters.refused.increment();
            return answer(Err(PartyError::NotFound));
        }
        let (id, now_ms) = (party.id, inner.clock.monotonic_ms());
        let asked =
            self.change(id, |state, effects| state.ask(id, &caller, (ask, now_ms), effects));
        match asked {
            Ok(Answer::TakeIn(session)) => self.take_in(id, session, answer),
            Ok(done @ (Answer::Done | Answer::Enter | Answer::Requests(_) | Answer::Ticket(_))) => {
                answer(Ok(done));
            }
            Err(error) => {
                inner.counters.refused.increment();
                answer(Err(error));
            }
        }
    }

    /// Puts a session on the party's stream, where a place is held for it.
    fn take_in(
        &self,
        id: PartyId,
        session: SessionId,
        answer: impl FnOnce(Result<Answer, PartyError>) + 'static,
    ) {
        let (this, stream) = (self.clone(), self.stream(id));
        let tracked = stream.clone();
        let options = JoinOptions::default();
        self.0.presences.track(session, stream, options, move |joined| {
            let joined = joined.map(|_| Answer::Done).map_err(|_| PartyError::Accept);
            if joined.is_err() {
                this.0.counters.refused.increment();
                this.change(id, |state, effects| state.release(id, session, effects));
            } else if this.0.single_party {
                let taken = Request::TakenIn(Box::new((session, tracked)));
                this.0.post.deliver(session.home(), taken);
            }
            answer(joined);
        });
    }

    /// The members of a stream are about to be told this.
    pub fn changed(&self, event: &StreamEvent) {
        let Some(id) = self.kept(&event.stream) else { return };
        let joined: Vec<_> = event.joins.iter().map(|presence| presence.session).collect();
        if !joined.is_empty() {
            self.change(id, |state, effects| state.greet(id, &joined, effects));
        }
    }

    /// Somebody is on a stream, or is there no more.
    pub fn moved(&self, stream: &StreamId, moved: &Moved) {
        let Some(id) = self.kept(stream) else { return };
        let is_shown = |presence: &Arc<Presence>| !presence.hidden;
        self.change(id, |state, effects| match moved {
            Moved::Entered(presence) if is_shown(presence) => {
                state.entered(id, (&**presence).into(), effects);
            }
            Moved::Entered(_) => {}
            Moved::Left(session) => state.left(id, *session, effects),
            Moved::Closed => state.closed(id, effects),
        });
    }

    /// Gives up places and parties that nobody came to. The shard calls it now and then.
    pub fn sweep(&self) {
        let now_ms = self.0.clock.monotonic_ms();
        let swept = self.0.state.borrow_mut().sweep(now_ms);
        self.0.counters.expired.add(swept.len() as u64);
        for (id, effects) in swept {
            self.carry_out(id, effects);
        }
        self.gauge();
    }

    /// Changes the state and carries out what follows from it.
    pub(super) fn change<T>(
        &self,
        id: PartyId,
        change: impl FnOnce(&mut super::State, &mut Vec<Effect>) -> T,
    ) -> T {
        let mut effects = Vec::new();
        let result = change(&mut self.0.state.borrow_mut(), &mut effects);
        self.carry_out(id, effects);
        self.gauge();
        result
    }

    pub(super) fn carry_out(&self, id: PartyId, effects: Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        let presences = &self.0.presences;
        let stream = self.stream(id);
        for effect in effects {
            match effect {
                Effect::TellAll(envelope) => presences.announce_to_all(&stream, &envelope),
                Effect::Tell(session, envelope) => {
                    presences.announce_to(&stream, session, &envelope);
                }
                Effect::Share(sender, envelope) => {
                    let audience = Audience::Except(sender);
                    let send = Send { stream: stream.clone(), audience, envelope };
                    presences.handle(crate::presence::Request::Send(Box::new(send)), |_| ());
                }
                Effect::CastOff(session) => presences.cast_off(&stream, session),
                Effect::Dissolve => presences.dissolve(stream.clone()),
                Effect::Unlist => self.0.matchmaker.forget(Gone::Party(id)),
            }
        }
    }

    fn gauge(&self) {
        let inner: &Inner = &self.0;
        inner.counters.parties.set(inner.state.borrow().len() as u64);
    }

    /// The party whose stream this is, if it is one of this node.
    fn kept(&self, stream: &StreamId) -> Option<PartyId> {
        let ours = stream.mode == StreamMode::PARTY && stream.label() == &*self.0.node;
        ours.then_some(PartyId(stream.subject))
    }
}
