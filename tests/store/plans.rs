//! How the embedded database goes about lists: it begins where the page does, and stops at its end. What it
//! chooses is the same whatever is in the tables, for nobody analyses them.

use kakera::{
    ids::{GroupId, UserId},
    store::{
        Param, Reader, Store, StoreError, Timestamp, Tx,
        groups::{self, GroupPlace, GroupSelect},
        storage::{self, Authority, Key, ObjectId, Page, Scope, Search, SearchPage},
        users::find::{self, Filter},
    },
};
use uuid::Uuid;

use crate::support::Bench;

async fn plan(store: &Store, sql: &str, params: Vec<Param<'_>>) -> String {
    let sql = format!("explain query plan {sql}");
    let params: Vec<_> = params.into_iter().map(Param::into_owned).collect();
    let steps = async move |reader: &mut Reader<'_>| {
        let rows = reader.rows(&sql, &params).await?;
        let details = rows.iter().map(|row| row.get::<String>(row.len() - 1));
        Ok::<_, StoreError>(details.collect::<Result<Vec<_>, _>>()?.join("\n"))
    };
    store.read(steps).await.unwrap()
}

#[test]
fn a_page_of_objects_begins_in_the_index_where_the_last_one_ended() {
    Bench::run_sqlite(async |bench| {
        let me = UserId(Uuid::from_u128(1));
        let page = Page { read: 1, key: "k".into(), owner: me };
        let cases = [
            (Scope::Owner(me), Authority::Player(me), "user_id=? AND (read,key)>(?,?))"),
            (Scope::All, Authority::Player(me), "read=? AND (key,user_id)>(?,?))"),
            (Scope::All, Authority::Server, "(collection=? AND (read,key,user_id)>(?,?,?))"),
        ];
        for (scope, by, bounds) in cases {
            let (sql, params) = storage::list_statement(("c", scope), by, 9, Some(&page));
            let plan = plan(&bench.store, sql, params).await;
            assert!(plan.contains(bounds) && !plan.contains("TEMP"), "{scope:?}: {plan}");
        }
    });
}

#[test]
fn a_page_of_groups_begins_in_the_index_where_the_last_one_ended() {
    Bench::run_sqlite(async |bench| {
        let place = GroupPlace {
            name: "n".into(),
            lang_tag: "en".into(),
            edge_count: 3,
            update_time: Timestamp(5),
            id: GroupId::NIL,
        };
        let filter = |lang: bool, members: bool| GroupSelect::Filter {
            open: None,
            lang_tag: lang.then(|| "en".to_owned()),
            members: members.then_some(9),
        };
        let cases = [
            (filter(false, false), "(update_time,edge_count,id)>(?,?,?))"),
            (filter(true, false), "lang_tag=? AND (edge_count,id)>(?,?))"),
            (filter(false, true), "(edge_count,update_time,id)<(?,?,?))"),
            (GroupSelect::Name("a%".into()), "groups_name_key (name>?)"),
        ];
        for (select, bounds) in &cases {
            let (sql, params) = groups::list_statement(select, Some(&place), 9);
            let plan = plan(&bench.store, &sql, params).await;
            assert!(plan.contains(bounds) && !plan.contains("TEMP"), "{select:?}: {plan}");
        }
    });
}

/// How PostgreSQL would go about it if no table were short.
async fn plan_without_scans(store: &Store, sql: &str, params: Vec<Param<'_>>) -> String {
    let sql = format!("explain {sql}");
    let params: Vec<_> = params.into_iter().map(Param::into_owned).collect();
    let steps = async move |tx: &mut Tx<'_>| {
        tx.execute("set local enable_seqscan = off", &[]).await?;
        let rows = tx.rows(&sql, &params).await?;
        let lines = rows.iter().map(|row| row.get::<String>(0));
        Ok::<_, StoreError>(lines.collect::<Result<Vec<_>, _>>()?.join("\n"))
    };
    store.write(steps).await.unwrap()
}

#[test]
fn an_operator_finds_accounts_by_indexes() {
    let id = UserId(Uuid::from_u128(7));
    let named = |display_names| Filter::Named { name: id.to_string(), display_names };
    Bench::run_postgres(async |bench| {
        let filter = named(true);
        let (sql, params) = find::find_statement(&filter, 9);
        let plan = plan_without_scans(&bench.store, &sql, params).await;
        assert!(!plan.contains("Seq Scan"), "{plan}");
        assert!(plan.contains("users_display_name_idx"), "{plan}");
    });
    Bench::run_sqlite(async |bench| {
        let filter = named(false);
        let (sql, params) = find::find_statement(&filter, 9);
        let plan = plan(&bench.store, &sql, params).await;
        assert!(!plan.contains("SCAN u"), "{plan}");
    });
}

#[test]
fn an_operators_page_of_objects_begins_in_the_index_where_the_last_one_ended() {
    Bench::run_sqlite(async |bench| {
        let me = UserId(Uuid::from_u128(1));
        let id = ObjectId { collection: "c".into(), key: "k".into(), owner: me };
        let page = SearchPage { id, read: 1 };
        let all = Search::default();
        let collection = Search { collection: Some("c".into()), ..Search::default() };
        let owned = Search { owner: Some(me), ..collection.clone() };
        let key = Search { key: Some(Key::Is("k".into())), ..collection.clone() };
        let cases = [
            (all, "((collection,read,key,user_id)>(?,?,?,?))"),
            (collection, "(collection=? AND (read,key,user_id)>(?,?,?))"),
            (owned, "user_id=? AND (read,key)>(?,?))"),
            (key, "(collection=? AND key=? AND user_id>?)"),
        ];
        for (what, bounds) in &cases {
            let (sql, params) = storage::search_statement(what, 9, Some(&page));
            let plan = plan(&bench.store, &sql, params).await;
            assert!(plan.contains(bounds) && !plan.contains("TEMP"), "{what:?}: {plan}");
        }
    });
}
