//! Leaderboards, from outside: what players may write and read, and what they are told.

use http::Method;
use kakera::leaderboards::{NewLeaderboard, Operator, SortOrder};
use serde_json::{Value, json};

use crate::support::{Bench, Reply, run, run_with};

async fn create(bench: &Bench, id: &str, authoritative: bool, reset_schedule: &str) {
    let new = NewLeaderboard {
        id: id.to_owned(),
        authoritative,
        sort_order: SortOrder::Descending,
        operator: Operator::Best,
        reset_schedule: reset_schedule.to_owned(),
        metadata: String::new(),
        enable_ranks: true,
    };
    assert!(bench.services.leaderboards.create(new).await.unwrap().1);
}

async fn ask(bench: &Bench, token: &str, method: Method, path: &str) -> Reply {
    bench.player(token, method, &format!("/v2/leaderboard/{path}")).send().await
}

async fn write(bench: &Bench, token: &str, id: &str, record: Value) -> Reply {
    bench.player(token, Method::POST, &format!("/v2/leaderboard/{id}")).json(&record).await
}

/// So many players, each with one point more than the one before.
async fn players(bench: &Bench, id: &str, count: usize) -> Vec<(String, String)> {
    let mut players = Vec::new();
    for n in 0..count {
        let token = bench.device(&format!("device-of-{n:04}")).await.session;
        let user = bench.user_id(&token).await.to_string();
        write(bench, &token, id, json!({"score": n.to_string()})).await.ok();
        players.push((token, user));
    }
    players
}

fn ranks(body: &Value, field: &str) -> Vec<String> {
    let records = body.get(field).map(|records| records.as_array().unwrap().clone());
    let rank = |record: &Value| record["rank"].as_str().unwrap_or("").to_owned();
    records.unwrap_or_default().iter().map(rank).collect()
}

#[test]
fn a_score_comes_back_as_a_record_with_its_rank() {
    run(async |bench| {
        create(&bench, "points", false, "").await;
        let token = bench.device("device-0001").await.session;
        let me = bench.user_id(&token).await.to_string();
        let score = json!({"score": "7", "subscore": "3", "metadata": "{\"map\":\"moon\"}"});
        let record = write(&bench, &token, "points", score).await.ok();
        for (field, value) in [
            ("leaderboard_id", json!("points")),
            ("owner_id", json!(me)),
            ("score", json!("7")),
            ("subscore", json!("3")),
            ("num_score", json!(1)),
            ("max_num_score", json!(1_000_000)),
            ("rank", json!("1")),
        ] {
            assert_eq!(record[field], value, "{field}");
        }
        let metadata: Value = serde_json::from_str(record["metadata"].as_str().unwrap()).unwrap();
        assert_eq!(metadata, json!({"map": "moon"}));
        assert!(record["username"].is_string() && record["create_time"].is_string());
        assert!(record.get("expiry_time").is_none());
        // The overriding operator of the protocol is told from the board's own, which counts from 0.
        let summed = write(&bench, &token, "points", json!({"score": 5, "operator": 3})).await.ok();
        assert_eq!(summed["score"], "12");
        let worse = write(&bench, &token, "points", json!({"score": "1"})).await.ok();
        assert_eq!((&worse["score"], &worse["num_score"]), (&json!("12"), &json!(2)));
        assert_eq!(ask(&bench, &token, Method::DELETE, "points").await.ok(), json!({}));
        assert_eq!(ask(&bench, &token, Method::GET, "points").await.ok(), json!({}));
    });
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    run(async |bench| {
        create(&bench, "points", false, "").await;
        create(&bench, "scripts", true, "").await;
        let token = bench.device("device-0001").await.session;
        let why = write(&bench, &token, "none", json!({"score": 1})).await.refused(404, 5);
        assert_eq!(why, "Leaderboard not found.");
        let why = write(&bench, &token, "scripts", json!({"score": 1})).await.refused(403, 7);
        assert_eq!(why, "Leaderboard only allows authoritative score submissions.");
        let why = ask(&bench, &token, Method::DELETE, "scripts").await.refused(403, 7);
        assert_eq!(why, "Leaderboard only allows authoritative score deletions.");
        for metadata in ["what", "[]", "1"] {
            let record = json!({"score": 1, "metadata": metadata});
            let why = write(&bench, &token, "points", record).await.refused(400, 3);
            assert_eq!(why, "Metadata value must be JSON, if provided.");
        }
        write(&bench, &token, "points", json!({"score": -1})).await.refused(400, 3);
        for limit in ["0", "1001", "-1"] {
            let path = format!("points?limit={limit}");
            let why = ask(&bench, &token, Method::GET, &path).await.refused(400, 3);
            assert_eq!(why, "Invalid limit - limit must be between 1 and 1000.");
        }
        let why = ask(&bench, &token, Method::GET, "points?owner_ids=me").await.refused(400, 3);
        assert_eq!(why, "One or more owner IDs are invalid.");
        let why = ask(&bench, &token, Method::GET, "points?cursor=what").await.refused(400, 3);
        assert_eq!(why, "Cursor is invalid or expired.");
        let why = ask(&bench, &token, Method::GET, "none").await.refused(404, 5);
        assert_eq!(why, "Leaderboard not found.");
        let why = ask(&bench, &token, Method::GET, "points/owner/me").await.refused(400, 3);
        assert_eq!(why, "Invalid owner ID provided.");
        let me = bench.user_id(&token).await;
        let path = format!("points/owner/{me}?limit=101");
        let why = ask(&bench, &token, Method::GET, &path).await.refused(400, 3);
        assert_eq!(why, "Invalid limit - limit must be between 1 and 100.");
        let why = ask(&bench, &token, Method::GET, &format!("none/owner/{me}")).await;
        assert_eq!(why.refused(404, 5), "Leaderboard not found.");
        let anybody = bench.ask(Method::GET, "/v2/leaderboard/points").send().await;
        assert_eq!(anybody.refused(401, 16), "Auth token required");
    });
}

#[test]
fn lists_have_one_record_unless_more_are_asked_for_and_owners_alone_have_none() {
    run(async |bench| {
        create(&bench, "points", false, "").await;
        let players = players(&bench, "points", 5).await;
        let token = &players[0].0;
        let list = ask(&bench, token, Method::GET, "points").await.ok();
        assert_eq!(
            (ranks(&list, "records"), &list["rank_count"]),
            (vec!["1".to_owned()], &json!("5"))
        );
        let next = list["next_cursor"].as_str().unwrap();
        let path = format!("points?limit=3&cursor={next}");
        let list = ask(&bench, token, Method::GET, &path).await.ok();
        assert_eq!(ranks(&list, "records"), ["2", "3", "4"]);
        assert!(list["next_cursor"].is_string() && list["prev_cursor"].is_string());

        let owners = format!("points?owner_ids={}&owner_ids={}", players[1].1, players[4].1);
        let list = ask(&bench, token, Method::GET, &owners).await.ok();
        assert!(list.get("records").is_none());
        assert_eq!(ranks(&list, "owner_records"), ["1", "4"]);
        let list = ask(&bench, token, Method::GET, &format!("{owners}&limit=2")).await.ok();
        assert_eq!((ranks(&list, "records").len(), ranks(&list, "owner_records").len()), (2, 2));
    });
}

#[test]
fn around_an_owner_stands_the_owner_alone_unless_more_are_asked_for() {
    run(async |bench| {
        create(&bench, "points", false, "").await;
        let players = players(&bench, "points", 5).await;
        let (token, third) = (&players[0].0, &players[2].1);
        let list = ask(&bench, token, Method::GET, &format!("points/owner/{third}")).await.ok();
        assert_eq!(ranks(&list, "records"), ["3"]);
        let path = format!("points/owner/{third}?limit=4");
        let list = ask(&bench, token, Method::GET, &path).await.ok();
        assert_eq!(ranks(&list, "records"), ["2", "3", "4", "5"]);
        assert!(list.get("next_cursor").is_none());
        let previous = list["prev_cursor"].as_str().unwrap();
        let path = format!("points/owner/{third}?limit=4&cursor={previous}");
        let list = ask(&bench, token, Method::GET, &path).await.ok();
        assert_eq!(ranks(&list, "records"), ["1"]);
        let nobody = "points/owner/00000000-0000-4000-8000-000000000001?limit=4";
        assert_eq!(ask(&bench, token, Method::GET, nobody).await.ok(), json!({}));
    });
}

#[test]
fn a_board_with_a_schedule_tells_when_a_record_expires() {
    run(async |bench| {
        create(&bench, "daily", false, "@daily").await;
        let token = bench.device("device-0001").await.session;
        let record = write(&bench, &token, "daily", json!({"score": 1})).await.ok();
        assert!(record["expiry_time"].as_str().unwrap().ends_with("T00:00:00Z"));
        let list = ask(&bench, &token, Method::GET, "daily?expiry=86400").await.ok();
        assert!(list.get("records").is_none(), "nobody wrote so long ago");
    });
}

#[test]
fn boards_without_ranks_by_configuration_show_none() {
    for listed in ["points", "*"] {
        run_with(
            |config| config.leaderboard.blacklist_rank_cache = vec![listed.to_owned()],
            async |bench| {
                create(&bench, "points", false, "").await;
                let token = bench.device("device-0001").await.session;
                let record = write(&bench, &token, "points", json!({"score": 1})).await.ok();
                assert!(record.get("rank").is_none());
                let list = ask(&bench, &token, Method::GET, "points?limit=9").await.ok();
                // A page of the board counts its own places.
                assert_eq!(ranks(&list, "records"), ["1"]);
                assert!(list.get("rank_count").is_none());
            },
        );
    }
}

#[test]
fn a_deleted_account_leaves_no_rank_behind() {
    run(async |bench| {
        create(&bench, "points", false, "").await;
        let players = players(&bench, "points", 3).await;
        bench.player(&players[2].0, Method::DELETE, "/v2/account").send().await.ok();
        let list = ask(&bench, &players[0].0, Method::GET, "points?limit=9").await.ok();
        assert_eq!((ranks(&list, "records").len(), &list["rank_count"]), (2, &json!("2")));
        let path = format!("points?owner_ids={}", players[1].1);
        let list = ask(&bench, &players[0].0, Method::GET, &path).await.ok();
        assert_eq!(ranks(&list, "owner_records"), ["1"]);
    });
}

#[test]
fn operators_see_and_delete_boards_and_records() {
    run(async |bench| {
        for n in 0..101 {
            create(&bench, &format!("board-{n:03}"), n == 100, "@weekly").await;
        }
        let admin = crate::console::token(&bench).await;
        let ask = async |method: Method, path: &str| {
            bench.console(&admin, method, &format!("/v2/console/leaderboard{path}")).send().await
        };
        let list = ask(Method::GET, "").await.ok();
        let boards = list["leaderboards"].as_array().unwrap();
        assert_eq!((boards.len(), &list["total"]), (100, &json!(101)));
        let newest = &boards[0];
        assert_eq!((&newest["id"], &newest["authoritative"]), (&json!("board-100"), &json!(true)));
        assert_eq!(
            (&newest["reset_schedule"], &newest["tournament"]),
            (&json!("@weekly"), &json!(false))
        );
        let cursor = list["cursor"].as_str().unwrap();
        let rest = ask(Method::GET, &format!("?cursor={cursor}")).await.ok();
        assert_eq!(rest["leaderboards"][0]["id"], "board-000");
        assert_eq!((&rest["leaderboards"][1], &rest["cursor"]), (&Value::Null, &json!("")));
        assert_eq!(ask(Method::GET, "?cursor=x").await.error().0, 400);

        let one = ask(Method::GET, "/board-000").await.ok();
        assert_eq!((&one["sort_order"], &one["operator"]), (&json!(1), &json!(0)));
        assert!(one["next_reset"].as_u64().unwrap() > 0);
        assert_eq!(
            ask(Method::GET, "/none").await.error(),
            (404, 5, "Leaderboard not found.".to_owned())
        );

        let players = players(&bench, "board-000", 2).await;
        let list = ask(Method::GET, "/board-000/records?limit=9").await.ok();
        assert_eq!(list["records"][0]["owner_id"], players[1].1);
        ask(Method::GET, "/board-000/records?limit=101").await.error();
        let owner = format!("/board-000/owner/{}", players[1].1);
        ask(Method::DELETE, &owner).await.ok();
        let list = ask(Method::GET, "/board-000/records?limit=9").await.ok();
        assert_eq!(
            (list["records"].as_array().unwrap().len(), &list["rank_count"]),
            (1, &json!("1"))
        );
        assert_eq!(ask(Method::DELETE, "/board-000/owner/me").await.error().0, 400);
        for _ in 0..2 {
            ask(Method::DELETE, "/board-000").await.ok();
        }
        assert_eq!(ask(Method::GET, "/board-000").await.error().0, 404);
    });
}
