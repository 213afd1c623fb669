//! Parties that look for others to play with: what their home asks of the matchmaker.

use kakera_proto::realtime::{Envelope, PartyMatchmakerTicket, envelope::Message};

use super::{Answer, Effect, Parties, PartyError, Player, Seek, Sought, id::wire_id};
use crate::{
    ids::{PartyId, TicketId},
    matchmaker::{self, Gone, Seeker, Wanted},
};

impl Parties {
    /// Carries out what a leader asks; what comes of it is answered when the matchmaker has.
    pub(super) fn seek(
        &self,
        Sought { party, caller, seek }: Sought,
        answer: impl FnOnce(Result<Answer, PartyError>) + 'static,
    ) {
        if *party.node != *self.0.node {
            self.0.counters.refused.increment();
            return answer(Err(PartyError::NotFound));
        }
        match seek {
            Seek::Add(wanted) => self.enlist((party.id, caller), wanted, answer),
            Seek::Remove(ticket) => self.withdraw((party.id, caller), &ticket, answer),
        }
    }

    fn enlist(
        &self,
        (id, caller): (PartyId, Player),
        wanted: Wanted,
        answer: impl FnOnce(Result<Answer, PartyError>) + 'static,
    ) {
        let lined_up = self.0.state.borrow_mut().line_up(id, &caller);
        let (members, changes) = match lined_up {
            Ok(lined_up) => lined_up,
            Err(error) => {
                self.0.counters.refused.increment();
                return answer(Err(error));
            }
        };
        let this = self.clone();
        let wire_id = wire_id(&self.stream(id));
        let players: Vec<_> = members.iter().map(matchmaker::Player::from).collect();
        let party_id = wire_id.clone();
        self.0.matchmaker.add_party((id, &party_id), players, wanted, move |added| {
            let ticket = match added {
                Ok(ticket) => ticket,
                Err(error) => return answer(Err(error.into())),
            };
            // Who came or went meanwhile has ended the search, maybe before the pool had the ticket.
            if this.read(|state| state.get(id).map(super::Party::changes)) != Some(changes) {
                this.0.matchmaker.forget(Gone::Ticket(ticket));
            }
            answer(Ok(Answer::Ticket(ticket)));
            this.carry_out(id, told(&wire_id, ticket, (&members, &caller)));
        });
    }

    fn withdraw(
        &self,
        (id, caller): (PartyId, Player),
        ticket: &str,
        answer: impl FnOnce(Result<Answer, PartyError>) + 'static,
    ) {
        let leads = self.read(|state| state.check_leader(id, &caller));
        if let Err(error) = leads {
            self.0.counters.refused.increment();
            return answer(Err(error));
        }
        self.0.matchmaker.remove(Seeker::Party(id), ticket, move |removed| {
            answer(removed.map(|()| Answer::Done).map_err(PartyError::from));
        });
    }
}

impl From<&Player> for matchmaker::Player {
    fn from(player: &Player) -> Self {
        let Player { session, user, username } = player.clone();
        Self { session, user, username }
    }
}

/// Every member but the one who asked learns of the ticket.
fn told(party_id: &str, ticket: TicketId, (members, caller): (&[Player], &Player)) -> Vec<Effect> {
    let ticket =
        PartyMatchmakerTicket { party_id: party_id.to_owned(), ticket: ticket.to_string() };
    let message = Some(Message::PartyMatchmakerTicket(ticket));
    let envelope = Envelope { cid: String::new(), message };
    let others = members.iter().filter(|member| member.session != caller.session);
    others.map(|member| Effect::Tell(member.session, envelope.clone())).collect()
}
