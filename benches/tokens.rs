//! Session tokens: made when somebody signs in, verified for every request and socket.
//!
//! `cargo bench --bench tokens`

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use kakera::{
    auth::{Session, Tokens, token::Vars},
    ids::UserId,
};

/// Seconds since the epoch.
const NOW: i64 = 1_700_000_000;

fn tokens(criterion: &mut Criterion) {
    let tokens = Tokens::new(("one", 60), ("two", 3600)).expect("the keys are there");
    let session = Session {
        user_id: UserId::NIL,
        username: "somebody".into(),
        vars: Vars::new(),
        token_id: "7c9e6679-7425-40de-944b-e07fc1f90ae7".into(),
        expires_at: 0,
        issued_at: NOW,
    };
    criterion.bench_function("tokens: both issued", |bencher| {
        bencher.iter(|| tokens.issue(black_box(session.clone()), NOW));
    });
    let pair = tokens.issue(session, NOW).expect("a pair");
    assert!(tokens.verify_session(&pair.session, NOW + 1).is_some());
    criterion.bench_function("tokens: a session's verified", |bencher| {
        bencher.iter(|| tokens.verify_session(black_box(&pair.session), NOW + 1));
    });
}

/// Short, so that `cargo bench` runs all benches within ten minutes.
fn brief() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = brief(); targets = tokens }
criterion_main!(benches);
