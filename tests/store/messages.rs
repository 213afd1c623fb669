//! Histories of channels.

use kakera::{
    ids::{GroupId, StreamId, UserId},
    params,
    store::{
        Reader, Store, StoreError, Timestamp, Tx,
        messages::{self, GroupNote, MessageRecord, Place},
        users::{lifecycle, sign_in},
    },
};
use uuid::Uuid;

use crate::{on_both_databases, support::new_id};

async fn user(store: &Store, name: &str) -> UserId {
    let id = new_id();
    sign_in::create_with_device(store, id, name, &format!("device-of-{name}")).await.unwrap();
    id
}

fn message(sender: UserId, micros: i64, content: &str) -> MessageRecord {
    MessageRecord {
        id: Uuid::new_v4(),
        code: 0,
        sender,
        username: "ann".to_owned(),
        content: content.to_owned(),
        create_time: Timestamp(micros),
        update_time: Timestamp(micros),
    }
}

/// The whole history, the oldest first.
async fn history(store: &Store, stream: &StreamId) -> Vec<MessageRecord> {
    page(store, stream, None, true, 1000).await
}

async fn page(
    store: &Store,
    stream: &StreamId,
    from: Option<Place>,
    ascending: bool,
    limit: i64,
) -> Vec<MessageRecord> {
    let stream = stream.clone();
    let ask = async move |reader: &mut Reader<'_>| {
        messages::page(reader, &stream, from, ascending, limit).await
    };
    store.read::<_, StoreError, _>(ask).await.unwrap()
}

/// Makes a group with this member, or changes what the member is there.
async fn member(store: &Store, group: GroupId, user: UserId, state: i16) {
    let write = async move |tx: &mut Tx<'_>| {
        tx.execute(
            "insert into groups (id, creator_id, name, edge_count, create_time, update_time) \
             values ($1, $2, 'a group', 1, {now}, {now}) on conflict (id) do nothing",
            params![group, user],
        )
        .await?;
        tx.execute(
            "delete from group_edge where source_id = $1 and destination_id = $2",
            params![group, user],
        )
        .await?;
        tx.execute(
            "insert into group_edge (source_id, position, update_time, destination_id, state) \
             values ($1, $2, {now}, $3, $4)",
            params![group, i64::from(user.0.as_u128() as u32), user, state],
        )
        .await
    };
    store.write::<_, StoreError, _>(write).await.unwrap();
}

on_both_databases! {
    async fn a_history_is_read_in_pages_from_either_end(bench: Bench) {
        let store = bench.store;
        let ann = user(&store, "ann").await;
        let (lobby, other) = (StreamId::room("lobby"), StreamId::room("lobby2"));
        let mut sent = Vec::new();
        for number in 0_i64..6 {
            // Pairs share their time, so that the id decides.
            let record = message(ann, 1_700_000_000_000_000 + number / 2, "{}");
            assert!(messages::insert(&store, &lobby, &record).await.unwrap());
            sent.push(record);
        }
        messages::insert(&store, &other, &message(ann, 1_700_000_000_000_000, "{}")).await.unwrap();
        sent.sort_by_key(|record| (record.create_time, record.id));
        assert_eq!(history(&store, &lobby).await, sent);
        assert_eq!(history(&store, &other).await.len(), 1);

        let at = |index: usize| Some(Place { create_time: sent[index].create_time, id: sent[index].id });
        assert_eq!(page(&store, &lobby, None, true, 2).await, sent[..2]);
        assert_eq!(page(&store, &lobby, at(1), true, 2).await, sent[2..4]);
        assert_eq!(page(&store, &lobby, at(5), true, 2).await, []);
        let backward: Vec<_> = sent.iter().rev().cloned().collect();
        assert_eq!(page(&store, &lobby, None, false, 4).await, backward[..4]);
        assert_eq!(page(&store, &lobby, at(2), false, 9).await, backward[4..]);
    }

    async fn pages_walk_the_primary_key(bench: Bench) {
        let store = bench.store;
        let ann = user(&store, "ann").await;
        let fill = async move |tx: &mut Tx<'_>| {
            for number in 0_i64..2000 {
                let sql = "insert into message (id, sender_id, username, stream_mode, stream_subject, \
                           stream_descriptor, stream_label, create_time) \
                           values ($1, $2, 'ann', 2, $3, $3, $4, $5)";
                let room = if number % 2 == 0 { "room 0" } else { "room 1" };
                let id = Uuid::from_u128(number as u128);
                tx.execute(sql, params![id, ann, Uuid::nil(), room, Timestamp(number)]).await?;
            }
            Ok(())
        };
        store.write::<_, StoreError, _>(fill).await.unwrap();
        store.execute("analyze", &[]).await.unwrap();
        let postgres = bench.database.writer_counters().is_none();
        for (beyond, ascending) in [(false, true), (false, false), (true, true), (true, false)] {
            let explain = if postgres { "explain" } else { "explain query plan" };
            let sql = format!("{explain} {}", messages::page_statement(beyond, ascending));
            let plan = async move |reader: &mut Reader<'_>| {
                let nil = Uuid::nil();
                let rows = if beyond {
                    let params = params![2_i16, nil, nil, "room 1", 5_i64, Timestamp(900), nil];
                    reader.rows(&sql, params).await?
                } else {
                    reader.rows(&sql, params![2_i16, nil, nil, "room 1", 5_i64]).await?
                };
                rows.iter().map(|row| row.get::<String>(row.len() - 1)).collect::<Result<Vec<_>, _>>()
            };
            let plan = store.read::<_, StoreError, _>(plan).await.unwrap().join("\n");
            let plan = plan.to_lowercase();
            assert!(plan.contains("index"), "{plan}");
            // The order comes out of the index, and the place is where the walk begins.
            assert!(!plan.contains("sort") && !plan.contains("temp b-tree"), "{plan}");
            assert!(!plan.contains("filter"), "{plan}");
            assert!(!beyond || plan.contains("create_time"), "{plan}");
        }
    }

    async fn the_sender_changes_and_removes_its_own_messages_only(bench: Bench) {
        let store = bench.store;
        let (ann, bob) = (user(&store, "ann").await, user(&store, "bob").await);
        let direct = StreamId::direct(ann, bob);
        let first = message(ann, 1_000, r#"{"say":"hi"}"#);
        messages::insert(&store, &direct, &first).await.unwrap();

        let change = |sender, id| MessageRecord { id, ..message(sender, 5_000, r#"{"say":"ho"}"#) };
        let update = async |stream: &StreamId, record| messages::update(&store, stream, &record).await.unwrap();
        assert_eq!(update(&direct, change(bob, first.id)).await, None, "not his");
        assert_eq!(update(&direct, change(ann, Uuid::new_v4())).await, None, "not there");
        assert_eq!(update(&StreamId::room("x"), change(ann, first.id)).await, None, "elsewhere");
        assert_eq!(update(&direct, change(ann, first.id)).await, Some(Timestamp(1_000)));
        let kept = history(&store, &direct).await;
        let content: serde_json::Value = serde_json::from_str(&kept[0].content).unwrap();
        assert_eq!(content["say"], "ho");
        assert_eq!((kept[0].create_time, kept[0].update_time), (Timestamp(1_000), Timestamp(5_000)));
        assert_eq!(kept[0].code, 0);

        let remove = async |stream: &StreamId, sender| {
            messages::remove(&store, stream, first.id, sender).await.unwrap()
        };
        assert_eq!(remove(&direct, bob).await, None);
        assert_eq!(remove(&StreamId::room("x"), ann).await, None);
        assert_eq!(remove(&direct, ann).await, Some((Timestamp(1_000), Timestamp(5_000))));
        assert_eq!(remove(&direct, ann).await, None, "only once");
        assert_eq!(history(&store, &direct).await, []);
    }

    async fn only_members_write_to_a_group(bench: Bench) {
        let store = bench.store;
        let (ann, bob) = (user(&store, "ann").await, user(&store, "bob").await);
        let group = GroupId(new_id().0);
        let stream = StreamId::group(group);
        member(&store, group, ann, 0).await;
        let hers = message(ann, 1, "{}");
        assert!(messages::insert(&store, &stream, &hers).await.unwrap());
        assert!(!messages::insert(&store, &stream, &message(bob, 2, "{}")).await.unwrap());
        for (state, writes) in [(2, true), (3, false), (4, false)] {
            member(&store, group, bob, state).await;
            let record = message(bob, 3, "{}");
            assert_eq!(messages::insert(&store, &stream, &record).await.unwrap(), writes, "{state}");
        }
        assert_eq!(history(&store, &stream).await.len(), 2);
        // Who is out may no longer change what it wrote.
        member(&store, group, ann, 4).await;
        assert_eq!(messages::update(&store, &stream, &hers).await.unwrap(), None);
        assert_eq!(messages::remove(&store, &stream, hers.id, ann).await.unwrap(), None);
        member(&store, group, ann, 1).await;
        assert!(messages::update(&store, &stream, &hers).await.unwrap().is_some());
        assert!(messages::remove(&store, &stream, hers.id, ann).await.unwrap().is_some());
    }

    async fn a_note_is_kept_with_the_change_it_tells_of(bench: Bench) {
        let store = bench.store;
        let ann = user(&store, "ann").await;
        let group = GroupId(new_id().0);
        let note = |user| GroupNote { id: Uuid::new_v4(), code: 3, group, user, time: Timestamp(7) };
        let (told, lost, nobody) = (note(ann), note(ann), note(new_id()));
        let tell = |note: GroupNote, commit: bool| {
            let steps = async move |tx: &mut Tx<'_>| {
                let name = messages::insert_note(tx, &note).await?;
                if commit { Ok(name) } else { Err(StoreError::NoRow) }
            };
            store.write::<_, StoreError, _>(steps)
        };
        assert_eq!(tell(told.clone(), true).await.unwrap().as_deref(), Some("ann"));
        assert_eq!(tell(nobody, true).await.unwrap(), None);
        tell(lost, false).await.unwrap_err();
        let kept = history(&store, &StreamId::group(group)).await;
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].id, kept[0].code, kept[0].sender), (told.id, 3, ann));
        assert_eq!((kept[0].username.as_str(), kept[0].content.as_str()), ("ann", "{}"));
        assert_eq!((kept[0].create_time, kept[0].update_time), (Timestamp(7), Timestamp(7)));
    }

    async fn a_deleted_account_takes_its_messages_along(bench: Bench) {
        let store = bench.store;
        let (ann, bob) = (user(&store, "ann").await, user(&store, "bob").await);
        let lobby = StreamId::room("lobby");
        for (sender, micros) in [(ann, 1), (bob, 2)] {
            messages::insert(&store, &lobby, &message(sender, micros, "{}")).await.unwrap();
        }
        lifecycle::delete(&store, ann, false).await.unwrap();
        let left: Vec<_> = history(&store, &lobby).await.iter().map(|record| record.sender).collect();
        assert_eq!(left, [bob]);
    }
}
