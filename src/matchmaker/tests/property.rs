//! Any tickets, any interruptions: what holds of every match.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Asked {
    /// One player alone, or some who are a party.
    players: Vec<u64>,
    party: bool,
    wanted: Wanted,
}

fn query() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        3 => Just("*"),
        1 => Just("+properties.mode:a"),
        1 => Just("properties.mode:b"),
        1 => Just("properties.rank:>=2"),
        1 => Just("-properties.mode:a"),
        1 => Just("properties.mode:a properties.rank:>1^2"),
        1 => Just("+properties.rank:<3 properties.mode:/a|b/"),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let players = prop_oneof![
        4 => (0_u64..14).prop_map(|one| (vec![one], false)),
        1 => proptest::collection::btree_set(0_u64..14, 2..4)
            .prop_map(|some| (some.into_iter().collect(), true)),
    ];
    let counts = (1_usize..4, 1_usize..4, 0_usize..3).prop_map(|(multiple, least, more)| {
        let min = (multiple * least).max(2).next_multiple_of(multiple);
        (min, min + more * multiple, multiple)
    });
    (players, counts, query(), prop_oneof![Just("a"), Just("b")], 0_u8..5).prop_map(
        |((players, party), (min, max, multiple), query, mode, rank)| {
            let wanted = wanted(min, max)
                .multiple(multiple)
                .asking(query)
                .with("mode", mode)
                .rank(rank.into());
            Asked { players, party, wanted }
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Add(Asked),
    /// So many slices of such a cost.
    Match(usize, usize),
    Leave(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => asked().prop_map(Step::Add),
        3 => (1_usize..40, 1_usize..60).prop_map(|(slices, cost)| Step::Match(slices, cost)),
        1 => (0_u64..14).prop_map(Step::Leave),
    ]
}

struct Checked {
    pool: Pool,
    rules: Rules,
    round: Option<Round>,
    /// What is in the pool by what was done to it.
    known: BTreeMap<TicketId, Asked>,
    parties: u128,
}

impl Checked {
    fn take(&mut self, step: Step) {
        match step {
            Step::Add(asked) => {
                let ticket = if asked.party {
                    self.parties += 1;
                    let id = PartyId(Uuid::from_u128(self.parties));
                    let seeker = (Seeker::Party(id), "party.node");
                    self.pool.try_add_all(seeker, &asked.players, asked.wanted.clone())
                } else {
                    self.pool.try_add(asked.players[0], asked.wanted.clone())
                };
                let on = |number: &u64| {
                    let all = self.known.values();
                    all.filter(|known| known.players.contains(number)).count()
                };
                let full = asked.players.iter().map(on).any(|tickets| tickets >= 3);
                assert_eq!(ticket.is_err(), full, "as many tickets as a session may have");
                if let Ok(ticket) = ticket {
                    self.known.insert(ticket, asked);
                }
            }
            Step::Match(slices, cost) => {
                for _ in 0..slices {
                    self.slice(cost);
                }
            }
            Step::Leave(number) => {
                self.pool.state.forget(Gone::Session(session(number)));
                self.known.retain(|_, asked| !asked.players.contains(&number));
            }
        }
        assert_eq!(self.pool.state.len(), self.known.len());
    }

    fn slice(&mut self, cost: usize) {
        let mut round = self.round.take().unwrap_or_else(|| self.pool.state.begin(0));
        let (formed, is_over) = self.pool.state.slice(&mut round, cost, (0, 0));
        for formed in &formed {
            self.check(formed);
        }
        if is_over {
            self.pool.state.end(round);
        } else {
            self.round = Some(round);
        }
    }

    fn check(&mut self, formed: &Formed) {
        let size = formed.players_len();
        let sessions: BTreeSet<_> = numbers(formed).into_iter().collect();
        assert_eq!(sessions.len(), size, "nobody is there twice");
        let (searched, found) = formed.entries().split_last().expect("a match has players");
        assert!(!found.is_empty());
        for entry in formed.entries() {
            let asked = self.known.remove(&entry.ticket).expect("a ticket is matched once");
            assert_eq!(entry.count(), asked.players.len(), "who comes together stays together");
            let Wanted { min, max, multiple, .. } = asked.wanted;
            assert!(
                (min..=max).contains(&size) && size.is_multiple_of(multiple),
                "{size} {asked:?}"
            );
        }
        for entry in found {
            assert!(searched.query.matches(&entry.document));
            if self.rules.mutual {
                assert!(entry.query.matches(&searched.document));
            }
        }
        if self.rules.mutual {
            for (at, one) in found.iter().enumerate() {
                for other in found.iter().skip(at + 1) {
                    assert!(one.query.matches(&other.document));
                    assert!(other.query.matches(&one.document));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn every_match_is_as_everybody_in_it_wanted(
        mutual: bool,
        rounds_max in 1_u32..4,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let rules = Rules { rounds_max, mutual, ..RULES };
        let pool = Pool::new(rules);
        let mut checked =
            Checked { pool, rules, round: None, known: BTreeMap::new(), parties: 0 };
        for step in steps {
            checked.take(step);
        }
        for number in 0..14 {
            checked.take(Step::Leave(number));
        }
        prop_assert!(checked.pool.state.holds_nothing());
    }

    #[test]
    fn nobody_waits_who_could_be_matched(players in 0_u64..60, cost in 1_usize..200) {
        let mut pool = Pool::new(RULES);
        for number in 0..players {
            pool.add(number, wanted(2, 2));
        }
        let matches = pool.round_in(cost);
        prop_assert_eq!(matches.len() as u64, players / 2);
        prop_assert_eq!(pool.state.len() as u64, players % 2);
    }

    #[test]
    fn slices_do_not_change_who_is_matched(
        tickets in proptest::collection::vec(asked(), 0..30),
        mutual: bool,
        cost in 1_usize..50,
    ) {
        let rules = Rules { mutual, ..RULES };
        let outcome = |cost: usize| {
            let mut pool = Pool::new(rules);
            for (at, asked) in tickets.iter().enumerate() {
                let party = PartyId(Uuid::from_u128(at as u128));
                let seeker = (Seeker::Party(party), "party.node");
                let _ = pool.try_add_all(seeker, &asked.players, asked.wanted.clone());
            }
            [pool.round_in(cost), pool.round_in(cost), pool.round_in(cost)]
        };
        prop_assert_eq!(outcome(cost), outcome(usize::MAX));
    }
}
