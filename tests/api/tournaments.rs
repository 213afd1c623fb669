//! Tournaments, from outside: joining, writing and listing, and what players are told.

use http::Method;
use kakera::{
    leaderboards::{Operator, SortOrder},
    tournaments::NewTournament,
};
use serde_json::{Value, json};

use crate::support::{Bench, Reply, run};

fn new(id: &str) -> NewTournament {
    NewTournament {
        id: id.to_owned(),
        authoritative: false,
        sort_order: SortOrder::Descending,
        operator: Operator::Best,
        duration_sec: 3600,
        reset_schedule: String::new(),
        metadata: "{\"prize\":\"cake\"}".to_owned(),
        title: "A title".to_owned(),
        description: "A description".to_owned(),
        category: 3,
        start_time: 0,
        end_time: 0,
        max_size: 0,
        max_num_score: 0,
        join_required: false,
        enable_ranks: true,
    }
}

async fn create(bench: &Bench, new: NewTournament) {
    assert!(bench.services.tournaments.create(new).await.unwrap().1);
}

async fn ask(bench: &Bench, token: &str, method: Method, path: &str) -> Reply {
    bench.player(token, method, &format!("/v2/tournament{path}")).send().await
}

async fn write(bench: &Bench, token: &str, id: &str, record: Value) -> Reply {
    bench.player(token, Method::PUT, &format!("/v2/tournament/{id}")).json(&record).await
}

fn ids(list: &Value) -> Vec<String> {
    let tournaments = list.get("tournaments").map(|list| list.as_array().unwrap().clone());
    let id = |tournament: &Value| tournament["id"].as_str().unwrap().to_owned();
    tournaments.unwrap_or_default().iter().map(id).collect()
}

#[test]
fn a_tournament_shows_what_it_is() {
    run(async |bench| {
        let token = bench.device("device-0001").await.session;
        assert_eq!(ask(&bench, &token, Method::GET, "").await.ok(), json!({}));
        let full = NewTournament {
            max_size: 2,
            max_num_score: 3,
            reset_schedule: "@hourly".to_owned(),
            ..new("cup")
        };
        create(&bench, full).await;
        let list = ask(&bench, &token, Method::GET, "").await.ok();
        let cup = &list["tournaments"][0];
        for (field, value) in [
            ("id", json!("cup")),
            ("title", json!("A title")),
            ("description", json!("A description")),
            ("category", json!(3)),
            ("sort_order", json!(1)),
            ("operator", json!(1)),
            ("max_size", json!(2)),
            ("max_num_score", json!(3)),
            ("duration", json!(3600)),
        ] {
            assert_eq!(cup[field], value, "{field}");
        }
        let metadata: Value = serde_json::from_str(cup["metadata"].as_str().unwrap()).unwrap();
        assert_eq!(metadata, json!({"prize": "cake"}));
        assert!(cup["next_reset"].as_u64().unwrap() > cup["start_active"].as_u64().unwrap());
        for absent in ["size", "end_time", "authoritative", "join_required"] {
            assert!(cup.get(absent).is_none(), "{absent}");
        }
    });
}

#[test]
fn joining_and_attempts_have_their_limits() {
    run(async |bench| {
        create(&bench, NewTournament { join_required: true, max_size: 1, ..new("joined") }).await;
        create(&bench, NewTournament { max_num_score: 1, max_size: 1, ..new("once") }).await;
        let (one, two) =
            (bench.device("device-0001").await.session, bench.device("device-0002").await.session);
        let why = write(&bench, &one, "joined", json!({"score": 1})).await.refused(400, 9);
        assert_eq!(why, "Must join tournament before attempting to write value.");
        for _ in 0..2 {
            assert_eq!(ask(&bench, &one, Method::POST, "/joined/join").await.ok(), json!({}));
        }
        let why = ask(&bench, &two, Method::POST, "/joined/join").await.refused(400, 3);
        assert_eq!(why, "Tournament cannot be joined as it has reached its max size.");
        let record = write(&bench, &one, "joined", json!({"score": "5"})).await.ok();
        assert_eq!((&record["score"], &record["rank"]), (&json!("5"), &json!("1")));

        write(&bench, &one, "once", json!({"score": 1})).await.ok();
        let why = write(&bench, &one, "once", json!({"score": 2})).await.refused(400, 9);
        assert_eq!(why, "Reached allowed max number of score attempts.");
        let why = write(&bench, &two, "once", json!({"score": 2})).await.refused(400, 9);
        assert_eq!(why, "Tournament has reached max size.");
        assert_eq!(ask(&bench, &one, Method::DELETE, "/once").await.ok(), json!({}));
        write(&bench, &two, "once", json!({"score": 2})).await.ok();
    });
}

#[test]
fn what_is_wrong_with_a_score_is_said() {
    run(async |bench| {
        let now = kakera_shards::Clock::system().unix_sec();
        create(&bench, NewTournament { authoritative: true, ..new("scripts") }).await;
        let over = NewTournament { start_time: now - 900, end_time: now - 800, ..new("over") };
        create(&bench, over).await;
        create(&bench, NewTournament { start_time: now + 900, ..new("soon") }).await;
        let token = bench.device("device-0001").await.session;
        for (id, status, code, why) in [
            ("none", 404, 5, "Tournament not found."),
            ("over", 404, 5, "Tournament not found or has ended."),
            ("soon", 400, 9, "Tournament is not active and cannot accept new scores."),
            ("scripts", 403, 7, "Tournament only allows authoritative score submissions."),
        ] {
            let reply = write(&bench, &token, id, json!({"score": 1})).await;
            assert_eq!(reply.refused(status, code), why, "{id}");
        }
        let reply = write(&bench, &token, "soon", json!({"score": 1, "metadata": "no"})).await;
        assert_eq!(reply.refused(400, 3), "Metadata value must be JSON, if provided.");
    });
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    run(async |bench| {
        let now = kakera_shards::Clock::system().unix_sec();
        create(&bench, NewTournament { authoritative: true, ..new("scripts") }).await;
        let over = NewTournament { start_time: now - 900, end_time: now - 800, ..new("over") };
        create(&bench, over).await;
        create(&bench, NewTournament { start_time: now + 900, ..new("soon") }).await;
        let late = NewTournament { start_time: now - 9000, join_required: true, ..new("late") };
        create(&bench, late).await;
        let token = bench.device("device-0001").await.session;
        let nobody = "00000000-0000-4000-8000-000000000001";
        // After the method: the path, the status, the code and the sentence.
        let refusals = "
            DELETE /scripts 403 7 Tournament only allows authoritative score deletions.
            DELETE /none 404 5 Tournament not found.
            POST /none/join 404 5 Tournament not found.
            POST /late/join 400 3 Tournament is not active and cannot accept new joins.
            GET /none 404 5 Tournament not found.
            GET /over 404 5 Tournament has ended.
            GET /soon?limit=101 400 3 Invalid limit - limit must be between 1 and 100.
            GET /soon?owner_ids=me 400 3 One or more owner IDs are invalid.
            GET /soon?cursor=what 400 3 Cursor is invalid or expired.
            GET /soon/owner/me 400 3 Invalid owner ID provided.
            GET /none/owner/NOBODY 404 5 Tournament not found.
            GET ?category_end=128 400 3 Tournament category end must be >=0 and <128.
            GET ?category_start=5&category_end=4 400 3 Tournament category end must be greater than category start.
            GET ?start_time=9&end_time=8 400 3 Tournament end time must be greater than start time.
            GET ?limit=0 400 3 Limit must be between 1 and 100.
            GET ?cursor=what 400 3 Cursor is invalid or expired.";
        for line in refusals.trim().lines() {
            let mut words = line.trim().splitn(5, ' ');
            let mut word = || words.next().unwrap().to_owned();
            let (method, path) = (word().parse().unwrap(), word().replace("NOBODY", nobody));
            let (status, code) = (word().parse().unwrap(), word().parse().unwrap());
            let reply = ask(&bench, &token, method, &path).await;
            assert_eq!(reply.refused(status, code), word(), "{line}");
        }
        let joined = ask(&bench, &token, Method::POST, "/soon/join").await.ok();
        assert_eq!(joined, json!({}), "nobody need join");
    });
}

#[test]
fn tournaments_are_filtered_and_paged() {
    run(async |bench| {
        let token = bench.device("device-0001").await.session;
        for (n, category) in [0, 1, 2, 1].into_iter().enumerate() {
            let start_time = kakera_shards::Clock::system().unix_sec() - 600 + n as i64;
            create(&bench, NewTournament { category, start_time, ..new(&format!("t{n}")) }).await;
        }
        let list = async |query: &str| ask(&bench, &token, Method::GET, query).await.ok();
        assert_eq!(ids(&list("?category_start=1&category_end=1").await), ["t1", "t3"]);
        let first = list("?limit=3").await;
        assert_eq!(ids(&first), ["t0", "t1", "t2"]);
        let cursor = first["cursor"].as_str().unwrap();
        let rest = list(&format!("?limit=3&cursor={cursor}")).await;
        assert_eq!((ids(&rest), rest.get("cursor")), (vec!["t3".to_owned()], None));
        assert_eq!(ids(&list("?end_time=0").await).len(), 4);
        assert!(ids(&list("?start_time=4000000000").await).is_empty());
    });
}

#[test]
fn records_are_listed_by_tens_and_around_their_owners() {
    run(async |bench| {
        create(&bench, new("cup")).await;
        let mut players = Vec::new();
        for n in 0..12 {
            let token = bench.device(&format!("device-of-{n:04}")).await.session;
            write(&bench, &token, "cup", json!({"score": n.to_string()})).await.ok();
            players.push((bench.user_id(&token).await, token));
        }
        let token = &players[0].1;
        let list = ask(&bench, token, Method::GET, "/cup").await.ok();
        assert_eq!(
            (list["records"].as_array().unwrap().len(), &list["rank_count"]),
            (10, &json!("12"))
        );
        let cursor = list["next_cursor"].as_str().unwrap();
        let rest = ask(&bench, token, Method::GET, &format!("/cup?cursor={cursor}")).await.ok();
        assert_eq!(rest["records"].as_array().unwrap().len(), 2);
        let owner = players[0].0;
        let list =
            ask(&bench, token, Method::GET, &format!("/cup?owner_ids={owner}&limit=1")).await.ok();
        assert_eq!(list["owner_records"][0]["rank"], "12");
        let around = ask(&bench, token, Method::GET, &format!("/cup/owner/{owner}")).await.ok();
        assert_eq!(around["records"].as_array().unwrap().len(), 12);
        let around =
            ask(&bench, token, Method::GET, &format!("/cup/owner/{owner}?limit=3")).await.ok();
        let ranks: Vec<&Value> =
            around["records"].as_array().unwrap().iter().map(|r| &r["rank"]).collect();
        assert_eq!(ranks, ["10", "11", "12"]);
        assert!(around["prev_cursor"].is_string() && around.get("next_cursor").is_none());
    });
}

#[test]
fn operators_see_tournaments_among_the_boards() {
    run(async |bench| {
        create(&bench, NewTournament { max_size: 5, ..new("cup") }).await;
        let token = bench.device("device-0001").await.session;
        write(&bench, &token, "cup", json!({"score": 1})).await.ok();
        let admin = crate::console::token(&bench).await;
        let ask = async |method: Method, path: &str| {
            bench.console(&admin, method, &format!("/v2/console/leaderboard{path}")).send().await
        };
        let cup = ask(Method::GET, "/cup").await.ok();
        assert_eq!(
            (&cup["tournament"], &cup["size"], &cup["title"]),
            (&json!(true), &json!(1), &json!("A title"))
        );
        let owner = bench.user_id(&token).await;
        ask(Method::DELETE, &format!("/cup/owner/{owner}")).await.ok();
        assert_eq!(ask(Method::GET, "/cup").await.ok()["size"], 0);
        ask(Method::DELETE, "/cup").await.ok();
        assert_eq!(ask(Method::GET, "").await.ok()["total"], 0);
    });
}
