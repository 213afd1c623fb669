//! What a round of the matchmaker costs: `cargo bench --bench matchmaker`.

use std::{collections::BTreeMap, sync::Arc};

use criterion::{BatchSize, Criterion};
use kakera::{
    ids::{SessionId, TicketId, UserId},
    matchmaker::{Entry, Formed, Player, Rules, SLICE_COST, Seeker, State, Wanted},
};
use uuid::Uuid;

const TICKETS: u64 = 10_000;

fn entry(number: u64, (min, max): (usize, usize), query: &str, region: u64) -> Entry {
    let id = |kind: u64| Uuid::from_u64_pair(kind, number);
    let session = SessionId(id(1));
    let username = Arc::from(format!("player-{number}"));
    let player = Player { session, user: UserId(id(2)), username };
    let wanted = Wanted {
        min,
        max,
        multiple: 1,
        query: query.to_owned(),
        strings: BTreeMap::from([("region".to_owned(), format!("r{region}"))]),
        numbers: BTreeMap::from([("skill".to_owned(), (number * 7919 % TICKETS) as f64)]),
    };
    let ticket = TicketId(id(3));
    Entry::new(ticket, (Seeker::Session(session), ""), vec![player], wanted).expect("a ticket")
}

/// A pool in which everybody asks by `query`.
fn pool(counts: (usize, usize), query: impl Fn(u64) -> String) -> State {
    let rules = Rules { seeker_tickets_max: 3, rounds_max: 2, mutual: false, mutual_for_ms: None };
    let mut state = State::new(rules);
    for number in 0..TICKETS {
        let added = state.add(entry(number, counts, &query(number), number % 100), number as i64);
        added.expect("room in the pool");
    }
    state
}

/// One round to its end, in slices as the server runs it. How many are matched.
fn round(state: &mut State) -> usize {
    let mut round = state.begin(0);
    let mut matched = 0;
    loop {
        let (formed, is_over) = state.slice(&mut round, SLICE_COST, (0, 0));
        matched += formed.iter().map(Formed::players_len).sum::<usize>();
        if is_over {
            state.end(round);
            return matched;
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let region = |number: u64| format!("+properties.region:r{}", number % 100);
    let near = |number: u64| {
        let skill = number * 7919 % TICKETS;
        format!(
            "+properties.skill:>={} +properties.skill:<={}",
            skill.saturating_sub(50),
            skill + 50
        )
    };
    let best = |_| "properties.region:r1^2 properties.skill:>5000".to_owned();
    let pools: [(&str, State); 4] = [
        ("anybody, two of two", pool((2, 2), |_| "*".to_owned())),
        ("by region, four of four", pool((4, 4), region)),
        ("by skill, two of two", pool((2, 2), near)),
        ("nobody fits", pool((2, 2), |_| "+properties.region:nowhere".to_owned())),
    ];
    for (name, state) in pools {
        let name = format!("a round of 10,000 tickets: {name}");
        criterion.bench_function(&name, |b| {
            b.iter_batched_ref(|| state.clone(), round, BatchSize::LargeInput);
        });
    }
    // Who have to be compared, each with all others.
    let state = pool((2, 2), best);
    criterion.bench_function("a slice of a round where hits are compared", |b| {
        let begin = || {
            let state = state.clone();
            let round = state.begin(0);
            (state, round)
        };
        b.iter_batched_ref(
            begin,
            |(state, round)| state.slice(round, SLICE_COST, (0, 0)).0.len(),
            BatchSize::LargeInput,
        );
    });
    criterion.final_summary();
}
