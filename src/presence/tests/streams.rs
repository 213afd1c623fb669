//! Streams as scripts handle them, from a shard that neither owns them nor has their sessions.

use std::{future::Future, rc::Rc};

use futures_util::FutureExt;
use kakera_proto::realtime::{Envelope, Ping, envelope::Message};
use uuid::Uuid;

use super::{
    client::{name, presence_event},
    net::{Faults, Net},
};
use crate::{
    fanout::{Format, Slot},
    ids::{SessionId, StreamId, StreamMode, UserId},
    presence::{Appearance, Entry, JoinOptions, Reason, StreamError, Streams},
};

struct Stage {
    net: Net,
    /// Of a shard without sessions.
    streams: Streams,
    /// Ann on two shards, and Bob.
    ann: [(SessionId, Slot); 2],
    bob: (SessionId, Slot),
}

const ANN: UserId = UserId(Uuid::from_u128(1));
const BOB: UserId = UserId(Uuid::from_u128(2));

fn custom() -> StreamId {
    StreamId::new(StreamMode::from_wire(123), Uuid::from_u128(9), Uuid::nil(), "scripts")
}

impl Stage {
    fn new() -> Self {
        let net = Net::new(4, 17, Faults::default());
        let open = |shard: usize, user, format| {
            let shard = &net.shards[shard];
            let session = SessionId::at(shard.address, user_number(user) << 64);
            (session, shard.clients.open(session, user, format))
        };
        let ann = [open(0, ANN, Format::Json), open(1, ANN, Format::Protobuf)];
        let bob = open(1, BOB, Format::Json);
        let streams = Streams::new(net.shards[3].presences.clone());
        Self { net, streams, ann, bob }
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.net.settle();
        future.now_or_never().expect("answered once nothing is under way")
    }

    fn join(&self, user: UserId, session: SessionId) -> Result<bool, StreamError> {
        // As a client that asked would: its view begins with the answer.
        let joined = self.run(self.streams.join(custom(), user, session, Appearance::default()));
        let shard = self.net.shards.iter().find(|shard| shard.address == session.home());
        let shard = shard.expect("a shard");
        if let Some(slot) = shard.presences.read_home(|home| home.slot(session)) {
            shard.clients.with(slot, |client| {
                client.views.entry(name(&custom())).or_default();
            });
        }
        joined
    }

    /// The last thing that a session received.
    fn last(&self, shard: usize, slot: Slot) -> Option<Envelope> {
        self.net.shards[shard].clients.with(slot, |client| client.received.pop())
    }
}

fn user_number(user: UserId) -> u128 {
    user.0.as_u128()
}

/// Lets a client watch the stream: it joins by itself, hidden.
fn watch(stage: &Stage, shard: usize, (session, slot): (SessionId, Slot)) {
    let home = &stage.net.shards[shard];
    let clients = Rc::clone(&home.clients);
    let options = JoinOptions { entry: Entry::Join, hidden: true, ..JoinOptions::default() };
    home.presences.join(slot, &custom(), options, move |joined| {
        let joined = joined.expect("joins");
        clients.with_session(slot, session, |client| client.joined(&custom(), &joined));
    });
    stage.net.settle();
}

#[test]
fn a_session_is_put_on_a_stream_shown_counted_changed_and_taken_off() {
    let stage = Stage::new();
    watch(&stage, 1, stage.bob);
    let session = stage.ann[0].0;
    let shown = |status: &str| Appearance { status: status.to_owned(), ..Appearance::default() };
    // Ann's client has asked for nothing; what it is shown is checked elsewhere.
    stage.net.shards[0].clients.with(stage.ann[0].1, |client| {
        client.views.insert(name(&custom()), super::client::View::new());
    });

    let joined = stage.streams.join(custom(), ANN, session, shown("new"));
    assert_eq!(stage.run(joined), Ok(true));
    let again = stage.streams.join(custom(), ANN, session, shown("again"));
    assert_eq!(stage.run(again), Ok(false));
    let found = stage.run(stage.streams.get(custom(), ANN, session)).expect("answers");
    let found = found.expect("is there");
    assert_eq!((found.status.as_deref(), found.reason), (Some("new"), Reason::Join));
    assert_eq!(stage.run(stage.streams.get(custom(), BOB, session)), Ok(None));

    assert_eq!(stage.run(stage.streams.count(custom())), Ok(2));
    for (hidden, others, expected) in
        [(true, true, 2), (true, false, 1), (false, true, 1), (false, false, 0)]
    {
        let list = stage.run(stage.streams.list(custom(), hidden, others)).expect("answers");
        assert_eq!(list.len(), expected, "hidden: {hidden}, others: {others}");
    }
    let of_mode = stage.run(stage.streams.of_mode(custom().mode));
    assert_eq!(of_mode, Ok(vec![(custom(), 2)]));

    assert_eq!(stage.run(stage.streams.update(custom(), ANN, session, shown("busy"))), Ok(()));
    let found = stage.run(stage.streams.get(custom(), ANN, session)).expect("answers");
    assert_eq!(found.and_then(|found| found.status.clone()).as_deref(), Some("busy"));
    let event = stage.last(1, stage.bob.1).expect("an event");
    let (_, joins, leaves) = presence_event(&event).expect("of the stream");
    assert_eq!((joins.len(), leaves.len()), (1, 1));

    assert_eq!(stage.run(stage.streams.leave(custom(), BOB, session)), Ok(()));
    assert_eq!(stage.run(stage.streams.count(custom())), Ok(2), "the session is not Bob's");
    assert_eq!(stage.run(stage.streams.leave(custom(), ANN, session)), Ok(()));
    assert_eq!(stage.run(stage.streams.count(custom())), Ok(1));
    let event = stage.last(1, stage.bob.1).expect("an event");
    let (_, joins, leaves) = presence_event(&event).expect("of the stream");
    assert_eq!((joins.len(), leaves[0].user_id.as_str()), (0, ANN.to_string().as_str()));
}

#[test]
fn a_session_that_is_not_the_users_or_is_gone_cannot_join() {
    let stage = Stage::new();
    let nobody = SessionId::at(stage.net.shards[2].address, 77 << 64);
    assert_eq!(stage.join(ANN, nobody), Err(StreamError::SessionNotFound));
    assert_eq!(stage.join(BOB, stage.ann[0].0), Err(StreamError::SessionNotFound));
    assert_eq!(stage.run(stage.streams.count(custom())), Ok(0));
}

#[test]
fn removing_a_user_takes_all_their_sessions_off_and_others_see_it() {
    let stage = Stage::new();
    for (shard, who) in [(0, stage.ann[0]), (1, stage.ann[1]), (1, stage.bob)] {
        watch(&stage, shard, who);
    }
    let shown = stage.streams.update(custom(), ANN, stage.ann[0].0, Appearance::default());
    assert_eq!(stage.run(shown), Ok(()));
    let presences = &stage.net.shards[2].presences;
    assert_eq!(stage.run(presences.remove_user(&custom(), ANN)), Ok(2));
    let event = stage.last(1, stage.bob.1).expect("an event");
    let (_, _, leaves) = presence_event(&event).expect("of the stream");
    assert_eq!(leaves[0].session_id, stage.ann[0].0.to_string());
    assert_eq!(stage.run(stage.streams.count(custom())), Ok(1));
    for (shard, (_, slot)) in [(0, stage.ann[0]), (1, stage.ann[1])] {
        assert_eq!(stage.net.shards[shard].presences.membership(slot, &custom()), None);
    }
    // Whoever was removed may come again, and nobody is removed twice.
    assert_eq!(stage.run(presences.remove_user(&custom(), ANN)), Ok(0));
    watch(&stage, 0, stage.ann[0]);
    assert_eq!(stage.run(stage.streams.count(custom())), Ok(2));
}

#[test]
fn data_goes_to_all_on_the_stream_and_to_chosen_sessions_wherever_they_are() {
    let stage = Stage::new();
    watch(&stage, 0, stage.ann[0]);
    stage.streams.send(custom(), "to all".into(), Vec::new(), true).expect("sends");
    stage.net.settle();
    let envelope = stage.last(0, stage.ann[0].1).expect("data");
    let Some(Message::StreamData(data)) = envelope.message else { panic!("{envelope:?}") };
    assert_eq!((data.data.as_str(), data.reliable, data.sender), ("to all", true, None));
    assert_eq!(data.stream.expect("a stream").subject, custom().subject.to_string());
    assert_eq!(stage.last(1, stage.bob.1), None);

    // Bob and Ann's other session are not on the stream, and one chosen session is gone.
    let ping = Envelope { cid: String::new(), message: Some(Message::Ping(Ping {})) };
    let gone = SessionId::at(stage.net.shards[1].address, 77 << 64);
    for shard in &stage.net.shards {
        shard.clients.takes_pings.set(true);
    }
    let chosen = vec![stage.bob.0, gone, stage.ann[1].0];
    stage.streams.send_raw(custom(), ping.clone(), chosen).expect("sends");
    stage.net.settle();
    assert_eq!(stage.last(1, stage.bob.1), Some(ping.clone()));
    assert_eq!(stage.last(1, stage.ann[1].1), Some(ping));
    assert_eq!(stage.last(0, stage.ann[0].1), None);
}

#[test]
fn closing_takes_everybody_off_and_says_nothing() {
    let stage = Stage::new();
    watch(&stage, 0, stage.ann[0]);
    watch(&stage, 1, stage.bob);
    assert_eq!(stage.run(stage.streams.close(custom())), Ok(()));
    assert_eq!(stage.run(stage.streams.count(custom())), Ok(0));
    assert_eq!(stage.net.shards[1].presences.membership(stage.bob.1, &custom()), None);
    assert_eq!(stage.last(1, stage.bob.1), None);
}
