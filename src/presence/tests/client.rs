//! Clients that read what they are sent and keep the view that a real client would.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kakera_proto::{
    json,
    realtime::{Envelope, UserPresence, envelope::Message},
};
use prost::Message as _;

use crate::{
    fanout::{Format, Sink, Slot, Slow},
    ids::{SessionId, StreamId, StreamMode, UserId},
    net::WireFrame,
    presence::{Joined, Member, Moved, Presence, Presences, Sessions, StreamEvent, wire},
};

/// Who is on a stream, as one client sees it: sessions, and the texts of their status.
pub(crate) type View = BTreeMap<String, String>;

/// One open session and what its client knows.
pub(crate) struct Client {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    format: Format,
    /// By the stream's name on the wire. There from the join's reply until the leave.
    pub(crate) views: BTreeMap<String, View>,
    /// Users whom the client follows, from the reply on.
    pub(crate) follows: BTreeSet<UserId>,
    pub(crate) statuses: View,
    pub(crate) received: Vec<Envelope>,
    /// A follow is in flight. A session handles its envelopes in order, so an unfollow waits for it.
    pub(crate) following: bool,
}

/// The clients of one shard, by slot.
#[derive(Default)]
pub(crate) struct Clients {
    table: RefCell<Vec<Option<Client>>>,
    presences: OnceCell<Presences>,
    /// From how many frames on a client's queue is full.
    pub(crate) queue_len: Cell<Option<usize>>,
    /// A ping stands for anything that may be sent to a session by itself.
    pub(crate) takes_pings: Cell<bool>,
    pub(crate) slow: RefCell<Vec<Slot>>,
    pub(crate) changed: RefCell<Vec<StreamEvent>>,
    pub(crate) moved: RefCell<Vec<(StreamId, Moved, usize)>>,
}

impl Clients {
    pub(crate) fn attach(&self, presences: &Presences) {
        let fresh = self.presences.set(presences.clone()).is_ok();
        assert!(fresh, "attached once");
    }

    pub(crate) fn open(&self, session: SessionId, user: UserId, format: Format) -> Slot {
        let client = Client {
            session,
            user,
            format,
            views: BTreeMap::new(),
            follows: BTreeSet::new(),
            statuses: View::new(),
            received: Vec::new(),
            following: false,
        };
        let mut table = self.table.borrow_mut();
        let free = table.iter().position(Option::is_none).unwrap_or(table.len());
        if free == table.len() {
            table.push(None);
        }
        table[free] = Some(client);
        let slot = Slot(free as u32);
        drop(table);
        let username = Arc::from(format!("user-{}", user.0.as_u128()));
        let member = Member { session, user, username, format };
        self.presences.get().expect("attached").open(slot, member);
        slot
    }

    pub(crate) fn close(&self, slot: Slot) {
        self.table.borrow_mut()[slot.0 as usize] = None;
    }

    pub(crate) fn with<T>(&self, slot: Slot, look: impl FnOnce(&mut Client) -> T) -> T {
        look(self.table.borrow_mut()[slot.0 as usize].as_mut().expect("the client is there"))
    }

    /// The same, unless the slot has passed to another session.
    pub(crate) fn with_session(
        &self,
        slot: Slot,
        session: SessionId,
        look: impl FnOnce(&mut Client),
    ) {
        let mut table = self.table.borrow_mut();
        let client = table.get_mut(slot.0 as usize).and_then(Option::as_mut);
        if let Some(client) = client.filter(|client| client.session == session) {
            look(client);
        }
    }

    pub(crate) fn open_slots(&self) -> Vec<Slot> {
        let table = self.table.borrow();
        (0..table.len()).filter(|i| table[*i].is_some()).map(|i| Slot(i as u32)).collect()
    }
}

impl Sink for Clients {
    fn send(&self, slot: Slot, frame: &WireFrame) -> Result<(), Slow> {
        let full = self.queue_len.get();
        self.with(slot, |client| {
            if full.is_some_and(|full| client.received.len() >= full) {
                return Err(Slow);
            }
            client.receive(frame, self.takes_pings.get());
            Ok(())
        })
    }
}

impl Sessions for Clients {
    fn slow(&self, slot: Slot) {
        self.slow.borrow_mut().push(slot);
    }

    fn changed(&self, event: &StreamEvent) {
        self.changed.borrow_mut().push(event.clone());
    }

    fn moved(&self, stream: &StreamId, moved: &Moved, count: usize) {
        self.moved.borrow_mut().push((stream.clone(), moved.clone(), count));
    }
}

impl Client {
    /// The reply to a join has come.
    pub(crate) fn joined(&mut self, stream: &StreamId, joined: &Joined) {
        let view = joined.presences.iter().map(|p| entry(&wire::user_presence(p))).collect();
        self.views.insert(name(stream), view);
    }

    pub(crate) fn left(&mut self, stream: &StreamId) {
        self.views.remove(&name(stream));
    }

    /// The reply to a follow has come.
    pub(crate) fn followed(&mut self, users: &[UserId], online: &[Arc<Presence>]) {
        self.follows.extend(users);
        let users: BTreeSet<_> = users.iter().map(|user| user.0).collect();
        self.statuses.retain(|key, _| !users.iter().any(|user| key.starts_with(&user.to_string())));
        for presence in online {
            let (session, status) = entry(&wire::status_presence(presence));
            self.statuses.insert(format!("{}/{session}", presence.user), status);
        }
    }

    pub(crate) fn unfollowed(&mut self, user: UserId) {
        self.follows.remove(&user);
        self.statuses.retain(|key, _| !key.starts_with(&user.to_string()));
    }

    fn receive(&mut self, frame: &WireFrame, takes_pings: bool) {
        let payload = frame.payload();
        let envelope: Envelope = match self.format {
            Format::Protobuf => Envelope::decode(payload).expect("protobuf"),
            Format::Json => json::from_slice(&payload, json::Unknown::Refuse).expect("JSON"),
        };
        if let Some((name, joins, leaves)) = presence_event(&envelope) {
            self.apply(&name, joins, leaves);
            self.received.push(envelope);
            return;
        }
        match envelope.message.as_ref().expect("a message") {
            Message::StatusPresenceEvent(event) => self.apply_status(&event.joins, &event.leaves),
            Message::StreamData(data) => {
                let name = custom_name(data.stream.as_ref());
                assert!(self.views.contains_key(&name), "data of {name} reached a stranger");
            }
            Message::ChannelMessage(message) => {
                assert!(self.views.contains_key(&message.channel_id), "a message to a stranger");
            }
            Message::MatchData(data) => {
                assert!(self.views.contains_key(&data.match_id), "match data to a stranger");
            }
            Message::Ping(_) if takes_pings => {}
            other => panic!("not sent by presence: {other:?}"),
        }
        self.received.push(envelope);
    }

    fn apply(&mut self, name: &str, joins: &[UserPresence], leaves: &[UserPresence]) {
        let Some(view) = self.views.get_mut(name) else {
            panic!("an event of {name} reached a session that is not on it");
        };
        for left in leaves {
            view.remove(&left.session_id);
        }
        for joined in joins {
            let (session, status) = entry(joined);
            assert!(!view.contains_key(&session), "{session} joined {name} twice");
            view.insert(session, status);
        }
    }

    fn apply_status(&mut self, joins: &[UserPresence], leaves: &[UserPresence]) {
        for left in leaves {
            self.statuses.remove(&format!("{}/{}", left.user_id, left.session_id));
        }
        for joined in joins {
            let user: UserId = joined.user_id.parse().expect("an id");
            assert!(
                self.follows.contains(&user) || user == self.user,
                "the status of a user whom the client does not follow"
            );
            let (session, status) = entry(joined);
            let key = format!("{user}/{session}");
            // One's own status comes with no snapshot before it.
            let fresh = self.statuses.insert(key, status).is_none();
            assert!(fresh, "{session} came online twice");
        }
    }
}

/// What an event says of which stream, if it is one that is shown to a stream's members.
pub(crate) fn presence_event(
    envelope: &Envelope,
) -> Option<(String, &[UserPresence], &[UserPresence])> {
    match envelope.message.as_ref()? {
        Message::ChannelPresenceEvent(event) => {
            Some((event.channel_id.clone(), &event.joins, &event.leaves))
        }
        Message::MatchPresenceEvent(event) => {
            Some((event.match_id.clone(), &event.joins, &event.leaves))
        }
        Message::StreamPresenceEvent(event) => {
            Some((custom_name(event.stream.as_ref()), &event.joins, &event.leaves))
        }
        _ => None,
    }
}

fn custom_name(stream: Option<&kakera_proto::realtime::Stream>) -> String {
    let stream = stream.expect("a stream");
    format!("{}.{}.{}.{}", stream.mode, stream.subject, stream.subcontext, stream.label)
}

/// The stream as events name it.
pub(crate) fn name(stream: &StreamId) -> String {
    match stream.mode {
        StreamMode::MATCH_RELAYED | StreamMode::MATCH_AUTHORITATIVE => wire::homed_id(stream),
        _ => wire::channel_id(stream),
    }
}

fn entry(presence: &UserPresence) -> (String, String) {
    (presence.session_id.clone(), presence.status.clone().unwrap_or_default())
}
