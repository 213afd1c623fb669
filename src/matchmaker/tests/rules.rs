//! Who is matched with whom, and when.

use super::*;

const MUTUAL: Rules = Rules { mutual: true, ..RULES };

#[test]
fn two_who_want_one_another_are_matched_at_once() {
    let mut pool = Pool::new(RULES);
    pool.add(1, wanted(2, 2));
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new());
    pool.add(2, wanted(2, 2));
    assert_eq!(pool.round(), [[1, 2]], "the first searches no more, and is found");
    assert!(pool.state.holds_nothing());
}

#[test]
fn the_oldest_are_matched_first() {
    let mut pool = Pool::new(RULES);
    for number in 1..=5 {
        pool.add(number, wanted(2, 2));
    }
    assert_eq!(pool.round(), [[2, 1], [4, 3]]);
    assert_eq!(pool.state.len(), 1);
}

#[test]
fn a_full_match_is_waited_for_before_a_smaller_one_will_do() {
    let mut pool = Pool::new(RULES);
    for number in 1..=3 {
        pool.add(number, wanted(2, 4));
    }
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new());
    assert_eq!(pool.round(), [[2, 3, 1]]);

    for number in 1..=3 {
        pool.add(number, wanted(2, 4));
    }
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new());
    pool.add(4, wanted(2, 4));
    assert_eq!(pool.round(), [[2, 3, 4, 1]]);
    assert!(pool.state.holds_nothing());
}

#[test]
fn who_searches_no_more_is_still_found() {
    let mut pool = Pool::new(RULES);
    pool.add(1, wanted(2, 4));
    pool.round();
    pool.round();
    assert_eq!((pool.state.len(), pool.state.active_len()), (1, 0));
    pool.add(2, wanted(2, 4));
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new(), "it waits for more itself");
    assert_eq!(pool.round(), [[1, 2]]);
}

#[test]
fn counts_have_to_be_within_those_of_the_one_that_searches() {
    let mut pool = Pool::new(RULES);
    pool.add(1, wanted(2, 4));
    pool.add(2, wanted(6, 8));
    pool.add(3, wanted(2, 3));
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new());
    // The narrower one does not find the wider one; the wider one does.
    assert_eq!(pool.round(), [[3, 1]]);
    assert_eq!(pool.state.len(), 1);
}

#[test]
fn who_does_not_want_a_full_match_makes_room_for_others() {
    let mut pool = Pool::new(RULES);
    pool.add(1, wanted(2, 4));
    for number in 2..=4 {
        pool.add(number, wanted(2, 3));
    }
    for number in 5..=7 {
        pool.add(number, wanted(2, 4));
    }
    let matches = pool.round();
    assert!(matches.contains(&vec![5, 6, 7, 1]), "{matches:?}");
}

#[test]
fn the_number_of_players_is_a_multiple_of_what_everybody_wants() {
    let mut pool = Pool::new(RULES);
    for number in 1..=5 {
        pool.add(number, wanted(2, 8).multiple(2));
    }
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new());
    // The youngest has to wait.
    assert_eq!(pool.round(), [[2, 3, 4, 1]]);

    let mut pool = Pool::new(RULES);
    pool.add(1, wanted(3, 6).multiple(3));
    pool.add_party(9, &[2, 3], wanted(3, 6).multiple(3));
    pool.add_party(8, &[4, 5], wanted(3, 6).multiple(3));
    pool.round();
    assert_eq!(pool.round(), [[2, 3, 1]], "a party is left out whole");
}

#[test]
fn nobody_is_left_out_who_would_leave_a_party_alone() {
    let mut pool = Pool::new(RULES);
    pool.add_party(9, &[1, 2], wanted(2, 4).multiple(2));
    pool.add(3, wanted(2, 4).multiple(2));
    pool.round();
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new());
    assert_eq!(pool.state.len(), 2);
}

#[test]
fn parties_stay_whole_and_are_not_matched_with_themselves() {
    let mut pool = Pool::new(RULES);
    pool.add_party(9, &[1, 2], wanted(4, 4));
    pool.add_party(9, &[1, 2], wanted(4, 4));
    pool.add_party(8, &[3, 4, 5], wanted(4, 4));
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new());
    pool.add_party(7, &[6, 7], wanted(4, 4));
    assert_eq!(pool.round(), [[1, 2, 6, 7]]);
    pool.add(8, wanted(4, 4));
    assert_eq!(pool.round(), [[3, 4, 5, 8]]);
    assert_eq!(pool.state.len(), 1, "the other ticket of the first party is still there");
}

#[test]
fn a_session_is_not_matched_with_itself() {
    let mut pool = Pool::new(RULES);
    pool.add(1, wanted(2, 2));
    pool.add(1, wanted(2, 2));
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new());
    let mut pool = Pool::new(RULES);
    pool.add(1, wanted(3, 3));
    pool.add(2, wanted(3, 3));
    pool.add(2, wanted(3, 3));
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new());
    pool.add(3, wanted(3, 3));
    assert_eq!(pool.round(), [[1, 2, 3]]);
}

#[test]
fn a_query_decides_who_is_found() {
    let mut pool = Pool::new(RULES);
    let of =
        |mode: &str| wanted(2, 2).asking(&format!("+properties.mode:{mode}")).with("mode", mode);
    pool.add(1, of("a"));
    pool.add(2, of("b"));
    pool.add(3, of("c"));
    pool.add(4, of("a"));
    pool.add(5, of("b"));
    assert_eq!(pool.round(), [[4, 1], [5, 2]]);
    pool.add(6, wanted(2, 2).asking("properties.rank:>=10"));
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new());
    pool.add(7, wanted(2, 2).asking("properties.mode:c").rank(10.0));
    assert_eq!(pool.round(), [[3, 7]]);
}

#[test]
fn the_best_hits_are_taken_first_and_the_oldest_of_those() {
    let mut pool = Pool::new(RULES);
    let narrow = || wanted(2, 2).asking("properties.nobody:x");
    pool.add(1, narrow().with("mode", "a"));
    pool.add(2, narrow().with("mode", "a").with("map", "mill"));
    pool.add(3, narrow().with("mode", "a").with("map", "mill"));
    pool.round();
    pool.add(4, wanted(2, 2).asking("properties.mode:a properties.map:mill^2"));
    assert_eq!(pool.round(), [[2, 4]]);
    pool.add(5, wanted(2, 2).asking("+properties.mode:a"));
    assert_eq!(pool.round(), [[1, 5]]);
}

#[test]
fn the_queries_of_those_who_are_found_count_only_where_that_is_wanted() {
    for (rules, expected) in [(RULES, vec![vec![1, 2]]), (MUTUAL, vec![])] {
        let mut pool = Pool::new(rules);
        pool.add(1, wanted(2, 2).asking("properties.rank:>100").rank(1.0));
        pool.round();
        pool.add(2, wanted(2, 2).rank(5.0));
        assert_eq!(pool.round(), expected, "{rules:?}");
    }
}

#[test]
fn where_it_is_mutual_all_have_to_match_all() {
    let mut pool = Pool::new(MUTUAL);
    pool.add(1, wanted(3, 3).with("who", "a"));
    pool.add(2, wanted(3, 3).asking("-properties.who:c").with("who", "b"));
    pool.add(3, wanted(3, 3).with("who", "c"));
    assert_eq!(pool.round(), Vec::<Vec<u64>>::new());
    pool.add(4, wanted(3, 3).with("who", "d"));
    assert_eq!(pool.round(), [[1, 2, 4]]);
}

#[test]
fn a_round_that_takes_too_long_stops_to_be_mutual() {
    let mut pool = Pool::new(Rules { mutual_for_ms: Some(1000), ..MUTUAL });
    pool.add(1, wanted(2, 2).asking("properties.rank:>100"));
    pool.round();
    pool.add(2, wanted(2, 2));
    let mut round = pool.state.begin(0);
    let (formed, is_over) = pool.state.slice(&mut round, 1, (0, 0));
    assert!(formed.is_empty() && !is_over);
    let (formed, _) = pool.state.slice(&mut round, 1000, (1000, 0));
    assert_eq!(formed.iter().map(numbers).collect::<Vec<_>>(), [[1, 2]]);
}

#[test]
fn who_leaves_during_a_search_is_not_matched_and_who_comes_is() {
    let mut pool = Pool::new(RULES);
    for number in 1..=3 {
        pool.add(number, wanted(4, 4));
    }
    let mut round = pool.state.begin(0);
    for _ in 0..4 {
        let (formed, is_over) = pool.state.slice(&mut round, 1, (0, 0));
        assert!(formed.is_empty() && !is_over);
    }
    pool.state.forget(Gone::Session(session(2)));
    pool.add(4, wanted(4, 4));
    pool.add(5, wanted(4, 4));
    let (formed, _) = pool.state.slice(&mut round, 1000, (0, 0));
    assert_eq!(formed.iter().map(numbers).collect::<Vec<_>>(), [[3, 4, 5, 1]]);
    assert!(pool.state.holds_nothing());
}

#[test]
fn a_large_match_takes_no_more_than_it_may() {
    let mut pool = Pool::new(RULES);
    for number in 1..=1500 {
        pool.add(number, wanted(2, 5000));
    }
    let matches = pool.round_in(SLICE_COST);
    assert_eq!(matches.iter().map(Vec::len).collect::<Vec<_>>(), [PLAYERS_MAX]);
    assert_eq!(pool.round_in(SLICE_COST).iter().map(Vec::len).sum::<usize>(), 1500 - PLAYERS_MAX);
}

#[test]
fn what_a_search_keeps_is_bounded_and_the_best_of_it() {
    let mut pool = Pool::new(RULES);
    let quiet = || wanted(2, 2).asking("properties.nobody:x").with("mode", "a");
    let hits = HITS_MAX as u64 + 10;
    for number in 1..=hits {
        pool.add(number, quiet());
    }
    pool.add(hits + 1, quiet().with("map", "mill"));
    pool.round_in(SLICE_COST);
    pool.add(0, wanted(2, 2).asking("properties.mode:a properties.map:mill"));
    assert_eq!(pool.round_in(SLICE_COST), [[hits + 1, 0]]);
}
