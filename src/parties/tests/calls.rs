//! Every call of parties, with each member on a shard of its own.

use std::time::Duration;

use bytes::Bytes;
use kakera_proto::realtime::{PartyCreate, UserPresence, envelope::Message};
use kakera_shards::sim::Faults;
use uuid::Uuid;

use super::world::{Guest, NODE, World};
use crate::{
    ids::PartyId,
    parties::{Answer, Ask, PLACE_LIFE_MS, PartyError, PartyRef},
};

fn world() -> (World, [Guest; 4]) {
    let world = World::new(11, 3, Faults::default(), false);
    let guests = [world.open(0, 1), world.open(1, 2), world.open(2, 3), world.open(1, 4)];
    (world, guests)
}

/// An open party of the first three, who have heard all there was to hear.
fn party_of_three() -> (World, [Guest; 4], String) {
    let (mut world, guests) = world();
    let [ann, ben, cat, _] = guests;
    let id = world.created(ann, true, 4);
    for guest in [ben, cat] {
        world.joined(guest, &id).unwrap();
    }
    for guest in [ann, ben, cat] {
        world.received(guest);
    }
    (world, guests, id)
}

fn sessions(presences: &[UserPresence]) -> Vec<String> {
    presences.iter().map(|presence| presence.session_id.clone()).collect()
}

fn names(guests: &[Guest]) -> Vec<String> {
    guests.iter().map(|guest| guest.session.to_string()).collect()
}

fn refused(answer: Result<Answer, PartyError>) -> PartyError {
    answer.expect_err("is refused")
}

fn kinds(received: &[Message]) -> Vec<&'static str> {
    let kind = |message: &Message| match message {
        Message::Party(_) => "party",
        Message::PartyLeader(_) => "leader",
        Message::PartyPresenceEvent(event) if event.joins.is_empty() => "leave",
        Message::PartyPresenceEvent(_) => "join",
        Message::PartyClose(_) => "close",
        Message::PartyJoinRequest(_) => "request",
        Message::PartyData(_) => "data",
        Message::PartyUpdate(_) => "update",
        _ => "other",
    };
    received.iter().map(kind).collect()
}

/// The session that leads from now on.
fn leader(told: &Message) -> String {
    let Message::PartyLeader(told) = told else { panic!("a leader, not {told:?}") };
    told.presence.as_ref().map(|presence| presence.session_id.clone()).unwrap_or_default()
}

fn data(text: &'static str) -> Ask {
    Ask::Data { op_code: 5, data: Bytes::from_static(text.as_bytes()) }
}

#[test]
fn a_creator_leads_a_party_whose_id_tells_its_home() {
    let (mut world, [ann, ..]) = world();
    let create = PartyCreate { open: true, max_size: 4, label: r#"{"a":1}"#.into(), hidden: true };
    let answered = world.create(ann, create);
    world.settle();
    let party = answered.borrow_mut().take().unwrap().unwrap();
    assert_eq!((party.open, party.hidden, party.max_size), (true, true, 4));
    assert_eq!(party.label, r#"{"a":1}"#);
    assert_eq!(sessions(&party.presences), names(&[ann]));
    assert_eq!(
        (party.leader.as_ref(), party.self_.as_ref()),
        (party.presences.first(), party.presences.first())
    );
    let read = PartyRef::read(&party.party_id).unwrap();
    assert_eq!((read.id.home(), read.node.as_str()), (world.shards[0].address, NODE));
    // A creator hears of its own join, and not of the party again.
    assert_eq!(kinds(&world.received(ann)), ["join"]);
}

#[test]
fn an_open_party_takes_in_who_comes_and_tells_it_of_the_party_first() {
    let (mut world, [ann, ben, cat, _]) = world();
    let id = world.created(ann, true, 3);
    world.received(ann);
    world.joined(ben, &id).unwrap();
    let received = world.received(ben);
    assert_eq!(kinds(&received), ["party", "join"]);
    let Message::Party(party) = &received[0] else { panic!("a party") };
    assert_eq!(sessions(&party.presences), names(&[ann, ben]));
    assert_eq!(
        party.leader.as_ref().map(|leader| leader.session_id.clone()),
        Some(ann.session.to_string())
    );
    assert_eq!(party.self_.as_ref().map(|me| me.username.clone()), Some(ben.username()));
    assert_eq!((party.open, party.max_size, party.label.as_str()), (true, 3, ""));
    assert_eq!(kinds(&world.received(ann)), ["join"]);
    // Again, and nothing happens.
    world.joined(ben, &id).unwrap();
    assert_eq!(world.received(ben), []);
    world.joined(cat, &id).unwrap();
    assert_eq!(kinds(&world.received(ann)), ["join"]);
    assert_eq!(world.joined(ben, &id), Err(PartyError::Full));
}

#[test]
fn a_closed_party_asks_its_leader() {
    let (mut world, [ann, ben, cat, dan]) = world();
    let id = world.created(ann, false, 2);
    world.received(ann);
    world.joined(ben, &id).unwrap();
    assert!(!world.is_member(ben, &id));
    let received = world.received(ann);
    let [Message::PartyJoinRequest(request)] = &received[..] else { panic!("{received:?}") };
    assert_eq!(
        (request.party_id.as_str(), sessions(&request.presences)),
        (id.as_str(), names(&[ben]))
    );
    assert_eq!(world.joined(ben, &id), Err(PartyError::RequestDuplicate));
    world.joined(cat, &id).unwrap();
    assert_eq!(world.joined(dan, &id), Err(PartyError::RequestsFull));
    assert_eq!(world.joined(ann, &id), Err(PartyError::RequestsFull));

    let Ok(Answer::Requests(waiting)) = world.asked(ann, &id, Ask::Requests) else { panic!() };
    assert_eq!(sessions(&waiting), names(&[ben, cat]));
    assert_eq!(refused(world.asked(ben, &id, Ask::Requests)), PartyError::NotLeader);
    assert_eq!(refused(world.asked(ben, &id, Ask::Accept(ben.named()))), PartyError::NotLeader);
    assert_eq!(refused(world.asked(ann, &id, Ask::Accept(dan.named()))), PartyError::NotRequest);
    // A request can be refused, and made again.
    world.asked(ann, &id, Ask::Remove(cat.named())).unwrap();
    assert_eq!(refused(world.asked(ann, &id, Ask::Remove(cat.named()))), PartyError::NotMember);
    assert_eq!(world.joined(ann, &id), Err(PartyError::AlreadyMember));
    world.joined(cat, &id).unwrap();

    world.asked(ann, &id, Ask::Accept(ben.named())).unwrap();
    assert_eq!(kinds(&world.received(ben)), ["party", "join"]);
    assert!(world.is_member(ben, &id));
    assert_eq!(refused(world.asked(ann, &id, Ask::Accept(cat.named()))), PartyError::Full);
    assert_eq!(world.joined(dan, &id), Err(PartyError::Full));
}

#[test]
fn who_went_away_before_it_was_accepted_is_not_taken_in() {
    let (mut world, [ann, ben, cat, _]) = world();
    let id = world.created(ann, false, 2);
    world.joined(ben, &id).unwrap();
    world.close(ben);
    assert_eq!(refused(world.asked(ann, &id, Ask::Accept(ben.named()))), PartyError::Accept);
    // Its place and its request are free again.
    world.joined(cat, &id).unwrap();
    world.asked(ann, &id, Ask::Accept(cat.named())).unwrap();
    assert!(world.is_member(cat, &id));
}

#[test]
fn the_leader_promotes_a_member() {
    let (mut world, [ann, ben, cat, dan], id) = party_of_three();
    assert_eq!(refused(world.asked(ben, &id, Ask::Promote(ben.named()))), PartyError::NotLeader);
    assert_eq!(refused(world.asked(ann, &id, Ask::Promote(dan.named()))), PartyError::NotMember);
    world.asked(ann, &id, Ask::Promote(cat.named())).unwrap();
    for guest in [ann, ben, cat] {
        let received = world.received(guest);
        let [told] = &received[..] else { panic!("{received:?}") };
        assert_eq!(leader(told), cat.session.to_string());
    }
    assert_eq!(refused(world.asked(ann, &id, Ask::Close)), PartyError::NotLeader);
}

#[test]
fn a_leader_leaves_and_the_oldest_member_leads() {
    let (mut world, [ann, ben, cat, _]) = world();
    let id = world.created(ann, true, 4);
    world.joined(cat, &id).unwrap();
    world.joined(ben, &id).unwrap();
    for guest in [ann, ben, cat] {
        world.received(guest);
    }
    world.left(ann, &id);
    let received = world.received(ben);
    assert_eq!(kinds(&received), ["leader", "leave"]);
    assert_eq!(leader(&received[0]), cat.session.to_string());
    // Who led and comes back is the youngest; a crash is a leave.
    world.joined(ann, &id).unwrap();
    world.close(cat);
    world.settle();
    let received = world.received(ann);
    assert_eq!(kinds(&received), ["party", "join", "leader", "leave"]);
    assert_eq!(leader(&received[2]), ben.session.to_string());
}

#[test]
fn a_party_ends_with_its_last_member() {
    let (mut world, [ann, ben, ..]) = world();
    let id = world.created(ann, false, 4);
    world.joined(ben, &id).unwrap();
    world.left(ann, &id);
    assert_eq!(world.parties_len(), 0);
    assert_eq!(world.joined(ben, &id), Err(PartyError::NotFound));
    assert_eq!(refused(world.asked(ann, &id, Ask::Close)), PartyError::NotFound);
}

#[test]
fn a_closed_party_lets_everybody_go() {
    let (mut world, [ann, ben, ..]) = world();
    let id = world.created(ann, true, 4);
    world.joined(ben, &id).unwrap();
    world.received(ann);
    world.received(ben);
    assert_eq!(refused(world.asked(ben, &id, Ask::Close)), PartyError::NotLeader);
    world.asked(ann, &id, Ask::Close).unwrap();
    for guest in [ann, ben] {
        assert_eq!(kinds(&world.received(guest)), ["close"]);
        assert!(!world.is_member(guest, &id));
    }
    assert_eq!(world.parties_len(), 0);
    assert_eq!(refused(world.asked(ann, &id, data("x"))), PartyError::NotFound);
}

#[test]
fn a_removed_member_is_told_so_and_no_more() {
    let (mut world, [ann, ben, cat, _], id) = party_of_three();
    assert_eq!(refused(world.asked(ben, &id, Ask::Remove(cat.named()))), PartyError::NotLeader);
    assert_eq!(refused(world.asked(ann, &id, Ask::Remove(ann.named()))), PartyError::RemoveSelf);
    world.asked(ann, &id, Ask::Remove(ben.named())).unwrap();
    assert_eq!(kinds(&world.received(ben)), ["close"]);
    assert_eq!(kinds(&world.received(cat)), ["leave"]);
    assert!(!world.is_member(ben, &id));
    assert_eq!(refused(world.asked(ben, &id, data("x"))), PartyError::NotMember);
    world.joined(ben, &id).unwrap();
    assert!(world.is_member(ben, &id));
}

#[test]
fn data_goes_to_all_others() {
    let (mut world, [ann, ben, cat, dan], id) = party_of_three();
    world.asked(ben, &id, data("hello")).unwrap();
    for guest in [ann, cat] {
        let received = world.received(guest);
        let [Message::PartyData(data)] = &received[..] else { panic!("{received:?}") };
        assert_eq!(
            (data.party_id.as_str(), data.op_code, &data.data[..]),
            (id.as_str(), 5, &b"hello"[..])
        );
        assert_eq!(data.presence.as_ref().map(|p| p.user_id.clone()), Some(ben.user.to_string()));
    }
    assert_eq!(world.received(ben), []);
    assert_eq!(refused(world.asked(dan, &id, data("x"))), PartyError::NotMember);
}

#[test]
fn the_leader_changes_what_the_party_says_of_itself() {
    let (mut world, [ann, ben, cat, _]) = world();
    let id = world.created(ann, true, 4);
    world.joined(ben, &id).unwrap();
    world.received(ann);
    world.received(ben);
    let update = |label: &str, open, hidden| Ask::Update { label: label.into(), open, hidden };
    assert_eq!(refused(world.asked(ben, &id, update("{}", true, false))), PartyError::NotLeader);
    let hidden = world.asked(ann, &id, update(r#"{"a":1}"#, true, true));
    assert_eq!(refused(hidden), PartyError::HiddenLabel);
    assert!(matches!(
        refused(world.asked(ann, &id, update("[]", true, false))),
        PartyError::Label(_)
    ));
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(2048));
    assert_eq!(
        refused(world.asked(ann, &id, update(&long, true, false))),
        PartyError::LabelTooLong
    );
    assert_eq!((world.received(ann), world.received(ben)), (Vec::new(), Vec::new()));

    world.asked(ann, &id, update(r#"{"a":1}"#, false, false)).unwrap();
    for guest in [ann, ben] {
        let received = world.received(guest);
        let [Message::PartyUpdate(update)] = &received[..] else { panic!("{received:?}") };
        assert_eq!(
            (update.label.as_str(), update.open, update.hidden),
            (r#"{"a":1}"#, false, false)
        );
    }
    world.joined(cat, &id).unwrap();
    assert!(!world.is_member(cat, &id), "the party is closed now");
}

#[test]
fn the_last_place_is_given_once() {
    let (mut world, [ann, ben, cat, _]) = world();
    let id = world.created(ann, true, 2);
    let answers = [world.join(ben, &id), world.join(cat, &id)];
    world.settle();
    let answers: Vec<_> = answers.iter().map(|a| a.borrow_mut().take().unwrap()).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.contains(&Err(PartyError::Full)));
}

#[test]
fn a_place_is_free_again_when_its_session_closes_on_the_way() {
    let (mut world, [ann, ben, cat, _]) = world();
    let id = world.created(ann, true, 2);
    for _ in 0..20 {
        let guest = world.open(ben.shard, 9);
        let answer = world.join(guest, &id);
        let turns = world.sim.rng().below(60);
        world.sim.run_for(Duration::from_micros(turns));
        world.close(guest);
        world.settle();
        assert!(answer.borrow().is_some(), "an answer, though nobody hears it");
    }
    world.joined(cat, &id).unwrap();
}

#[test]
fn a_place_that_nobody_takes_expires_and_so_does_a_party_of_such_places() {
    let (mut world, [ann, ben, cat, _]) = world();
    let id = world.created(ann, true, 2);
    // The answer reaches nobody who would act on it.
    let answer = world.asked(ben, &id, Ask::Join);
    assert_eq!(answer, Ok(Answer::Enter));
    assert_eq!(world.joined(cat, &id), Err(PartyError::Full));
    world.sim.run_for(Duration::from_millis(PLACE_LIFE_MS + 1));
    world.joined(cat, &id).unwrap();
    world.left(cat, &id);

    let answer = world.asked(ben, &id, Ask::Join);
    assert_eq!(answer, Ok(Answer::Enter));
    world.left(ann, &id);
    world.on(0, |home| home.parties.sweep());
    assert_eq!(world.parties_len(), 1, "somebody may be on the way");
    world.sim.run_for(Duration::from_millis(PLACE_LIFE_MS + 1));
    world.on(0, |home| home.parties.sweep());
    assert_eq!(world.parties_len(), 0);
}

#[test]
fn who_is_on_the_way_when_all_others_leave_leads() {
    let (mut world, [ann, ben, cat, _]) = world();
    let id = world.created(ann, true, 3);
    assert_eq!(world.asked(ben, &id, Ask::Join), Ok(Answer::Enter));
    world.left(ann, &id);
    world.joined(ben, &id).unwrap();
    world.joined(cat, &id).unwrap();
    assert_eq!(refused(world.asked(cat, &id, Ask::Close)), PartyError::NotLeader);
    world.asked(ben, &id, Ask::Close).unwrap();
    assert_eq!(world.parties_len(), 0);
}

#[test]
fn a_party_of_nowhere_is_not_found() {
    let (mut world, [ann, ben, ..]) = world();
    let id = world.created(ann, true, 3);
    let elsewhere = id.replace(NODE, "other");
    assert_eq!(world.joined(ben, &elsewhere), Err(PartyError::NotFound));
    let nobody = PartyId(Uuid::from_u128(u128::MAX));
    assert_eq!(world.joined(ben, &format!("{nobody}.{NODE}")), Err(PartyError::NotFound));
}

#[test]
fn one_party_at_a_time_where_the_configuration_says_so() {
    let mut world = World::new(3, 2, Faults::default(), true);
    let (ann, ben, cat) = (world.open(0, 1), world.open(1, 2), world.open(1, 3));
    let first = world.created(ann, true, 4);
    world.joined(ben, &first).unwrap();
    let second = world.created(ben, true, 4);
    assert!(!world.is_member(ben, &first) && world.is_member(ben, &second));
    world.joined(ann, &second).unwrap();
    assert_eq!(world.parties_len(), 1, "the first party has nobody left");
    let third = world.created(cat, false, 4);
    world.joined(ann, &third).unwrap();
    assert!(world.is_member(ann, &second), "who only asks stays");
    world.asked(cat, &third, Ask::Accept(ann.named())).unwrap();
    assert!(!world.is_member(ann, &second) && world.is_member(ann, &third));
}

#[test]
fn a_party_of_no_size_has_its_creator_alone() {
    let (mut world, [ann, ben, ..]) = world();
    let id = world.created(ann, true, 0);
    assert_eq!(world.joined(ben, &id), Err(PartyError::Full));
    world.left(ann, &id);
    assert_eq!(world.parties_len(), 0);
}
