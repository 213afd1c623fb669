//! Notifications: what is kept of them, in which order it is listed, and who is told live.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use kakera::{
    ids::UserId,
    notifications::{
        BATCH_LEN, Busy, Live, Notice, NotificationError, Notifications, TO_EVERYBODY_MAX, codes,
    },
    store::{Store, StoreError, notifications as table, users::sign_in},
};
use kakera_proto::{
    api,
    realtime::{Envelope, envelope::Message},
};
use kakera_shards::{Clock, Rng, runtime};
use serde_json::json;

use crate::{on_both_databases, support::new_id};

/// Remembers what went to whose sessions; refuses as often as it is told to.
#[derive(Default)]
struct Recorder {
    delivered: RefCell<Vec<(UserId, Vec<api::Notification>)>>,
    refusals: Cell<usize>,
}

impl Live for Recorder {
    fn deliver(&self, user: UserId, envelope: Envelope) -> Result<(), Busy> {
        if let Some(left) = self.refusals.get().checked_sub(1) {
            self.refusals.set(left);
            return Err(Busy);
        }
        let Some(Message::Notifications(notifications)) = envelope.message else {
            panic!("{envelope:?}")
        };
        self.delivered.borrow_mut().push((user, notifications.notifications));
        Ok(())
    }

    fn deliver_to_all(&self, envelope: &Envelope) {
        self.deliver(UserId::NIL, envelope.clone()).unwrap();
    }
}

fn service(store: &Store) -> (Notifications, Rc<Recorder>) {
    let recorder = Rc::new(Recorder::default());
    let shard = (Clock::system(), Rng::from_os());
    let counters = runtime::counters();
    (Notifications::new(store.clone(), recorder.clone(), shard, &counters), recorder)
}

async fn user(store: &Store, name: &str) -> UserId {
    let id = new_id();
    sign_in::create_with_device(store, id, name, &format!("device-of-{name}")).await.unwrap();
    id
}

fn notice(n: usize) -> Notice {
    Notice::stored(7, format!("number {n}"), &json!({ "n": n }), None).unwrap()
}

async fn subjects(notifications: &Notifications, user: UserId) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = notifications.list(user, Some(100), &cursor).await.unwrap();
        if page.notifications.is_empty() {
            return found;
        }
        found.extend(page.notifications.into_iter().map(|listed| listed.subject));
        cursor = page.cacheable_cursor;
    }
}

on_both_databases! {
    async fn a_stored_notice_is_listed_and_told_live(bench: Bench) {
        let (notifications, live) = service(&bench.store);
        let (ann, bob) = (user(&bench.store, "ann").await, user(&bench.store, "bob").await);
        let notice = Notice::stored(codes::FRIEND_REQUEST, "hi", &json!({"a": [1, "é"]}), Some(bob)).unwrap();
        notifications.send(&[(ann, notice)]).await.unwrap();

        let listed = notifications.list(ann, None, "").await.unwrap().notifications;
        let [listed] = listed.as_slice() else { panic!("{listed:?}") };
        assert_eq!((listed.subject.as_str(), listed.code, listed.persistent), ("hi", -2, true));
        assert_eq!(listed.sender_id, bob.to_string());
        let content: serde_json::Value = serde_json::from_str(&listed.content).unwrap();
        assert_eq!(content, json!({"a": [1, "é"]}));
        let delivered = live.delivered.take();
        let [(to, told)] = delivered.as_slice() else { panic!("{delivered:?}") };
        assert_eq!((*to, told.len()), (ann, 1));
        assert_eq!((&told[0].id, &told[0].sender_id), (&listed.id, &listed.sender_id));
        let (live_sec, stored_sec) = (told[0].create_time.unwrap(), listed.create_time.unwrap());
        assert!((live_sec.seconds - stored_sec.seconds).abs() <= 2, "{live_sec:?} {stored_sec:?}");
        assert!(notifications.list(bob, None, "").await.unwrap().notifications.is_empty());
    }

    async fn a_notice_of_the_server_names_the_nil_user_live_and_nobody_in_the_list(bench: Bench) {
        let (notifications, live) = service(&bench.store);
        let ann = user(&bench.store, "ann").await;
        notifications.send(&[(ann, notice(1))]).await.unwrap();
        assert_eq!(live.delivered.borrow()[0].1[0].sender_id, UserId::NIL.to_string());
        assert_eq!(notifications.list(ann, None, "").await.unwrap().notifications[0].sender_id, "");
    }

    async fn what_is_not_persistent_is_only_told_live(bench: Bench) {
        let (notifications, live) = service(&bench.store);
        let ann = user(&bench.store, "ann").await;
        let both = [(ann, notice(1).live_only()), (ann, notice(2)), (new_id(), notice(3).live_only())];
        notifications.send(&both).await.unwrap();
        assert_eq!(subjects(&notifications, ann).await, ["number 2"]);
        let delivered = live.delivered.borrow();
        assert_eq!(delivered.len(), 2, "what is for one user leaves in one envelope");
        let persistent: Vec<bool> = delivered[0].1.iter().map(|told| told.persistent).collect();
        assert_eq!(persistent, [false, true]);
    }

    async fn a_batch_keeps_its_order_through_pages_of_every_length(bench: Bench) {
        let (notifications, live) = service(&bench.store);
        let (ann, bob) = (user(&bench.store, "ann").await, user(&bench.store, "bob").await);
        let count = BATCH_LEN + 91;
        let to: Vec<_> = (0..count).map(|n| (if n.is_multiple_of(3) { bob } else { ann }, notice(n))).collect();
        notifications.send(&to).await.unwrap();
        let is_bobs = |n: &usize| n.is_multiple_of(3);
        let names = |numbers: Vec<usize>| numbers.iter().map(|n| format!("number {n}")).collect::<Vec<_>>();
        let (for_bob, for_ann) = (0..count).partition(is_bobs);
        let (for_bob, for_ann) = (names(for_bob), names(for_ann));
        assert_eq!(subjects(&notifications, ann).await, for_ann);
        assert_eq!(subjects(&notifications, bob).await, for_bob);
        assert_eq!(live.delivered.borrow().len(), 4, "two batches, two users");
        let kept = notifications.kept_for(ann).await.unwrap().into_iter().map(|kept| kept.subject);
        assert_eq!(kept.collect::<Vec<_>>(), for_ann);

        let (mut cursor, mut seen) = (String::new(), 0);
        for limit in [1, 2, 7, 100] {
            let page = notifications.list(ann, Some(limit), &cursor).await.unwrap();
            assert_eq!(page.notifications.len(), limit as usize);
            seen += page.notifications.len();
            cursor = page.cacheable_cursor;
        }
        let rest = notifications.list(ann, Some(1), &cursor).await.unwrap().notifications;
        assert_eq!(Some(&rest[0].subject), for_ann.get(seen));
    }

    async fn a_kept_cursor_yields_what_came_later_and_nothing_twice(bench: Bench) {
        let (notifications, _) = service(&bench.store);
        let ann = user(&bench.store, "ann").await;
        let empty = notifications.list(ann, Some(10), "").await.unwrap();
        assert!(empty.notifications.is_empty() && !empty.cacheable_cursor.is_empty());
        notifications.send(&[(ann, notice(1)), (ann, notice(2))]).await.unwrap();
        let first = notifications.list(ann, Some(10), &empty.cacheable_cursor).await.unwrap();
        assert_eq!(first.notifications.len(), 2);
        let none = notifications.list(ann, Some(10), &first.cacheable_cursor).await.unwrap();
        assert!(none.notifications.is_empty());
        assert_eq!(none.cacheable_cursor, first.cacheable_cursor);
        // The place stays good when what stood there is gone.
        let ids: Vec<String> = first.notifications.into_iter().map(|listed| listed.id).collect();
        notifications.delete(ann, &ids).await.unwrap();
        notifications.send(&[(ann, notice(3))]).await.unwrap();
        let later = notifications.list(ann, Some(10), &none.cacheable_cursor).await.unwrap();
        assert_eq!(later.notifications.len(), 1);
        assert_eq!(later.notifications[0].subject, "number 3");
        assert!(matches!(notifications.list(ann, None, "AAAA").await, Err(NotificationError::Cursor)));
    }

    async fn only_ones_own_notifications_are_deleted(bench: Bench) {
        let (notifications, _) = service(&bench.store);
        let (ann, bob) = (user(&bench.store, "ann").await, user(&bench.store, "bob").await);
        notifications.send(&[(ann, notice(1)), (ann, notice(2)), (bob, notice(3))]).await.unwrap();
        let page = async |user| notifications.list(user, Some(10), "").await.unwrap().notifications;
        let (of_ann, of_bob) = (page(ann).await, page(bob).await);
        let ids = [of_ann[0].id.clone(), of_bob[0].id.clone(), new_id().to_string()];
        notifications.delete(ann, &ids).await.unwrap();
        assert_eq!(subjects(&notifications, ann).await, ["number 2"]);
        assert_eq!(subjects(&notifications, bob).await, ["number 3"]);
        notifications.delete(ann, &[]).await.unwrap();
        let wrong = notifications.delete(ann, &["x".to_owned()]).await;
        assert!(matches!(wrong, Err(NotificationError::Ids)));
    }

    async fn a_batch_with_an_unknown_user_is_stored_and_told_to_nobody(bench: Bench) {
        let (notifications, live) = service(&bench.store);
        let ann = user(&bench.store, "ann").await;
        let mut to: Vec<_> = (0..10).map(|n| (ann, notice(n))).collect();
        to.push((new_id(), notice(10)));
        let result = notifications.send(&to).await;
        assert!(matches!(result, Err(NotificationError::UnknownUser)), "{result:?}");
        assert!(subjects(&notifications, ann).await.is_empty());
        assert!(live.delivered.borrow().is_empty());
    }

    async fn the_database_refuses_a_subject_that_is_too_long(bench: Bench) {
        let ann = user(&bench.store, "ann").await;
        let row = |subject: String| table::NewNotification {
            id: new_id().0,
            user: ann,
            subject,
            content: "{}".to_owned(),
            code: 1,
            sender: UserId::NIL,
        };
        table::insert(&bench.store, vec![row("é".repeat(255))]).await.unwrap();
        let result = table::insert(&bench.store, vec![row("é".repeat(256))]).await;
        assert!(matches!(result, Err(StoreError::Check(_))), "{result:?}");
    }

    async fn a_busy_shard_is_asked_again_and_then_given_up(bench: Bench) {
        let (notifications, live) = service(&bench.store);
        let ann = user(&bench.store, "ann").await;
        live.refusals.set(2);
        notifications.send(&[(ann, notice(1))]).await.unwrap();
        assert_eq!(live.delivered.borrow().len(), 1);
        live.refusals.set(1000);
        notifications.send(&[(ann, notice(2))]).await.unwrap();
        assert_eq!(live.delivered.borrow().len(), 1);
        assert_eq!(runtime::counters().board().sum("notifications_missed"), 1);
        assert_eq!(subjects(&notifications, ann).await, ["number 1", "number 2"]);
    }

    async fn everybody_is_told_once_and_the_system_user_is_nobody(bench: Bench) {
        let (notifications, live) = service(&bench.store);
        let count = BATCH_LEN + 10;
        let mut users = Vec::new();
        for n in 0..count {
            users.push(user(&bench.store, &format!("user-{n}")).await);
        }
        notifications.send_to_everybody(notice(1)).unwrap();
        for _ in 0..1000 {
            if live.delivered.borrow().len() >= count {
                break;
            }
            runtime::sleep(std::time::Duration::from_millis(10)).await;
        }
        let mut told: Vec<_> = live.delivered.take().into_iter().map(|(user, _)| user).collect();
        told.sort_unstable();
        users.sort_unstable();
        assert_eq!(told, users);
        for user in [users[0], users[count / 2], users[count - 1]] {
            assert_eq!(subjects(&notifications, user).await, ["number 1"]);
        }
        assert!(subjects(&notifications, UserId::NIL).await.is_empty());
        assert_eq!(runtime::counters().board().sum("notifications_unfinished"), 0);
    }

    async fn few_notices_to_everybody_are_on_their_way_at_once(bench: Bench) {
        let (notifications, live) = service(&bench.store);
        let ann = user(&bench.store, "ann").await;
        for n in 0..TO_EVERYBODY_MAX {
            notifications.send_to_everybody(notice(n)).unwrap();
        }
        let full = notifications.send_to_everybody(notice(9));
        assert!(matches!(full, Err(NotificationError::TooMany)), "{full:?}");
        notifications.send_to_everybody(notice(10).live_only()).unwrap();
        assert_eq!(live.delivered.borrow()[0].0, UserId::NIL, "who is online hears at once");
        while live.delivered.borrow().len() < TO_EVERYBODY_MAX + 1 {
            runtime::sleep(std::time::Duration::from_millis(10)).await;
        }
        runtime::sleep(std::time::Duration::from_millis(50)).await;
        notifications.send_to_everybody(notice(11)).unwrap();
        while live.delivered.borrow().len() < TO_EVERYBODY_MAX + 2 {
            runtime::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(subjects(&notifications, ann).await.len(), TO_EVERYBODY_MAX + 1);
    }

    async fn operators_page_through_all_users_and_through_one(bench: Bench) {
        let (notifications, _) = service(&bench.store);
        let mut users = [user(&bench.store, "ann").await, user(&bench.store, "bob").await];
        users.sort_unstable();
        let to: Vec<_> = (0..10).map(|n| (users[n % 2], notice(n))).collect();
        notifications.send(&to).await.unwrap();
        let page = async |user, cursor: String| {
            let page = notifications.page(user, 3, &cursor).await.unwrap();
            let numbers = page.notifications.iter().map(|row| row.record.subject.clone());
            let numbers: Vec<_> = numbers.map(|subject| subject["number ".len()..].parse().unwrap()).collect();
            (numbers, page.next, page.previous)
        };
        for (user, expected) in [
            (None, vec![0, 2, 4, 6, 8, 1, 3, 5, 7, 9]),
            (Some(users[1]), vec![1, 3, 5, 7, 9]),
        ] {
            let (mut seen, mut cursor, mut pages) = (Vec::<usize>::new(), String::new(), Vec::new());
            let mut previous;
            loop {
                let (numbers, next, before): (Vec<usize>, _, _) = page(user, cursor).await;
                seen.extend(&numbers);
                pages.push(numbers);
                previous = before;
                cursor = next;
                if cursor.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, expected);
            for expected in pages.iter().rev().skip(1) {
                let (numbers, _, before) = page(user, previous).await;
                assert_eq!(&numbers, expected);
                previous = before;
            }
            assert_eq!(previous, "", "the first page has none before it");
        }
        let of_bob = notifications.page(Some(users[1]), 1, "").await.unwrap();
        let row = of_bob.notifications[0].clone();
        assert_eq!(notifications.get(row.record.id).await.unwrap(), row);
        notifications.delete_of_anybody(row.record.id).await.unwrap();
        let gone = notifications.get(row.record.id).await;
        assert!(matches!(gone, Err(NotificationError::Unknown)), "{gone:?}");
    }

    async fn notifications_go_with_the_account(bench: Bench) {
        let (notifications, _) = service(&bench.store);
        let ann = user(&bench.store, "ann").await;
        notifications.send(&[(ann, notice(1))]).await.unwrap();
        kakera::store::users::lifecycle::delete(&bench.store, ann, false).await.unwrap();
        assert!(subjects(&notifications, ann).await.is_empty());
    }
}
