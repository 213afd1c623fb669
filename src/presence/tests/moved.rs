//! What the keeper of a match or a party hears of its members.

use uuid::Uuid;

use super::net::{Faults, Net};
use crate::{
    fanout::{Format, Slot},
    ids::{PartyId, SessionId, StreamId, UserId},
    presence::{JoinOptions, Moved, Reason},
};

struct Stage {
    net: Net,
    stream: StreamId,
    /// A session on each of two shards.
    guests: [(usize, Slot); 2],
}

impl Stage {
    fn new() -> Self {
        let net = Net::new(3, 23, Faults::default());
        let stream = StreamId::party(PartyId(Uuid::from_u128(77)), "node");
        let open = |shard: usize| {
            let home = &net.shards[shard];
            let session = SessionId::at(home.address, (shard as u128 + 1) << 64);
            let user = UserId(Uuid::from_u128(shard as u128 + 1));
            (shard, home.clients.open(session, user, Format::Protobuf))
        };
        let guests = [open(0), open(1)];
        Self { net, stream, guests }
    }

    fn join(&self, (shard, slot): (usize, Slot)) {
        let presences = &self.net.shards[shard].presences;
        let hidden = JoinOptions { hidden: true, ..JoinOptions::default() };
        presences.join(slot, &self.stream, hidden, |joined| assert!(joined.is_ok()));
        self.net.settle();
    }

    /// What the keeper was told, and how many were there then.
    fn heard(&self) -> Vec<(&'static str, usize)> {
        let mut heard = Vec::new();
        for shard in &self.net.shards {
            for (stream, moved, count) in shard.clients.moved.take() {
                assert_eq!(stream, self.stream);
                let what = match moved {
                    Moved::Entered(_) => "entered",
                    Moved::Left(_) => "left",
                    Moved::Closed => "closed",
                };
                heard.push((what, count));
            }
        }
        heard
    }
}

#[test]
fn a_keeper_hears_of_everybody_who_comes_and_goes() {
    let stage = Stage::new();
    let [one, two] = stage.guests;
    stage.join(one);
    stage.join(two);
    stage.join(two);
    assert_eq!(stage.heard(), [("entered", 1), ("entered", 2)], "again is nothing new");
    stage.net.shards[one.0].presences.leave(one.1, &stage.stream, || ());
    stage.net.settle();
    stage.net.shards[two.0].presences.close(two.1, Reason::Disconnect);
    stage.net.settle();
    assert_eq!(stage.heard(), [("left", 1), ("left", 0)]);
}

#[test]
fn a_session_that_comes_and_goes_within_a_turn_is_heard_of_though_no_event_tells_of_it() {
    let stage = Stage::new();
    let [one, _] = stage.guests;
    let presences = &stage.net.shards[one.0].presences;
    presences.join(one.1, &stage.stream, JoinOptions::default(), |_| ());
    presences.leave(one.1, &stage.stream, || ());
    stage.net.settle();
    assert_eq!(stage.heard(), [("entered", 1), ("left", 0)]);
}

#[test]
fn a_keeper_hears_of_who_is_put_out_of_a_closed_stream_and_of_lost_shards() {
    let stage = Stage::new();
    let [one, two] = stage.guests;
    stage.join(one);
    stage.join(two);
    stage.heard();
    let user = UserId(Uuid::from_u128(1));
    drop(stage.net.shards[2].presences.remove_user(&stage.stream, user));
    stage.net.settle();
    assert_eq!(stage.heard(), [("left", 1)]);

    let lost = stage.net.shards[two.0].address;
    for shard in &stage.net.shards {
        shard.presences.lose(lost);
    }
    stage.net.settle();
    assert_eq!(stage.heard(), [("left", 0)]);

    stage.join(one);
    stage.heard();
    stage.net.shards[2].presences.close_stream(stage.stream.clone(), |_| ());
    stage.net.settle();
    assert_eq!(stage.heard(), [("closed", 0)]);
}
