//! What realtime calls ask: who exists, who blocks whom, who is in which group.

use kakera::{
    ids::{GroupId, UserId},
    params,
    store::{Reader, Store, StoreError, Tx, relations, users::sign_in},
};

use crate::{on_both_databases, support::new_id};

async fn user(store: &Store, name: &'static str) -> UserId {
    let id = new_id();
    let device = format!("device-of-{name}");
    sign_in::create_with_device(store, id, name, &device).await.unwrap();
    id
}

/// Makes an edge of this state from one user to another.
async fn edge(store: &Store, (from, to): (UserId, UserId), state: i16) {
    let insert = async move |tx: &mut Tx<'_>| {
        let sql = "insert into user_edge (source_id, position, update_time, destination_id, state) \
                   values ($1, $2, {now}, $3, $4)";
        tx.execute(sql, params![from, i64::from(state) + 1, to, state]).await
    };
    store.write::<_, StoreError, _>(insert).await.unwrap();
}

async fn may_message(store: &Store, to: UserId, by: UserId) -> bool {
    let ask = async move |reader: &mut Reader<'_>| {
        relations::exists_and_does_not_block(reader, to, by).await
    };
    store.read(ask).await.unwrap()
}

on_both_databases! {
    async fn a_user_who_is_unknown_or_blocks_is_not_to_be_messaged(bench: Bench) {
        let store = bench.store;
        let (ann, bob, cat) = (user(&store, "ann").await, user(&store, "bob").await, user(&store, "cat").await);
        assert!(may_message(&store, ann, bob).await);
        assert!(may_message(&store, ann, ann).await, "with oneself one may always talk");
        assert!(!may_message(&store, new_id(), bob).await);
        edge(&store, (ann, bob), 3).await;
        edge(&store, (bob, cat), 0).await;
        assert!(!may_message(&store, ann, bob).await);
        assert!(may_message(&store, bob, ann).await, "who blocks may still write");
        assert!(may_message(&store, bob, cat).await, "a friend is not blocked");
    }

    async fn members_of_a_group_are_those_up_to_the_role_of_member(bench: Bench) {
        let store = bench.store;
        let group = GroupId(new_id().0);
        let creator = user(&store, "ann").await;
        let create = async move |tx: &mut Tx<'_>| {
            let sql = "insert into groups (id, creator_id, name, edge_count, create_time, update_time) \
                       values ($1, $2, 'a group', 1, {now}, {now})";
            tx.execute(sql, params![group.0, creator]).await
        };
        store.write::<_, StoreError, _>(create).await.unwrap();
        for (name, state, is_member) in [
            ("superadmin", 0_i16, true),
            ("admin", 1, true),
            ("member", 2, true),
            ("asked-to-join", 3, false),
            ("banned", 4, false),
        ] {
            let who = user(&store, name).await;
            let ask = async move |reader: &mut Reader<'_>| relations::is_member(reader, group, who).await;
            assert!(!store.read(ask).await.unwrap(), "{name} is not there yet");
            let insert = async move |tx: &mut Tx<'_>| {
                let sql = "insert into group_edge (source_id, position, update_time, destination_id, state) \
                           values ($1, $2, {now}, $3, $4)";
                tx.execute(sql, params![group.0, i64::from(state), who, state]).await
            };
            store.write::<_, StoreError, _>(insert).await.unwrap();
            assert_eq!(store.read(ask).await.unwrap(), is_member, "{name}");
        }
    }

    async fn those_who_exist_are_found_by_id_and_by_name(bench: Bench) {
        let store = bench.store;
        let (ann, bob) = (user(&store, "ann").await, user(&store, "bob").await);
        let ask = async move |reader: &mut Reader<'_>| {
            let names = ["bob".to_owned(), "nobody".to_owned()];
            relations::existing(reader, &[ann, new_id()], &names).await
        };
        let mut found = store.read(ask).await.unwrap();
        found.sort_unstable();
        let mut expected = [ann, bob];
        expected.sort_unstable();
        assert_eq!(found, expected);
        let nobody = async |reader: &mut Reader<'_>| relations::existing(reader, &[], &[]).await;
        assert_eq!(store.read(nobody).await.unwrap(), []);
    }
}
