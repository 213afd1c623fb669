use std::{cell::RefCell, collections::BTreeSet};

use kakera_proto::{
    json,
    realtime::{Envelope, Ping, envelope::Message},
};
use prost::Message as _;

use super::*;
use crate::{ids::StreamId, net::WireFrame};

/// Queues of a bounded length.
struct Queues {
    sent: RefCell<Vec<(Slot, WireFrame)>>,
    full: Vec<Slot>,
}

impl Queues {
    fn new(full: Vec<Slot>) -> Self {
        Self { sent: RefCell::default(), full }
    }

    fn slots(&self) -> Vec<Slot> {
        self.sent.borrow().iter().map(|(slot, _)| *slot).collect()
    }
}

impl Sink for Queues {
    fn send(&self, slot: Slot, frame: &WireFrame) -> Result<(), Slow> {
        if self.full.contains(&slot) {
            return Err(Slow);
        }
        self.sent.borrow_mut().push((slot, frame.clone()));
        Ok(())
    }
}

fn ping() -> Envelope {
    Envelope { cid: "7".to_owned(), message: Some(Message::Ping(Ping {})) }
}

const BOTH: Formats = Formats { json: true, protobuf: true };

fn three_on_a_stream() -> (LocalMembers, StreamId) {
    let stream = StreamId::room("lobby");
    let mut local = LocalMembers::default();
    local.add(&stream, Slot(1), Format::Json);
    local.add(&stream, Slot(2), Format::Protobuf);
    local.add(&stream, Slot(3), Format::Json);
    local.add(&StreamId::room("den"), Slot(4), Format::Json);
    (local, stream)
}

#[test]
fn each_member_gets_the_frame_of_its_format() {
    let (local, stream) = three_on_a_stream();
    let (queues, mut slow) = (Queues::new(Vec::new()), Vec::new());
    let frames = Outgoing::encode(&ping(), BOTH);
    assert_eq!(local.deliver(&stream, &frames, None, &queues, &mut slow), 3);
    for (slot, frame) in queues.sent.borrow().iter() {
        let payload = frame.payload();
        let read = if *slot == Slot(2) {
            Envelope::decode(payload).expect("protobuf")
        } else {
            json::from_slice(&payload, json::Unknown::Refuse).expect("JSON")
        };
        assert_eq!(read, ping());
    }
    assert!(slow.is_empty());
}

#[test]
fn all_members_of_a_format_share_one_encoding() {
    let stream = StreamId::room("lobby");
    let mut local = LocalMembers::default();
    for number in 0..100 {
        let format = if number % 2 == 0 { Format::Json } else { Format::Protobuf };
        local.add(&stream, Slot(number), format);
    }
    let (queues, mut slow) = (Queues::new(Vec::new()), Vec::new());
    let frames = Outgoing::encode(&ping(), BOTH);
    local.deliver(&stream, &frames, None, &queues, &mut slow);
    let sent = queues.sent.borrow();
    let places: BTreeSet<_> = sent.iter().map(|(_, frame)| frame.bytes().as_ptr()).collect();
    assert_eq!((sent.len(), places.len()), (100, 2));
}

#[test]
fn who_is_left_out_gets_nothing() {
    let (local, stream) = three_on_a_stream();
    let (queues, mut slow) = (Queues::new(Vec::new()), Vec::new());
    let frames = Outgoing::encode(&ping(), BOTH);
    local.deliver(&stream, &frames, Some(Slot(1)), &queues, &mut slow);
    assert_eq!(queues.slots(), [Slot(3), Slot(2)]);
}

#[test]
fn who_is_slow_is_reported_and_holds_up_nobody() {
    let (local, stream) = three_on_a_stream();
    let (queues, mut slow) = (Queues::new(vec![Slot(1)]), Vec::new());
    let frames = Outgoing::encode(&ping(), BOTH);
    assert_eq!(local.deliver(&stream, &frames, None, &queues, &mut slow), 2);
    assert_eq!(slow, [Slot(1)]);
    assert_eq!(queues.slots(), [Slot(3), Slot(2)]);
}

#[test]
fn only_the_formats_that_are_asked_for_are_encoded() {
    let json = Outgoing::encode(&ping(), Format::Json.into());
    assert!(json.get(Format::Json).is_some() && json.get(Format::Protobuf).is_none());
    let protobuf = Outgoing::encode(&ping(), Format::Protobuf.into());
    assert!(protobuf.get(Format::Json).is_none() && protobuf.get(Format::Protobuf).is_some());
    assert_eq!(protobuf.get(Format::Protobuf), Some(&frame(&ping(), Format::Protobuf)));
    assert_eq!(json.get(Format::Json), Some(&frame(&ping(), Format::Json)));
}

#[test]
fn a_stream_without_local_members_is_forgotten() {
    let (mut local, stream) = three_on_a_stream();
    for (slot, format) in [(1, Format::Json), (2, Format::Protobuf), (3, Format::Json)] {
        assert!(local.remove(&stream, Slot(slot), format));
        assert!(!local.remove(&stream, Slot(slot), format));
    }
    assert_eq!(local.len(), 1);
    let (queues, mut slow) = (Queues::new(Vec::new()), Vec::new());
    let frames = Outgoing::encode(&ping(), BOTH);
    assert_eq!(local.deliver(&stream, &frames, None, &queues, &mut slow), 0);
}
