//! Leaderboards: what operators make of scores, in which order records are listed, and who stands where.

use std::{cell::Cell, rc::Rc};

use futures_util::future::join_all;
use hashbrown::HashMap;
use kakera::{
    ids::UserId,
    leaderboards::{
        Authority, LeaderboardError, Leaderboards, Listing, NewLeaderboard, Operator, SortOrder,
        Submission, Unranked,
    },
    store::{
        Store,
        leaderboards::{Place, RankRecord, definitions},
    },
};
use kakera_proto::api;
use kakera_shards::Clock;

use crate::{
    on_both_databases,
    support::{boards::leaderboards, new_id},
};

fn boards(store: &Store) -> Leaderboards {
    leaderboards(store, Clock::system(), Unranked::default())
}

fn new(id: &str, sort_order: SortOrder, operator: Operator) -> NewLeaderboard {
    NewLeaderboard {
        id: id.to_owned(),
        authoritative: false,
        sort_order,
        operator,
        reset_schedule: String::new(),
        metadata: String::new(),
        enable_ranks: true,
    }
}

fn score(owner: UserId, score: i64, subscore: i64) -> Submission {
    Submission {
        owner,
        username: "somebody".to_owned(),
        score,
        subscore,
        metadata: String::new(),
        operator: None,
    }
}

async fn write(
    boards: &Leaderboards,
    id: &str,
    submission: Submission,
) -> Result<api::LeaderboardRecord, LeaderboardError> {
    boards.write(id, Authority::Player, submission).await
}

fn page(limit: u32) -> Listing {
    Listing { limit: Some(limit), ..Listing::default() }
}

fn scores(records: &[api::LeaderboardRecord]) -> Vec<(i64, i64)> {
    records.iter().map(|record| (record.score, record.rank)).collect()
}

on_both_databases! {
    async fn a_score_is_ranked_when_its_writer_has_gone(bench: Bench) {
        let boards = boards(&bench.store);
        boards.create(new("b", SortOrder::Descending, Operator::Best)).await.unwrap();
        let (ann, bob) = (new_id(), new_id());
        assert_eq!(write(&boards, "b", score(ann, 5, 0)).await.unwrap().rank, 1);
        let mut gone = Box::pin(write(&boards, "b", score(bob, 9, 0)));
        assert!(futures_util::poll!(&mut gone).is_pending());
        drop(gone);
        let mut rank = 1;
        for _ in 0..1_000 {
            rank = write(&boards, "b", score(ann, 5, 0)).await.unwrap().rank;
            if rank == 2 {
                break;
            }
        }
        assert_eq!(rank, 2);
    }

    async fn each_operator_does_what_it_says_to_score_and_subscore_alone(bench: Bench) {
        let boards = boards(&bench.store);
        use {Operator::*, SortOrder::*};
        // Written in turn, and what is there then with how often it was written.
        for (order, operator, written, expected) in [
            (Descending, Best, [(5, 5), (3, 9), (2, 2)], [(5, 5, 1), (5, 9, 2), (5, 9, 2)]),
            (Ascending, Best, [(5, 5), (3, 9), (9, 9)], [(5, 5, 1), (3, 5, 2), (3, 5, 2)]),
            (Descending, Set, [(5, 5), (3, 9), (3, 9)], [(5, 5, 1), (3, 9, 2), (3, 9, 2)]),
            (Ascending, Set, [(5, 5), (7, 1), (7, 0)], [(5, 5, 1), (7, 1, 2), (7, 0, 3)]),
            (Descending, Increment, [(5, 5), (3, 0), (0, 0)], [(5, 5, 1), (8, 5, 2), (8, 5, 2)]),
            (Ascending, Increment, [(5, 5), (2, 1), (0, 0)], [(5, 5, 1), (7, 6, 2), (7, 6, 2)]),
            (Descending, Decrement, [(5, 5), (3, 0), (0, 0)], [(0, 0, 1), (0, 0, 2), (0, 0, 2)]),
            (Ascending, Decrement, [(5, 5), (-7, -2), (3, 9)], [(0, 0, 1), (7, 2, 2), (4, 0, 3)]),
        ] {
            let id = format!("{order:?} {operator:?}");
            boards.create(new(&id, order, operator)).await.unwrap();
            let owner = new_id();
            for ((points, more), (score_is, subscore_is, times)) in written.into_iter().zip(expected) {
                let record = write(&boards, &id, score(owner, points, more)).await.unwrap();
                let now = (record.score, record.subscore, record.num_score);
                assert_eq!(now, (score_is, subscore_is, times), "{id}");
                assert_eq!((record.rank, record.max_num_score), (1, 1_000_000));
            }
        }
        let owner = new_id();
        let other = Submission { operator: Some(Set), ..score(owner, 4, 0) };
        boards.create(new("overridden", Descending, Best)).await.unwrap();
        write(&boards, "overridden", score(owner, 9, 0)).await.unwrap();
        assert_eq!(write(&boards, "overridden", other).await.unwrap().score, 4);
    }

    async fn names_and_metadata_stay_where_nothing_new_is_said(bench: Bench) {
        let boards = boards(&bench.store);
        boards.create(new("b", SortOrder::Descending, Operator::Set)).await.unwrap();
        let owner = new_id();
        let first = Submission { metadata: r#"{"a": 1}"#.to_owned(), ..score(owner, 1, 0) };
        let record = write(&boards, "b", first).await.unwrap();
        assert_eq!(record.username.as_deref(), Some("somebody"));
        assert!(record.metadata.contains("\"a\""));
        assert_eq!(record.expiry_time, None);
        let second = Submission { username: String::new(), ..score(owner, 2, 0) };
        let record = write(&boards, "b", second).await.unwrap();
        assert_eq!(record.username.as_deref(), Some("somebody"));
        assert!(record.metadata.contains("\"a\""));
        assert!(record.create_time.unwrap().seconds <= record.update_time.unwrap().seconds);
    }

    async fn what_cannot_be_written_is_refused_and_changes_nothing(bench: Bench) {
        let boards = boards(&bench.store);
        let sums = NewLeaderboard { authoritative: true, ..new("sums", SortOrder::Descending, Operator::Increment) };
        boards.create(sums).await.unwrap();
        let owner = new_id();
        let refused = write(&boards, "sums", score(owner, 1, 0)).await.unwrap_err();
        assert_eq!(refused.to_string(), "Leaderboard only allows authoritative score submissions.");
        let refused = boards.delete_record("sums", Authority::Player, owner).await.unwrap_err();
        assert_eq!(refused.to_string(), "Leaderboard only allows authoritative score deletions.");
        assert!(matches!(write(&boards, "none", score(owner, 1, 0)).await, Err(LeaderboardError::NotFound)));
        boards.write("sums", Authority::Server, score(owner, i64::MAX - 1, 0)).await.unwrap();
        for wrong in [score(owner, 2, 0), score(owner, -1, 0), score(new_id(), -1, 0), score(new_id(), 0, -1)] {
            let refused = boards.write("sums", Authority::Server, wrong).await.unwrap_err();
            assert!(matches!(refused, LeaderboardError::Invalid(_)), "{refused}");
        }
        let list = boards.records("sums", page(10)).await.unwrap();
        assert_eq!(scores(&list.records), [(i64::MAX - 1, 1)]);
    }

    async fn pages_lead_forth_and_back_through_all_records(bench: Bench) {
        let boards = boards(&bench.store);
        for (id, order) in [("up", SortOrder::Ascending), ("down", SortOrder::Descending)] {
            boards.create(new(id, order, Operator::Set)).await.unwrap();
            let mut model: Vec<(i64, i64, UserId)> = Vec::new();
            for n in 0..23 {
                let owner = new_id();
                model.push((n / 4, n % 2, owner));
                write(&boards, id, score(owner, n / 4, n % 2)).await.unwrap();
            }
            model.sort_unstable();
            if order == SortOrder::Descending {
                model.reverse();
            }
            let owners: Vec<String> = model.iter().map(|(_, _, owner)| owner.to_string()).collect();
            let listed = |list: &api::LeaderboardRecordList| -> Vec<(i64, String)> {
                list.records.iter().map(|record| (record.rank, record.owner_id.clone())).collect()
            };
            let expected = |from: usize, to: usize| -> Vec<(i64, String)> {
                (from..to).map(|n| (n as i64 + 1, owners[n].clone())).collect()
            };
            let first = boards.records(id, page(10)).await.unwrap();
            assert_eq!(listed(&first), expected(0, 10));
            assert_eq!((first.prev_cursor.as_str(), first.rank_count), ("", 23));
            let to = |cursor: &str| Listing { cursor: Some(cursor.to_owned()), ..page(10) };
            let second = boards.records(id, to(&first.next_cursor)).await.unwrap();
            assert_eq!(listed(&second), expected(10, 20));
            let third = boards.records(id, to(&second.next_cursor)).await.unwrap();
            assert_eq!(listed(&third), expected(20, 23));
            assert_eq!(third.next_cursor, "");
            let back = boards.records(id, to(&third.prev_cursor)).await.unwrap();
            assert_eq!(listed(&back), expected(10, 20));
            let front = boards.records(id, to(&back.prev_cursor)).await.unwrap();
            assert_eq!(listed(&front), expected(0, 10));
            assert_eq!(front.prev_cursor, "");
            assert_eq!(listed(&boards.records(id, to(&front.next_cursor)).await.unwrap()), expected(10, 20));
        }
        let other = boards.records("up", page(10)).await.unwrap().next_cursor;
        for (id, cursor, expiry) in [("down", other.clone(), 0), ("up", other, 99), ("up", "what".to_owned(), 0)] {
            let listing = Listing { cursor: Some(cursor), expiry, ..page(10) };
            let refused = boards.records(id, listing).await;
            assert!(matches!(refused, Err(LeaderboardError::InvalidCursor)));
        }
    }

    async fn owners_records_come_in_the_order_of_the_board_with_their_ranks(bench: Bench) {
        let boards = boards(&bench.store);
        boards.create(new("b", SortOrder::Descending, Operator::Set)).await.unwrap();
        let owners: Vec<UserId> = (0..5).map(|_| new_id()).collect();
        for (n, owner) in owners.iter().enumerate() {
            write(&boards, "b", score(*owner, n as i64 * 10, 0)).await.unwrap();
        }
        let named = vec![owners[1], owners[4], new_id()];
        let listing = Listing { owners: named, ..Listing::default() };
        let list = boards.records("b", listing).await.unwrap();
        assert_eq!(scores(&list.owner_records), [(40, 1), (10, 4)]);
        assert!(list.records.is_empty() && list.rank_count == 5);
        boards.delete_record("b", Authority::Player, owners[4]).await.unwrap();
        boards.delete_record("b", Authority::Player, owners[4]).await.unwrap();
        let listing = Listing { owners: owners.clone(), ..page(2) };
        let list = boards.records("b", listing).await.unwrap();
        assert_eq!(scores(&list.owner_records), [(30, 1), (20, 2), (10, 3), (0, 4)]);
        assert_eq!(scores(&list.records), [(30, 1), (20, 2)]);
    }

    async fn a_page_around_an_owner_is_the_same_with_ranks_and_without(bench: Bench) {
        let ranked = boards(&bench.store);
        let mut config = kakera::config::Config::default();
        config.leaderboard.blacklist_rank_cache = vec!["b".to_owned()];
        let unranked = leaderboards(&bench.store, Clock::system(), Unranked::new(&config));
        ranked.create(new("b", SortOrder::Descending, Operator::Set)).await.unwrap();
        let owners: Vec<UserId> = (0..12).map(|_| new_id()).collect();
        for (n, owner) in owners.iter().enumerate() {
            write(&ranked, "b", score(*owner, 11 - n as i64, 0)).await.unwrap();
        }
        for (at, limit, expected) in [
            (5, 1, 5..6), (5, 4, 4..8), (5, 5, 3..8), (0, 5, 0..5), (1, 5, 0..5), (11, 5, 7..12),
            (10, 5, 7..12), (5, 100, 0..12),
        ] {
            let owner = owners[at];
            let mut cursors = Vec::new();
            for (boards, has_ranks) in [(&ranked, true), (&unranked, false)] {
                let list = boards.around("b", owner, limit, Listing::default()).await.unwrap();
                let expected: Vec<(i64, i64)> = expected.clone()
                    .map(|n: i32| i64::from(n))
                    .map(|n| (11 - n, if has_ranks { n + 1 } else { 0 })).collect();
                assert_eq!(scores(&list.records), expected, "{at} {limit} {has_ranks}");
                cursors.push((list.prev_cursor.is_empty(), list.next_cursor.is_empty()));
                let next = Listing { cursor: Some(list.next_cursor), ..Listing::default() };
                if expected.last().unwrap().0 > 0 {
                    let list = boards.around("b", owner, 1, next).await.unwrap();
                    assert_eq!(list.records[0].score, expected.last().unwrap().0 - 1);
                }
            }
            assert_eq!(cursors[0], cursors[1]);
            assert_eq!(cursors[0], (expected.start == 0, expected.end == 12));
        }
        let nobody = ranked.around("b", new_id(), 5, Listing::default()).await.unwrap();
        assert!(nobody.records.is_empty());
    }

    async fn a_cursor_leads_to_any_rank_and_an_export_has_all_records(bench: Bench) {
        let boards = boards(&bench.store);
        boards.create(new("b", SortOrder::Descending, Operator::Set)).await.unwrap();
        boards.create(new("c", SortOrder::Descending, Operator::Set)).await.unwrap();
        let owners: Vec<UserId> = (0..6).map(|_| new_id()).collect();
        for (n, owner) in owners.iter().enumerate() {
            write(&boards, "b", score(*owner, n as i64, 0)).await.unwrap();
        }
        write(&boards, "c", score(owners[2], 70, 7)).await.unwrap();
        assert_eq!(boards.cursor_from_rank("b", 1, 0).await.unwrap(), "");
        let cursor = boards.cursor_from_rank("b", 4, 0).await.unwrap();
        let list = boards.records("b", Listing { cursor: Some(cursor), ..page(2) }).await.unwrap();
        assert_eq!(scores(&list.records), [(2, 4), (1, 5)]);
        for wrong in [0, 8] {
            assert!(boards.cursor_from_rank("b", wrong, 0).await.is_err());
        }
        let all = boards.all_of_owner(owners[2]).await.unwrap();
        let all: Vec<(&str, i64)> = all.iter().map(|r| (r.leaderboard_id.as_str(), r.score)).collect();
        assert_eq!(all, [("b", 2), ("c", 70)]);
    }

    async fn ranks_that_lost_track_of_records_find_it_again(bench: Bench) {
        let boards = boards(&bench.store);
        let (board, _) = boards.create(new("b", SortOrder::Descending, Operator::Set)).await.unwrap();
        let owners = [new_id(), new_id(), new_id()];
        for (n, owner) in owners.iter().enumerate() {
            write(&boards, "b", score(*owner, n as i64, 0)).await.unwrap();
        }
        // What is left behind by messages that overtake each other.
        boards.rank_deleted(&board, 0, owners[1]).await;
        let ghost = Place { score: 9, subscore: 0, owner: new_id() };
        boards.rank_written(&board, 0, &RankRecord { place: ghost, num_score: 1 }).await;
        let around = boards.around("b", owners[2], 5, Listing::default()).await.unwrap();
        assert_eq!(scores(&around.records), [(2, 2), (0, 3)]);
        let listing = Listing { owners: owners.to_vec(), ..Listing::default() };
        let list = boards.records("b", listing.clone()).await.unwrap();
        assert_eq!(scores(&list.owner_records)[..2], [(2, 1), (1, 2)]);
        let list = boards.records("b", listing).await.unwrap();
        assert_eq!((scores(&list.owner_records), list.rank_count), (vec![(2, 1), (1, 2), (0, 3)], 3));
    }

    async fn many_writers_of_one_record_lose_nothing(bench: Bench) {
        let boards = boards(&bench.store);
        boards.create(new("sum", SortOrder::Descending, Operator::Increment)).await.unwrap();
        let owner = new_id();
        let writers = (1..=40).map(|n| write(&boards, "sum", score(owner, n, 1)));
        let written = join_all(writers).await;
        assert!(written.iter().all(Result::is_ok));
        let last = written.into_iter().map(Result::unwrap).max_by_key(|r| r.num_score).unwrap();
        assert_eq!((last.score, last.subscore, last.num_score), (820, 40, 40));
        let list = boards.records("sum", Listing { owners: vec![owner], ..page(1) }).await.unwrap();
        assert_eq!(scores(&list.owner_records), [(820, 1)]);
    }

    async fn ranks_follow_a_model_through_writes_deletes_and_a_restart(bench: Bench) {
        let before = boards(&bench.store);
        before.create(new("b", SortOrder::Ascending, Operator::Set)).await.unwrap();
        let owners: Vec<UserId> = (0..30).map(|_| new_id()).collect();
        let mut model: HashMap<UserId, (i64, i64)> = HashMap::new();
        let mut n = 7_i64;
        for step in 0..150 {
            n = (n * 75 + 74) % 65_537;
            let owner = owners[(n % 30) as usize];
            if step % 9 == 8 {
                before.delete_record("b", Authority::Player, owner).await.unwrap();
                model.remove(&owner);
            } else {
                let (points, more) = (n % 11, n % 3);
                let record = write(&before, "b", score(owner, points, more)).await.unwrap();
                model.insert(owner, (points, more));
                let better = model.iter().filter(|(other, (a, b))| {
                    (*a, *b, **other) < (points, more, owner)
                });
                assert_eq!(record.rank, better.count() as i64 + 1, "step {step}");
            }
        }
        let after = boards(&bench.store);
        assert_eq!(after.load().await.unwrap(), 1);
        let listing = || Listing { owners: owners.clone(), ..Listing::default() };
        let (old, fresh) =
            (before.records("b", listing()).await.unwrap(), after.records("b", listing()).await.unwrap());
        assert_eq!(old.owner_records, fresh.owner_records);
        assert_eq!(fresh.rank_count, model.len() as i64);
        let ranks: Vec<i64> = fresh.owner_records.iter().map(|record| record.rank).collect();
        assert_eq!(ranks, (1..=model.len() as i64).collect::<Vec<_>>());
    }

    async fn a_reset_begins_a_new_period_and_the_old_one_can_still_be_read(bench: Bench) {
        let ahead = Rc::new(Cell::new(0));
        let boards = leaderboards(&bench.store, Clock::shifted(Rc::clone(&ahead)), Unranked::default());
        let daily = NewLeaderboard { reset_schedule: "0 0 * * *".to_owned(), ..new("d", SortOrder::Descending, Operator::Best) };
        boards.create(daily).await.unwrap();
        let owner = new_id();
        let record = write(&boards, "d", score(owner, 9, 0)).await.unwrap();
        let expiry = record.expiry_time.unwrap().seconds;
        assert!(expiry > boards.now() && expiry % 86_400 == 0);
        ahead.set(86_400_000_000);
        assert!(boards.records("d", page(10)).await.unwrap().records.is_empty());
        let record = write(&boards, "d", score(owner, 4, 0)).await.unwrap();
        assert_eq!((record.score, record.num_score, record.expiry_time.unwrap().seconds), (4, 1, expiry + 86_400));
        let old = Listing { expiry, owners: vec![owner], ..page(10) };
        let list = boards.records("d", old).await.unwrap();
        assert_eq!((scores(&list.records), scores(&list.owner_records)), (vec![(9, 1)], vec![(9, 1)]));
        let around = Listing { expiry, ..Listing::default() };
        assert_eq!(scores(&boards.around("d", owner, 3, around).await.unwrap().records), [(9, 1)]);
        let shown = boards.get(&["d".to_owned()]).await.unwrap();
        assert_eq!(i64::from(shown[0].next_reset), expiry + 86_400);
        assert_eq!(i64::from(shown[0].prev_reset), expiry);
    }

    async fn creating_again_changes_nothing_and_deleting_takes_the_records_along(bench: Bench) {
        let boards = boards(&bench.store);
        let (board, created) = boards.create(new("b", SortOrder::Descending, Operator::Set)).await.unwrap();
        assert!(created && board.sort_order == SortOrder::Descending);
        let (board, created) = boards.create(new("b", SortOrder::Ascending, Operator::Best)).await.unwrap();
        assert!(!created && board.sort_order == SortOrder::Descending);
        for wrong in [
            NewLeaderboard { reset_schedule: "whenever".to_owned(), ..new("x", SortOrder::Ascending, Operator::Set) },
            NewLeaderboard { metadata: "[]".to_owned(), ..new("x", SortOrder::Ascending, Operator::Set) },
            new("", SortOrder::Ascending, Operator::Set),
            new(&"x".repeat(129), SortOrder::Ascending, Operator::Set),
        ] {
            assert!(matches!(boards.create(wrong).await, Err(LeaderboardError::Invalid(_))));
        }
        let owner = new_id();
        write(&boards, "b", score(owner, 1, 0)).await.unwrap();
        assert!(boards.delete("b").await.unwrap());
        assert!(!boards.delete("b").await.unwrap());
        assert!(matches!(boards.records("b", page(1)).await, Err(LeaderboardError::NotFound)));
        boards.create(new("b", SortOrder::Descending, Operator::Set)).await.unwrap();
        let list = boards.records("b", Listing { owners: vec![owner], ..page(1) }).await.unwrap();
        assert_eq!((list.records.len(), list.owner_records.len(), list.rank_count), (0, 0, 0));
    }

    async fn a_board_that_came_or_went_by_another_way_is_noticed(bench: Bench) {
        let (one, other) = (boards(&bench.store), boards(&bench.store));
        one.create(new("b", SortOrder::Descending, Operator::Set)).await.unwrap();
        assert!(write(&other, "b", score(new_id(), 1, 0)).await.is_ok());
        definitions::delete(&bench.store, "b").await.unwrap();
        assert!(matches!(write(&one, "b", score(new_id(), 1, 0)).await, Err(LeaderboardError::NotFound)));
        assert!(one.known().borrow().is_empty());
    }

    async fn boards_are_listed_by_age_and_one_without_ranks_shows_none(bench: Bench) {
        let boards = boards(&bench.store);
        for n in 0..5 {
            boards.create(new(&format!("b{n}"), SortOrder::Descending, Operator::Set)).await.unwrap();
        }
        let first = boards.list(3, None).unwrap();
        let ids = |list: &api::LeaderboardList| -> Vec<String> {
            list.leaderboards.iter().map(|board| board.id.clone()).collect()
        };
        assert_eq!(ids(&first), ["b0", "b1", "b2"]);
        let rest = boards.list(3, Some(&first.cursor)).unwrap();
        assert_eq!((ids(&rest), rest.cursor.as_str()), (vec!["b3".to_owned(), "b4".to_owned()], ""));
        assert!(matches!(boards.list(3, Some("what")), Err(LeaderboardError::InvalidCursor)));
        assert_eq!(write(&boards, "b0", score(new_id(), 1, 0)).await.unwrap().rank, 1);
        boards.disable_ranks("b0").await.unwrap();
        assert_eq!(write(&boards, "b0", score(new_id(), 2, 0)).await.unwrap().rank, 0);
        assert_eq!(boards.records("b0", page(1)).await.unwrap().rank_count, 0);
    }
}
