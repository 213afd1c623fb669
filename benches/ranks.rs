//! What a leaderboard's ranks cost: `cargo bench --bench ranks`. With `RANKS_MEMORY=1` it tells the memory
//! at ten million records instead.

use std::hint::black_box;

use criterion::Criterion;
use kakera::{
    ids::UserId,
    leaderboards::{
        SortOrder,
        ranks::{Ranks, Score},
    },
};
use uuid::Uuid;

/// A generator that needs no seed from outside: the runs are alike.
fn mix(n: u64) -> u64 {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn owner(n: u64) -> UserId {
    UserId(Uuid::from_u64_pair(mix(n), n))
}

fn score(n: u64, round: u64) -> Score {
    Score { owner: owner(n), score: (mix(n ^ (round << 40)) % 5_000_000) as i64, subscore: 0 }
}

fn filled(len: u64, in_order: bool) -> Ranks {
    let mut scores: Vec<Score> = (0..len).map(|n| score(n, 0)).collect();
    if in_order {
        scores.sort_unstable_by_key(|score| (score.score, score.owner));
    }
    let mut ranks = Ranks::default();
    for score in scores {
        ranks.set(score, 1);
    }
    ranks
}

fn memory() {
    for (how, in_order) in [("loaded in order", true), ("written in any order", false)] {
        let len = 10_000_000;
        let began = std::time::Instant::now();
        let ranks = filled(len, in_order);
        println!(
            "{len} records {how}: {} MiB, {:.1} bytes each, {:.1} s",
            ranks.bytes() >> 20,
            ranks.bytes() as f64 / len as f64,
            began.elapsed().as_secs_f64(),
        );
    }
}

fn main() {
    if std::env::var_os("RANKS_MEMORY").is_some() {
        return memory();
    }
    let mut criterion = Criterion::default().configure_from_args();
    const LEN: u64 = 1_000_000;
    let mut ranks = filled(LEN, true);
    let mut n = 0;
    let mut next = || {
        n += 1;
        mix(n) % LEN
    };
    criterion.bench_function("rank of an owner and a page of ten around it, of 1M", |b| {
        b.iter(|| {
            let who = owner(next());
            let rank = ranks.rank(who, SortOrder::Descending).unwrap_or_default();
            black_box(ranks.page(SortOrder::Descending, rank.saturating_sub(4), 10))
        });
    });
    criterion.bench_function("rank of an owner, of 1M", |b| {
        b.iter(|| black_box(ranks.rank(owner(next()), SortOrder::Descending)));
    });
    let mut round = 1_i32;
    criterion.bench_function("a score that changes, and its rank, of 1M", |b| {
        b.iter(|| {
            round += 1;
            let new = score(next(), u64::from(round.unsigned_abs()));
            ranks.set(new, round);
            black_box(ranks.rank(new.owner, SortOrder::Descending))
        });
    });
    criterion.final_summary();
}
