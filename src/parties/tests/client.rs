//! Clients that keep the view of their parties that a real client would.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

use kakera_proto::{
    json,
    realtime::{self, Envelope, UserPresence, envelope::Message},
};
use prost::Message as _;

use crate::{
    fanout::{Format, Sink, Slot, Slow},
    ids::{SessionId, StreamId},
    matchmaker::Tell,
    net::WireFrame,
    parties::Parties,
    presence::{Moved, Sessions, StreamEvent},
};

/// A party as one client sees it: sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    pub(super) leader: Option<String>,
    pub(super) members: BTreeSet<String>,
}

pub(super) struct Client {
    session: SessionId,
    format: Format,
    pub(super) received: Vec<Message>,
    /// By party, from the reply to its creation or its first word, to the leave.
    pub(super) views: BTreeMap<String, View>,
}

/// The clients of one shard by slot, and the parties that this shard keeps.
#[derive(Default)]
pub(super) struct Clients {
    table: RefCell<Vec<Option<Client>>>,
    pub(super) parties: OnceCell<Parties>,
}

impl Clients {
    pub(super) fn open(&self, session: SessionId, format: Format) -> Slot {
        let (received, views) = (Vec::new(), BTreeMap::new());
        let client = Client { session, format, received, views };
        let mut table = self.table.borrow_mut();
        let free = table.iter().position(Option::is_none).unwrap_or(table.len());
        if free == table.len() {
            table.push(None);
        }
        table[free] = Some(client);
        Slot(free as u32)
    }

    pub(super) fn close(&self, slot: Slot) {
        self.table.borrow_mut()[slot.0 as usize] = None;
    }

    /// Looks at a client, if it is still this session's slot.
    pub(super) fn with<T>(
        &self,
        (slot, session): (Slot, SessionId),
        look: impl FnOnce(&mut Client) -> T,
    ) -> Option<T> {
        let mut table = self.table.borrow_mut();
        let client = table.get_mut(slot.0 as usize)?.as_mut()?;
        (client.session == session).then(|| look(client))
    }
}

impl Sink for Clients {
    fn send(&self, slot: Slot, frame: &WireFrame) -> Result<(), Slow> {
        let mut table = self.table.borrow_mut();
        table[slot.0 as usize].as_mut().expect("the client is there").receive(frame);
        Ok(())
    }
}

impl Sessions for Clients {
    fn slow(&self, _: Slot) {}

    fn changed(&self, event: &StreamEvent) {
        self.parties.get().expect("attached").changed(event);
    }

    fn moved(&self, stream: &StreamId, moved: &Moved, _: usize) {
        self.parties.get().expect("attached").moved(stream, moved);
    }
}

impl Tell for Clients {
    fn tell(&self, session: SessionId, envelope: &Envelope) {
        let mut table = self.table.borrow_mut();
        let mut clients = table.iter_mut().flatten();
        let client = clients.find(|client| client.session == session);
        if let (Some(client), Some(message)) = (client, &envelope.message) {
            client.received.push(message.clone());
        }
    }
}

impl Client {
    pub(super) fn begin(&mut self, party: &realtime::Party) {
        let leader = party.leader.as_ref().map(session);
        let view = View { leader, members: party.presences.iter().map(session).collect() };
        self.views.insert(party.party_id.clone(), view);
    }

    fn receive(&mut self, frame: &WireFrame) {
        let payload = frame.payload();
        let envelope: Envelope = match self.format {
            Format::Protobuf => Envelope::decode(payload).expect("protobuf"),
            Format::Json => json::from_slice(&payload, json::Unknown::Refuse).expect("JSON"),
        };
        let message = envelope.message.expect("a message");
        match &message {
            Message::Party(party) => {
                let me = party.self_.as_ref().map(session);
                assert_eq!(me, Some(self.session.to_string()), "a party tells one who one is");
                assert!(party.presences.iter().any(|p| Some(session(p)) == me));
                self.begin(party);
            }
            Message::PartyPresenceEvent(event) => {
                let view = self.views.get_mut(&event.party_id).expect("an event before the party");
                for left in &event.leaves {
                    view.members.remove(&session(left));
                }
                view.members.extend(event.joins.iter().map(session));
            }
            Message::PartyLeader(told) => {
                // Who is on the way in learns who leads with the party itself.
                if let Some(view) = self.views.get_mut(&told.party_id) {
                    view.leader = told.presence.as_ref().map(session);
                }
            }
            Message::PartyClose(told) => {
                self.views.remove(&told.party_id);
            }
            Message::PartyData(data) => {
                let sender = data.presence.as_ref().map(session);
                assert_ne!(sender, Some(self.session.to_string()), "one's own data comes back");
            }
            Message::PartyUpdate(_)
            | Message::PartyJoinRequest(_)
            | Message::PartyMatchmakerTicket(_) => {}
            other => panic!("not sent by parties: {other:?}"),
        }
        self.received.push(message);
    }
}

fn session(presence: &UserPresence) -> String {
    presence.session_id.clone()
}
