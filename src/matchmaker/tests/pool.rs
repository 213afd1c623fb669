//! What comes into the pool and goes, and what it tells of itself.

use super::*;

#[test]
fn a_session_and_a_party_have_as_many_tickets_as_they_may() {
    let mut pool = Pool::new(RULES);
    for _ in 0..3 {
        pool.add(1, wanted(2, 4));
    }
    assert_eq!(pool.try_add(1, wanted(2, 4)), Err(MatchmakerError::TooManyTickets));
    // A member's own tickets count against the party's.
    let party = (Seeker::Party(PartyId(Uuid::from_u128(9))), "9.node");
    let refused = pool.try_add_all(party, &[1, 2], wanted(3, 4));
    assert_eq!(refused, Err(MatchmakerError::TooManyTickets));
    pool.state.forget(Gone::Session(session(1)));
    for _ in 0..3 {
        pool.add_party(9, &[1, 2], wanted(3, 4));
    }
    assert_eq!(pool.try_add(2, wanted(2, 4)), Err(MatchmakerError::TooManyTickets));
    assert_eq!(pool.try_add_all(party, &[3], wanted(3, 4)), Err(MatchmakerError::TooManyTickets));
    assert_eq!(pool.state.len(), 3);
}

#[test]
fn what_cannot_be_matched_is_refused() {
    let mut pool = Pool::new(RULES);
    assert_eq!(pool.try_add(1, wanted(2, 2).asking("a:")), Err(MatchmakerError::Query));
    let party = (Seeker::Party(PartyId::NIL), "0.node");
    let twice = pool.try_add_all(party, &[1, 1], wanted(2, 2));
    assert_eq!(twice, Err(MatchmakerError::DuplicateSession));
    let many = pool.try_add(1, wanted(PLAYERS_MAX + 1, PLAYERS_MAX + 1));
    assert_eq!(many, Err(MatchmakerError::TooLarge));
    assert!(pool.state.holds_nothing());
    let wanted = wanted(3, 3_000_000).multiple(3);
    let entry = Entry::new(TicketId::NIL, party, vec![player(1)], wanted).unwrap();
    assert_eq!((entry.max, entry.takes(entry.max)), (1023, true));
}

#[test]
fn a_ticket_is_taken_back_by_whose_it_is() {
    let mut pool = Pool::new(RULES);
    let mine = pool.add(1, wanted(2, 4));
    let ours = pool.add_party(9, &[2, 3], wanted(3, 4));
    let mut remove = |seeker, ticket| pool.state.remove(seeker, ticket);
    let missing = Err(MatchmakerError::TicketNotFound);
    let party = Seeker::Party(PartyId(Uuid::from_u128(9)));
    let one = Seeker::Session(session(1));
    assert_eq!(remove(one, ours), missing);
    assert_eq!(remove(Seeker::Session(session(2)), ours), missing, "a member alone may not");
    assert_eq!(remove(party, mine), missing);
    assert_eq!(remove(one, TicketId::NIL), missing);
    assert_eq!(remove(one, mine), Ok(()));
    assert_eq!(remove(one, mine), missing);
    assert_eq!(remove(party, ours), Ok(()));
    assert!(pool.state.holds_nothing());
}

#[test]
fn who_is_gone_leaves_nothing_behind() {
    let mut pool = Pool::new(RULES);
    pool.add(1, wanted(2, 4));
    pool.add(1, wanted(2, 4).with("mode", "a"));
    pool.add_party(9, &[1, 2], wanted(3, 4));
    let other = pool.add(3, wanted(2, 4));
    pool.state.forget(Gone::Session(session(1)));
    assert_eq!(pool.state.len(), 1);
    pool.add_party(9, &[4, 5], wanted(3, 4));
    pool.add_party(9, &[4, 5], wanted(3, 4));
    pool.state.forget(Gone::Party(PartyId(Uuid::from_u128(9))));
    assert_eq!(pool.state.len(), 1);
    pool.state.forget(Gone::Ticket(other));
    pool.state.forget(Gone::Ticket(other));
    assert!(pool.state.holds_nothing());
}

#[test]
fn a_round_tells_how_long_people_waited() {
    let mut pool = Pool::new(RULES);
    assert_eq!(pool.state.stats, Stats::default());
    pool.add(1, wanted(2, 2));
    pool.add(2, wanted(2, 2));
    assert_eq!(pool.state.stats, Stats::default(), "it is told when a round is over");
    pool.now_micros = 50;
    assert_eq!(pool.round().len(), 1);
    let told = |pool: &Pool| kakera_proto::api::MatchmakerStats::from(pool.state.stats.clone());
    let stats = told(&pool);
    assert_eq!(stats.ticket_count, 2, "those that were there when it began");
    assert_eq!(stats.oldest_ticket_create_time.map(|time| time.nanos), Some(1000));
    let waited: Vec<_> = stats
        .completions
        .iter()
        .map(|done| (done.create_time.unwrap().nanos, done.complete_time.unwrap().nanos))
        .collect();
    assert_eq!(waited, [(2000, 50_000), (1000, 50_000)]);
    for number in 10..30 {
        pool.add(number, wanted(2, 2));
    }
    pool.round();
    pool.round();
    let stats = told(&pool);
    assert_eq!((stats.ticket_count, stats.completions.len()), (0, 10));
    assert_eq!(stats.oldest_ticket_create_time, None);
}
