//! What chat keeps and lists, as the domain sees it.

use kakera::{
    chat::{ChatError, Deed, Draft, History, HistoryError, Listing},
    ids::{GroupId, StreamId, UserId},
    params,
    presence::wire::channel_id,
    store::{Store, Timestamp, messages::MessageRecord, users::sign_in},
};
use kakera_proto::api::ChannelMessageList;
use uuid::Uuid;

use crate::{on_both_databases, support::new_id};

async fn user(store: &Store, name: &str) -> UserId {
    let id = new_id();
    sign_in::create_with_device(store, id, name, &format!("device-of-{name}")).await.unwrap();
    id
}

/// A group of nobody yet.
async fn group(store: &Store, creator: UserId) -> GroupId {
    let id = GroupId(Uuid::new_v4());
    let sql = "insert into groups (id, creator_id, name, edge_count, create_time, update_time) \
               values ($1, $2, 'a group', 1, {now}, {now})";
    store.execute(sql, params![id, creator]).await.unwrap();
    id
}

async fn member(store: &Store, group: GroupId, user: UserId) {
    let sql = "insert into group_edge (source_id, position, update_time, destination_id, state) \
               values ($1, 1, {now}, $2, 2)";
    store.execute(sql, params![group, user]).await.unwrap();
}

async fn leaves(store: &Store, group: GroupId, user: UserId) {
    let sql = "delete from group_edge where source_id = $1 and destination_id = $2";
    store.execute(sql, params![group, user]).await.unwrap();
}

fn draft(
    stream: &StreamId,
    sender: UserId,
    (deed, persistent): (Deed, bool),
    micros: i64,
) -> Draft {
    let message = MessageRecord {
        id: Uuid::from_u128(micros as u128),
        code: deed.code() as i32,
        sender,
        username: "somebody".to_owned(),
        content: format!("{{\"n\": {micros}}}"),
        create_time: Timestamp(micros),
        update_time: Timestamp(micros),
    };
    Draft { stream: stream.clone(), deed, message, persistent }
}

const KEPT: bool = true;
const LIVE: bool = false;

async fn listed(
    history: &History,
    caller: UserId,
    stream: &StreamId,
    (limit, forward, cursor): (i32, bool, &str),
) -> Result<ChannelMessageList, HistoryError> {
    let listing = Listing {
        channel_id: channel_id(stream),
        limit: Some(limit),
        forward: Some(forward),
        cursor: cursor.to_owned(),
    };
    history.list(caller, listing).await
}

fn times(list: &ChannelMessageList) -> Vec<i64> {
    let micros =
        |time: kakera_proto::Timestamp| time.seconds * 1_000_000 + i64::from(time.nanos) / 1000;
    list.messages.iter().map(|message| micros(message.create_time.unwrap())).collect()
}

on_both_databases! {
    async fn a_message_of_a_persistent_join_is_kept_and_another_is_not(bench: Bench) {
        let (store, lobby) = (bench.store, StreamId::room("lobby"));
        let ann = user(&store, "ann").await;
        let history = History::new(store);
        let kept = draft(&lobby, ann, (Deed::Send, KEPT), 1_000_001);
        assert_eq!(history.keep(kept.clone()).await.unwrap(), kept, "nothing is changed");
        let live = draft(&lobby, ann, (Deed::Send, LIVE), 2_000_000);
        history.keep(live).await.unwrap();
        let list = listed(&history, new_id(), &lobby, (10, true, "")).await.unwrap();
        assert_eq!(times(&list), [1_000_001]);
        let message = &list.messages[0];
        assert_eq!((message.persistent, message.code), (Some(true), Some(0)));
        assert_eq!((message.channel_id.as_str(), message.room_name.as_str()), ("2...lobby", "lobby"));
        assert_eq!((&message.message_id, &message.sender_id),
            (&kept.message.id.to_string(), &ann.to_string()));
        // Both databases give back the same JSON; its spaces are theirs.
        assert_eq!(message.content, r#"{"n": 1000001}"#);
    }

    async fn a_change_is_answered_with_the_times_of_the_history(bench: Bench) {
        let (store, lobby) = (bench.store, StreamId::room("lobby"));
        let ann = user(&store, "ann").await;
        let history = History::new(store);
        let sent = history.keep(draft(&lobby, ann, (Deed::Send, KEPT), 1_000)).await.unwrap();
        let mut update = draft(&lobby, ann, (Deed::Update, KEPT), 2_000);
        update.message.id = sent.message.id;
        let updated = history.keep(update.clone()).await.unwrap().message;
        assert_eq!((updated.create_time, updated.update_time), (Timestamp(1_000), Timestamp(2_000)));
        let mut remove = draft(&lobby, ann, (Deed::Remove, KEPT), 3_000);
        remove.message.id = sent.message.id;
        let removed = history.keep(remove.clone()).await.unwrap().message;
        assert_eq!((removed.create_time, removed.update_time), (Timestamp(1_000), Timestamp(2_000)));
        for draft in [update, remove] {
            let deed = draft.deed;
            assert_eq!(history.keep(draft).await.unwrap_err(), ChatError::NoMessage(deed));
        }
    }

    async fn a_channel_of_a_group_is_for_its_members(bench: Bench) {
        let store = bench.store;
        let (ann, bob) = (user(&store, "ann").await, user(&store, "bob").await);
        let group = group(&store, ann).await;
        let stream = StreamId::group(group);
        let history = History::new(store.clone());
        let read = async |caller| listed(&history, caller, &stream, (10, true, "")).await;
        member(&store, group, ann).await;
        history.keep(draft(&stream, ann, (Deed::Send, KEPT), 1_000)).await.unwrap();
        history.keep(draft(&stream, ann, (Deed::Send, LIVE), 2_000)).await.unwrap();
        assert_eq!(read(ann).await.unwrap().messages[0].group_id, group.to_string());
        assert!(matches!(read(bob).await, Err(HistoryError::GroupNotFound)));
        let mut update = draft(&stream, ann, (Deed::Update, KEPT), 3_000);
        update.message.id = Uuid::from_u128(4);
        assert_eq!(history.keep(update).await.unwrap_err(), ChatError::NoMessage(Deed::Update));

        leaves(&store, group, ann).await;
        assert!(matches!(read(ann).await, Err(HistoryError::GroupNotFound)));
        for deed in [Deed::Send, Deed::Update, Deed::Remove] {
            for persistent in [KEPT, LIVE] {
                let mut draft = draft(&stream, ann, (deed, persistent), 4_000);
                if deed != Deed::Send {
                    draft.message.id = Uuid::from_u128(1_000);
                }
                assert_eq!(history.keep(draft).await.unwrap_err(), ChatError::NotJoined(deed));
            }
        }
    }

    async fn a_direct_channel_is_for_the_two_who_talk(bench: Bench) {
        let store = bench.store;
        let (ann, bob) = (user(&store, "ann").await, user(&store, "bob").await);
        let stream = StreamId::direct(ann, bob);
        let history = History::new(store);
        history.keep(draft(&stream, ann, (Deed::Send, KEPT), 1_000)).await.unwrap();
        for side in [ann, bob] {
            let list = listed(&history, side, &stream, (10, false, "")).await.unwrap();
            assert_eq!(list.messages[0].user_id_one, ann.min(bob).to_string());
            assert_eq!(list.messages[0].user_id_two, ann.max(bob).to_string());
        }
        let other = listed(&history, new_id(), &stream, (10, false, "")).await;
        assert!(matches!(other, Err(HistoryError::ChannelNotFound)));
    }

    async fn cursors_lead_through_short_and_long_pages(bench: Bench) {
        let (store, lobby) = (bench.store, StreamId::room("lobby"));
        let ann = user(&store, "ann").await;
        let history = History::new(store);
        let all: Vec<i64> = (1..=60).collect();
        for micros in &all {
            history.keep(draft(&lobby, ann, (Deed::Send, KEPT), *micros)).await.unwrap();
        }
        for (limit, forward) in [(7, true), (7, false), (25, true), (25, false), (60, true)] {
            let mut list = listed(&history, ann, &lobby, (limit, forward, "")).await.unwrap();
            let mut seen = times(&list);
            while !list.next_cursor.is_empty() {
                list = listed(&history, ann, &lobby, (limit, forward, &list.next_cursor)).await.unwrap();
                seen.extend(times(&list));
            }
            if !forward {
                seen.reverse();
            }
            assert_eq!(seen, all, "pages of {limit}");
        }
        let last = listed(&history, ann, &lobby, (100, true, "")).await.unwrap();
        history.keep(draft(&lobby, ann, (Deed::Send, KEPT), 61)).await.unwrap();
        let since = listed(&history, ann, &lobby, (100, true, &last.cacheable_cursor)).await.unwrap();
        assert_eq!(times(&since), [61]);
    }

    async fn what_a_user_has_sent_is_exported_with_its_channels(bench: Bench) {
        let store = bench.store;
        let (ann, bob) = (user(&store, "ann").await, user(&store, "bob").await);
        let history = History::new(store);
        let channels = [StreamId::room("a.b"), StreamId::direct(ann, bob)];
        for (stream, micros) in channels.iter().zip(1..) {
            history.keep(draft(stream, ann, (Deed::Send, KEPT), micros)).await.unwrap();
            history.keep(draft(stream, bob, (Deed::Send, KEPT), 10 + micros)).await.unwrap();
        }
        let mut sent = history.sent_by(ann).await.unwrap();
        sent.sort_by_key(|message| message.create_time.unwrap().nanos);
        let ids: Vec<_> = sent.iter().map(|message| message.channel_id.clone()).collect();
        assert_eq!(ids, channels.each_ref().map(channel_id));
        assert!(sent.iter().all(|message| message.sender_id == ann.to_string()));
        assert_eq!(history.sent_by(new_id()).await.unwrap(), []);
    }

    async fn what_the_database_cannot_hold_is_not_kept(bench: Bench) {
        let history = History::new(bench.store);
        let lobby = StreamId::room("lobby");
        // An account that was deleted in the meantime.
        let error = history.keep(draft(&lobby, new_id(), (Deed::Send, KEPT), 1)).await.unwrap_err();
        assert_eq!(error.to_string(), "Could not persist message to channel history");
    }
}
