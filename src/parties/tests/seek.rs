//! Parties that look for others, with each member on a shard of its own.

use std::collections::BTreeMap;

use kakera_proto::realtime::{MatchmakerMatched, envelope::Message};
use kakera_shards::sim::Faults;

use super::world::{Guest, World};
use crate::{
    ids::TicketId,
    matchmaker::{MatchmakerError, Wanted},
    parties::{Answer, Ask, PartyError, Seek},
};

fn wanted(min: usize, max: usize) -> Seek {
    let (strings, numbers) = (BTreeMap::new(), BTreeMap::from([("rank".to_owned(), 4.0)]));
    Seek::Add(Wanted { min, max, multiple: 1, query: "*".to_owned(), strings, numbers })
}

fn remove(ticket: TicketId) -> Seek {
    Seek::Remove(ticket.to_string().into())
}

/// An open party of these guests, led by the first.
fn party(world: &mut World, guests: &[Guest]) -> String {
    let party = world.created(guests[0], true, 8);
    for guest in &guests[1..] {
        world.joined(*guest, &party).expect("joins");
    }
    for guest in guests {
        world.received(*guest);
    }
    party
}

fn ticket(answer: Result<Answer, PartyError>) -> TicketId {
    match answer.expect("is answered") {
        Answer::Ticket(ticket) => ticket,
        other => panic!("no ticket: {other:?}"),
    }
}

fn told(received: Vec<Message>) -> Vec<(String, String)> {
    let ticket = |message| match message {
        Message::PartyMatchmakerTicket(told) => Some((told.party_id, told.ticket)),
        _ => None,
    };
    received.into_iter().filter_map(ticket).collect()
}

fn matched(world: &World, guest: Guest) -> Vec<MatchmakerMatched> {
    let matched = |message| match message {
        Message::MatchmakerMatched(matched) => Some(matched),
        _ => None,
    };
    world.received(guest).into_iter().filter_map(matched).collect()
}

fn world() -> (World, [Guest; 5]) {
    let world = World::new(23, 3, Faults::default(), false);
    let guests = [(0, 1), (1, 2), (2, 3), (1, 4), (0, 5)];
    let guests = guests.map(|(shard, user)| world.open(shard, user));
    (world, guests)
}

#[test]
fn a_leader_gets_the_ticket_and_the_members_are_told_of_it() {
    let (mut world, [ann, ben, cat, ..]) = world();
    let party = party(&mut world, &[ann, ben, cat]);
    let ticket = ticket(world.sought(ann, &party, wanted(6, 6)));
    for member in [ben, cat] {
        assert_eq!(told(world.received(member)), [(party.clone(), ticket.to_string())]);
    }
    assert_eq!(told(world.received(ann)), [], "the leader has it with the answer");
    assert_eq!(world.tickets_len(), 1);
    assert_eq!(world.sought(ann, &party, remove(ticket)), Ok(Answer::Done));
    assert_eq!(world.tickets_len(), 0);
    let gone = world.sought(ann, &party, remove(ticket)).unwrap_err();
    assert_eq!(gone, PartyError::Matchmaker(MatchmakerError::TicketNotFound));
}

#[test]
fn only_the_leader_of_a_party_has_it_matched() {
    let (mut world, [ann, ben, cat, ..]) = world();
    let party = party(&mut world, &[ann, ben]);
    for other in [ben, cat] {
        assert_eq!(world.sought(other, &party, wanted(2, 4)), Err(PartyError::NotLeader));
    }
    let ticket = ticket(world.sought(ann, &party, wanted(3, 4)));
    assert_eq!(world.sought(ben, &party, remove(ticket)), Err(PartyError::NotLeader));
    let elsewhere = party.replace(super::world::NODE, "elsewhere");
    assert_eq!(world.sought(ann, &elsewhere, wanted(2, 4)), Err(PartyError::NotFound));
    assert_eq!(world.tickets_len(), 1);
    world.asked(ann, &party, Ask::Promote(ben.named())).expect("promotes");
    assert_eq!(world.tickets_len(), 1, "who leads does not matter to the search");
    assert_eq!(world.sought(ben, &party, remove(ticket)), Ok(Answer::Done));
}

#[test]
fn a_party_has_as_many_tickets_as_it_may() {
    let (mut world, [ann, ben, ..]) = world();
    let party = party(&mut world, &[ann, ben]);
    for _ in 0..3 {
        ticket(world.sought(ann, &party, wanted(3, 4)));
    }
    let refused = world.sought(ann, &party, wanted(3, 4)).unwrap_err();
    assert_eq!(refused, PartyError::Matchmaker(MatchmakerError::TooManyTickets));
    assert_eq!(refused.to_string(), "matchmaker too many tickets");
}

#[test]
fn whoever_comes_or_goes_ends_the_search() {
    type Way = fn(&mut World, &[Guest; 5], &str);
    let ways: [(&str, Way); 5] = [
        ("joins", |world, [_, _, _, dan, _], party| world.joined(*dan, party).expect("joins")),
        ("leaves", |world, [_, ben, ..], party| world.left(*ben, party)),
        ("is put out", |world, [ann, ben, ..], party| {
            world.asked(*ann, party, Ask::Remove(ben.named())).expect("removes");
        }),
        ("is gone", |world, [_, ben, ..], _| {
            world.close(*ben);
            world.settle();
        }),
        ("closes", |world, [ann, ..], party| {
            world.asked(*ann, party, Ask::Close).expect("closes");
        }),
    ];
    for (what, happens) in ways {
        let (mut world, guests) = world();
        let [ann, ben, cat, ..] = guests;
        let party = party(&mut world, &[ann, ben, cat]);
        ticket(world.sought(ann, &party, wanted(6, 6)));
        ticket(world.sought(ann, &party, wanted(4, 6)));
        assert_eq!(world.tickets_len(), 2);
        happens(&mut world, &guests, &party);
        assert_eq!(world.tickets_len(), 0, "somebody {what}");
    }
}

#[test]
fn who_leaves_while_the_ticket_is_on_its_way_ends_the_search_too() {
    for seed in 0..40 {
        let faults = Faults { delay_micros: (0, 5_000), ..Faults::default() };
        let mut world = World::new(seed, 3, faults, false);
        let [ann, ben] = [(1, 1), (2, 2)].map(|(shard, user)| world.open(shard, user));
        let party = party(&mut world, &[ann, ben]);
        let answered = world.seek(ann, &party, wanted(3, 4));
        world.leave(ben, &party);
        world.settle();
        assert!(answered.borrow().is_some());
        let left = world.tickets_len();
        // Who left before the leader asked is not on the ticket, which stays.
        let alone = told(world.received(ben)).is_empty();
        assert!(left == 0 || alone, "seed {seed}");
    }
}

#[test]
fn parties_are_matched_whole_and_everybody_knows_whose_party_is_whose() {
    let (mut world, [ann, ben, cat, dan, eve]) = world();
    let two = party(&mut world, &[ann, ben]);
    let three = party(&mut world, &[cat, dan, eve]);
    let of_two = ticket(world.sought(ann, &two, wanted(5, 5)));
    let of_three = ticket(world.sought(cat, &three, wanted(5, 5)));
    for guest in [ann, ben, cat, dan, eve] {
        world.received(guest);
    }
    world.round();
    assert_eq!(world.tickets_len(), 0);
    for (guest, party, ticket) in [
        (ann, &two, of_two),
        (ben, &two, of_two),
        (cat, &three, of_three),
        (dan, &three, of_three),
        (eve, &three, of_three),
    ] {
        let [matched] = matched(&world, guest).try_into().expect("matched once");
        assert_eq!(matched.ticket, ticket.to_string());
        let me = matched.self_.expect("oneself");
        assert_eq!(me.party_id, *party);
        assert_eq!(me.presence.expect("a presence").session_id, guest.session.to_string());
        assert_eq!(me.numeric_properties.get("rank"), Some(&4.0));
        let of = |party: &str| matched.users.iter().filter(|user| user.party_id == party).count();
        assert_eq!((of(&two), of(&three), matched.users.len()), (2, 3, 5));
    }
}
