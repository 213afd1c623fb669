//! Accounts: signing up, finding, linking, updating, banning, deleting.

use kakera::ids::UserId;
use kakera::store::{
    Reader, Store, StoreError, Tx,
    accounts::{self, NewAccount, SignInKey, SignUp},
    links::{self, LinkKind, Linked},
    users::{self, UserQuery, UserUpdate},
};

use crate::{on_both_databases, support::new_id};

pub async fn sign_up(store: &Store, username: &str, key: SignInKey) -> UserId {
    let id = new_id();
    let account = NewAccount { id, username: username.to_owned(), key };
    assert_eq!(accounts::sign_up(store, account).await.unwrap(), SignUp::Created);
    id
}

pub fn device(id: &str) -> SignInKey {
    SignInKey::Device(id.to_owned())
}

async fn account(store: &Store, id: UserId) -> Option<accounts::Account> {
    store.read(async move |r: &mut Reader<'_>| accounts::by_id(r, id).await).await.unwrap()
}

async fn by_device(store: &Store, device: &'static str) -> Option<users::Identity> {
    store.read(async move |r: &mut Reader<'_>| users::by_device(r, device).await).await.unwrap()
}

async fn update(store: &Store, id: UserId, change: UserUpdate) -> Result<bool, StoreError> {
    store.write(async move |tx: &mut Tx<'_>| users::update(tx, id, &change).await).await
}

on_both_databases! {
    async fn a_device_signs_up_and_is_found(bench: Bench) {
        let store = bench.store();
        assert_eq!(by_device(&store, "device-0001").await, None);
        let id = sign_up(&store, "ann", device("device-0001")).await;
        let found = by_device(&store, "device-0001").await.unwrap();
        assert_eq!((found.id, found.username.as_str()), (id, "ann"));
        assert!(!found.disable_time.is_set());
        let account = account(&store, id).await.unwrap();
        assert_eq!(account.devices, ["device-0001"]);
        assert_eq!((account.wallet.as_str(), account.user.metadata.as_str()), ("{}", "{}"));
        assert_eq!(account.user.lang_tag, "en");
        assert!(account.user.create_time.is_set());
        assert_eq!(account.user.create_time, account.user.update_time);
    }

    async fn parallel_first_sign_ups_by_one_device_end_as_one_account(bench: Bench) {
        let store = bench.store();
        for (round, same_name) in [(1, true), (2, false)] {
            let attempts = (0..20).map(|n| {
                let store = store.clone();
                let name = if same_name { 0 } else { n };
                async move {
                    let account = NewAccount {
                        id: new_id(),
                        username: format!("racer-{round}-{name}"),
                        key: SignInKey::Device(format!("raced-device-{round}")),
                    };
                    let id = account.id;
                    (id, accounts::sign_up(&store, account).await.unwrap())
                }
            });
            let ended = futures_util::future::join_all(attempts).await;
            let winners: Vec<_> = ended.iter().filter(|(_, end)| *end == SignUp::Created).collect();
            assert_eq!(winners.len(), 1);
            for (id, end) in &ended {
                match end {
                    SignUp::Created => assert_eq!(*id, winners[0].0),
                    SignUp::Existing(found) => assert_eq!(found.id, winners[0].0),
                }
            }
        }
    }

    async fn a_taken_username_is_told_apart_from_a_taken_key(bench: Bench) {
        let store = bench.store();
        sign_up(&store, "taken", device("device-0001")).await;
        let mut keys = vec![device("device-0002"), SignInKey::Custom("custom-0002".into())];
        keys.push(SignInKey::Email { address: "b@example.com".into(), password: b"hash".to_vec() });
        for key in keys {
            let account = NewAccount { id: new_id(), username: "taken".into(), key };
            let error = accounts::sign_up(&store, account).await.unwrap_err();
            assert!(accounts::is_username_taken(&error), "{error}");
        }
        // Nothing of the refused ones remains.
        assert_eq!(by_device(&store, "device-0002").await, None);
        let first = sign_up(&store, "other", SignInKey::Custom("custom-0002".into())).await;
        let again = NewAccount {
            id: new_id(),
            username: "third".into(),
            key: SignInKey::Custom("custom-0002".into()),
        };
        match accounts::sign_up(&store, again).await.unwrap() {
            SignUp::Existing(found) => assert_eq!(found.id, first),
            SignUp::Created => panic!("a second account by one custom id"),
        }
    }

    async fn an_email_account_yields_its_password_hash(bench: Bench) {
        let store = bench.store();
        let key = SignInKey::Email { address: "ann@example.com".into(), password: b"hash".to_vec() };
        let id = sign_up(&store, "ann", key).await;
        let found = store
            .read(async |r: &mut Reader<'_>| {
                let by_email = users::by_email(r, "ann@example.com").await?;
                let by_name = users::by_username(r, "ann").await?;
                assert_eq!(by_email, by_name);
                Ok::<_, StoreError>(by_email)
            })
            .await
            .unwrap()
            .unwrap();
        assert_eq!((found.identity.id, found.password.as_deref()), (id, Some(&b"hash"[..])));
    }

    async fn users_are_listed_once_by_any_of_their_names(bench: Bench) {
        let store = bench.store();
        let ann = sign_up(&store, "ann", device("device-0001")).await;
        let bob = sign_up(&store, "bob", device("device-0002")).await;
        links::link(&store, bob, LinkKind::Facebook, "fb-bob").await.unwrap();
        let query = UserQuery {
            ids: vec![ann, ann, new_id()],
            usernames: vec!["ann".into(), "bob".into(), "nobody".into()],
            facebook_ids: vec!["fb-bob".into()],
        };
        let found = store.read(async move |r: &mut Reader<'_>| users::list(r, &query).await).await;
        let mut ids: Vec<UserId> = found.unwrap().iter().map(|user| user.id).collect();
        ids.sort();
        let mut wanted = vec![ann, bob];
        wanted.sort();
        assert_eq!(ids, wanted);
        let devices = vec!["device-0002".to_owned(), "device-0009".to_owned()];
        let accounts = store
            .read(async move |r: &mut Reader<'_>| accounts::by_devices(r, &devices).await)
            .await
            .unwrap();
        assert_eq!(accounts.len(), 1);
        assert_eq!((accounts[0].user.id, accounts[0].user.facebook_id.as_deref()), (bob, Some("fb-bob")));
    }

    async fn an_update_changes_what_it_names_and_nothing_else(bench: Bench) {
        let store = bench.store();
        let id = sign_up(&store, "ann", device("device-0001")).await;
        let before = account(&store, id).await.unwrap().user;
        let change = UserUpdate {
            display_name: Some("Ann".into()),
            lang_tag: Some("de".into()),
            metadata: Some(r#"{"a":1}"#.into()),
            ..UserUpdate::default()
        };
        assert!(update(&store, id, change.clone()).await.unwrap());
        let after = account(&store, id).await.unwrap().user;
        assert_eq!(after.display_name.as_deref(), Some("Ann"));
        assert_eq!((after.lang_tag.as_str(), after.username.as_str()), ("de", "ann"));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&after.metadata).unwrap()["a"], 1);
        assert!(after.update_time > before.update_time);
        // The same again is no change.
        assert!(!update(&store, id, change).await.unwrap());
        assert_eq!(account(&store, id).await.unwrap().user.update_time, after.update_time);
        let clear = UserUpdate {
            display_name: Some(String::new()),
            lang_tag: Some(String::new()),
            ..UserUpdate::default()
        };
        assert!(update(&store, id, clear).await.unwrap());
        let cleared = account(&store, id).await.unwrap().user;
        assert_eq!((cleared.display_name, cleared.lang_tag.as_str()), (None, "en"));
    }

    async fn an_update_to_a_taken_username_changes_nothing(bench: Bench) {
        let store = bench.store();
        sign_up(&store, "ann", device("device-0001")).await;
        let bob = sign_up(&store, "bob", device("device-0002")).await;
        let change = UserUpdate {
            username: Some("ann".into()),
            location: Some("here".into()),
            ..UserUpdate::default()
        };
        let error = update(&store, bob, change).await.unwrap_err();
        assert!(accounts::is_username_taken(&error), "{error}");
        let user = account(&store, bob).await.unwrap().user;
        assert_eq!((user.username.as_str(), user.location), ("bob", None));
    }

    async fn a_text_that_is_too_long_is_refused(bench: Bench) {
        let store = bench.store();
        let id = sign_up(&store, "ann", device("device-0001")).await;
        let change = UserUpdate { display_name: Some("x".repeat(256)), ..UserUpdate::default() };
        let error = update(&store, id, change).await.unwrap_err();
        assert!(matches!(error, StoreError::Check(_)), "{error:?}");
        let change = UserUpdate { display_name: Some("ü".repeat(255)), ..UserUpdate::default() };
        assert!(update(&store, id, change).await.unwrap());
    }

    async fn keys_are_linked_and_unlinked_but_never_the_last_or_a_foreign_one(bench: Bench) {
        let store = bench.store();
        let ann = sign_up(&store, "ann", device("device-0001")).await;
        let bob = sign_up(&store, "bob", SignInKey::Custom("custom-bob".into())).await;
        // The last key stays.
        assert!(!links::unlink_device(&store, ann, "device-0001".into()).await.unwrap());
        assert!(!links::unlink(&store, bob, LinkKind::Custom, None).await.unwrap());
        // What another account has cannot be linked, nor unlinked from there.
        assert_eq!(links::link(&store, ann, LinkKind::Custom, "custom-bob").await.unwrap(), Linked::InUse);
        assert_eq!(links::link_device(&store, bob, "device-0001".into()).await.unwrap(), Linked::InUse);
        assert!(!links::unlink_device(&store, bob, "device-0001".into()).await.unwrap());
        // One's own again is no error.
        assert_eq!(links::link_device(&store, ann, "device-0001".into()).await.unwrap(), Linked::Yes);
        assert_eq!(links::link(&store, new_id(), LinkKind::Custom, "free").await.unwrap(), Linked::NoAccount);
        assert_eq!(links::link_device(&store, new_id(), "free".into()).await.unwrap(), Linked::NoAccount);
        // With a second key, the first can go.
        assert_eq!(links::link_email(&store, ann, "ann@example.com", b"hash").await.unwrap(), Linked::Yes);
        assert!(!links::unlink(&store, ann, LinkKind::Email, Some("bob@example.com")).await.unwrap());
        assert!(links::unlink_device(&store, ann, "device-0001".into()).await.unwrap());
        assert!(!links::unlink(&store, ann, LinkKind::Email, Some("ann@example.com")).await.unwrap());
        assert_eq!(links::link(&store, ann, LinkKind::Steam, "steam-ann").await.unwrap(), Linked::Yes);
        assert!(links::unlink(&store, ann, LinkKind::Email, Some("ann@example.com")).await.unwrap());
        let account = account(&store, ann).await.unwrap();
        assert_eq!((account.email, account.devices.len()), (None, 0));
        assert_eq!(account.user.steam_id.as_deref(), Some("steam-ann"));
        let password = store
            .read(async |r: &mut Reader<'_>| users::by_username(r, "ann").await)
            .await
            .unwrap()
            .unwrap()
            .password;
        assert_eq!(password, None);
    }

    async fn two_unlinks_at_once_leave_one_key(bench: Bench) {
        let store = bench.store();
        let ann = sign_up(&store, "ann", device("device-0001")).await;
        links::link_device(&store, ann, "device-0002".into()).await.unwrap();
        let (one, two) = futures_util::future::join(
            links::unlink_device(&store, ann, "device-0001".into()),
            links::unlink_device(&store, ann, "device-0002".into()),
        )
        .await;
        assert!(one.unwrap() != two.unwrap());
        assert_eq!(account(&store, ann).await.unwrap().devices.len(), 1);
    }

    async fn a_ban_sets_the_time_and_lifting_it_clears_it(bench: Bench) {
        let store = bench.store();
        let ann = sign_up(&store, "ann", device("device-0001")).await;
        let ban = async move |tx: &mut Tx<'_>| users::ban(tx, &[ann]).await;
        assert_eq!(store.write(ban).await.unwrap(), 1);
        assert!(by_device(&store, "device-0001").await.unwrap().disable_time.is_set());
        let unban = async move |tx: &mut Tx<'_>| users::unban(tx, &[ann]).await;
        assert_eq!(store.write(unban).await.unwrap(), 1);
        assert!(!by_device(&store, "device-0001").await.unwrap().disable_time.is_set());
    }

    async fn deleting_an_account_keeps_the_counts_of_others_right(bench: Bench) {
        let store = bench.store();
        let ann = sign_up(&store, "ann", device("device-0001")).await;
        let bob = sign_up(&store, "bob", device("device-0002")).await;
        let groups = [new_id().0, new_id().0];
        store
            .write(async move |tx: &mut Tx<'_>| {
                for (a, b) in [(ann, bob), (bob, ann)] {
                    let edge = "insert into user_edge (source_id, position, update_time, destination_id) \
                                values ($1, 1, {now}, $2)";
                    tx.execute(edge, kakera::params![a, b]).await?;
                }
                tx.execute("update users set edge_count = 1 where id {in $1}", kakera::params![&[ann, bob][..]]).await?;
                // Ann alone leads the first group; in the second Bob leads and Ann is a member.
                for (n, (group, (ann_state, bob_state))) in groups.into_iter().zip([(0_i16, 2_i16), (2, 0)]).enumerate() {
                    let sql = "insert into groups (id, creator_id, name, edge_count, create_time, update_time) \
                               values ($1, $2, $3, 2, {now}, {now})";
                    tx.execute(sql, kakera::params![group, ann, format!("group-{n}")]).await?;
                    for (user, state) in [(ann, ann_state), (bob, bob_state)] {
                        for (position, (from, to)) in [(user.0, group), (group, user.0)].into_iter().enumerate() {
                            let edge = "insert into group_edge (source_id, position, update_time, destination_id, state) \
                                        values ($1, $2, {now}, $3, $4)";
                            let position = (n * 10 + position) as i64;
                            tx.execute(edge, kakera::params![from, position, to, state]).await?;
                        }
                    }
                }
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
        let delete = async move |tx: &mut Tx<'_>| accounts::delete(tx, ann, true).await;
        assert!(store.write(delete).await.unwrap().is_some());
        assert_eq!(account(&store, ann).await, None);
        assert_eq!(by_device(&store, "device-0001").await, None);
        assert_eq!(account(&store, bob).await.unwrap().user.edge_count, 0);
        let (left, edges, tombs): (Vec<(uuid::Uuid, i32)>, i64, i64) = store
            .read(async move |r: &mut Reader<'_>| {
                let left = r.all("select id, edge_count from groups", &[]).await?;
                let (edges,) = r.one("select count(*) from group_edge", &[]).await?;
                let (tombs,) = r
                    .one("select count(*) from user_tombstone where user_id = $1", kakera::params![ann])
                    .await?;
                Ok::<_, StoreError>((left, edges, tombs))
            })
            .await
            .unwrap();
        assert_eq!(left, [(groups[1], 1)]);
        assert_eq!((edges, tombs), (2, 1));
        let again = store.write(async move |tx: &mut Tx<'_>| accounts::delete(tx, ann, true).await).await;
        assert!(again.unwrap().is_none());
    }

    async fn the_system_user_stays(bench: Bench) {
        let store = bench.store();
        let delete = async |tx: &mut Tx<'_>| accounts::delete(tx, UserId::NIL, false).await;
        assert!(store.write(delete).await.is_err());
        assert_eq!(account(&store, UserId::NIL).await.unwrap().user.username, "");
        sign_up(&store, "ann", device("device-0001")).await;
        let drawn = store.read(async |r: &mut Reader<'_>| users::random(r, new_id(), 10).await).await;
        assert_eq!(drawn.unwrap().iter().map(|user| user.username.as_str()).collect::<Vec<_>>(), ["ann"]);
    }
}
