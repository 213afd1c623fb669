//! Sessions that join in one turn of the stream's owner.

use std::{cell::RefCell, rc::Rc};

use uuid::Uuid;

use super::{
    client::name,
    net::{Faults, Net},
};
use crate::{
    fanout::Format,
    ids::{SessionId, StreamId, StreamMode, UserId},
    presence::JoinOptions,
};

/// Three sessions of one shard join at once; yields how many others each was told of.
fn joined_at_once(stream: &StreamId) -> Vec<usize> {
    let net = Net::new(2, 5, Faults::default());
    let shard = &net.shards[1];
    let told = Rc::new(RefCell::new(Vec::new()));
    let open = |user: u128| {
        let session = SessionId::at(shard.address, user << 64);
        (session, shard.clients.open(session, UserId(Uuid::from_u128(user)), Format::Json))
    };
    let joiners = [1, 2, 3].map(open);
    for (session, slot) in joiners {
        let (told, clients, stream) = (Rc::clone(&told), Rc::clone(&shard.clients), stream.clone());
        shard.presences.join(slot, &stream.clone(), JoinOptions::default(), move |joined| {
            let joined = joined.expect("joins");
            told.borrow_mut().push(joined.presences.len());
            clients.with_session(slot, session, |client| client.joined(&stream, &joined));
        });
    }
    net.settle();
    for (_, slot) in joiners {
        let seen = shard.clients.with(slot, |client| client.views[&name(stream)].len());
        assert_eq!(seen, joiners.len(), "each sees all, as soon as all is told");
    }
    told.take()
}

#[test]
fn of_those_who_join_a_match_or_a_direct_channel_at_once_one_is_the_first() {
    let id = Uuid::from_u128(9);
    let direct = StreamId::new(StreamMode::DIRECT, Uuid::from_u128(1), Uuid::from_u128(2), "");
    for stream in [StreamId::relayed_match(id), direct] {
        assert_eq!(joined_at_once(&stream), [0, 1, 2], "{stream:?}");
    }
}

#[test]
fn those_who_join_a_room_at_once_are_announced_together() {
    let told = joined_at_once(&StreamId::room("lobby"));
    assert_eq!(told[..2], [0, 0], "the first two came in one turn of the owner");
}
