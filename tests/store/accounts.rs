//! Accounts: signing up, finding, linking, updating, banning, deleting.

use kakera::{
    auth::SignIn,
    ids::UserId,
    params,
    store::{
        Reader, Store, StoreError, Tx,
        users::{
            self, ExternalId, ProfileChange, USERNAME_UNIQUE,
            find::Filter,
            identities::{self, Which},
            lifecycle, profiles, sign_in,
        },
    },
};
use kakera_shards::Rng;

use crate::{on_both_databases, support::new_id};

async fn with_device(store: &Store, username: &str, device: &str) -> UserId {
    let id = new_id();
    sign_in::create_with_device(store, id, username, device).await.unwrap();
    id
}

async fn account(store: &Store, id: UserId) -> Option<users::AccountRecord> {
    profiles::account(store, id).await.unwrap()
}

fn assert_unique<T: std::fmt::Debug>(result: Result<T, StoreError>, name: &str) {
    match result {
        Err(error) => assert!(error.is_unique(name), "{error}"),
        Ok(value) => panic!("{name} did not refuse: {value:?}"),
    }
}

on_both_databases! {
    async fn a_device_signs_up_and_is_found(bench: Bench) {
        let store = bench.store;
        assert_eq!(sign_in::by_device(&store, "device-0001").await.unwrap(), None);
        let id = with_device(&store, "ann", "device-0001").await;
        let found = sign_in::by_device(&store, "device-0001").await.unwrap().unwrap();
        assert_eq!((found.id, found.username.as_str()), (id, "ann"));
        assert!(!found.disable_time.is_set());
        let account = account(&store, id).await.unwrap();
        assert_eq!(account.devices, ["device-0001"]);
        assert_eq!((account.wallet.as_str(), account.user.metadata.as_str()), ("{}", "{}"));
        assert_eq!(account.user.lang_tag, "en");
        assert!(account.user.create_time.is_set());
        assert_eq!(account.user.create_time, account.user.update_time);
    }

    async fn of_two_identifiers_that_are_unlinked_at_once_one_stays(bench: Bench) {
        let store = bench.store;
        for round in 0..20 {
            let device = format!("device-{round:04}");
            let (custom, email) = (format!("custom-{round}"), format!("u{round}@example.com"));
            let id = with_device(&store, &format!("user{round}"), &device).await;
            identities::link_external(&store, id, ExternalId::Custom, &custom).await.unwrap();
            let with_email = round % 2 == 0;
            if with_email {
                identities::link_email(&store, id, &email, b"hash").await.unwrap();
            }
            let email = async {
                if with_email { identities::unlink_email(&store, id, Which::Any).await.unwrap() } else { true }
            };
            let custom = identities::unlink_external(&store, id, ExternalId::Custom, Which::Any);
            let device = identities::unlink_device(&store, id, &device);
            let (device, custom, email) = futures_util::join!(device, custom, email);
            let gone = [device.unwrap(), custom.unwrap(), email];
            assert_eq!(gone.into_iter().filter(|gone| *gone).count(), 2, "{gone:?}");
            let account = account(&store, id).await.unwrap();
            let left = account.devices.len()
                + usize::from(account.custom_id.is_some())
                + usize::from(account.email.is_some());
            assert_eq!(left, 1);
        }
    }

    async fn an_operator_finds_accounts_by_any_name(bench: Bench) {
        let store = bench.store;
        let ann = with_device(&store, "ann", "device-0001").await;
        let bob = with_device(&store, "bob", "device-0002").await;
        identities::link_external(&store, bob, ExternalId::Custom, &ann.to_string()).await.unwrap();
        let display_name = Some("100% Böb_by \\o/".to_owned());
        profiles::change(&store, bob, &ProfileChange { display_name, ..ProfileChange::default() }).await.unwrap();
        let find = async |filter| -> Vec<UserId> {
            let found = users::find::find(&store, filter, 9).await.unwrap();
            found.into_iter().map(|user| user.id).collect()
        };
        let named = |name: &str| Filter::Named { name: name.to_owned(), display_names: true };
        assert_eq!(find(named("ann")).await, [ann]);
        assert_eq!(find(named("device-0002")).await, [bob]);
        let mut both = vec![ann, bob];
        both.sort_unstable();
        assert_eq!(find(named(&ann.to_string())).await, both, "by the id, and by what is named so");
        for part in ["100%", "B_BY \\O", "b_by"] {
            let upper = part.to_uppercase();
            assert_eq!(find(named(part)).await, [bob], "{part}");
            assert_eq!(find(named(&upper)).await, [bob], "{upper}");
        }
        for part in ["by", "1%0", "bXby", "%%%"] {
            assert!(find(named(part)).await.is_empty(), "{part}");
        }
        let unnamed = Filter::Named { name: "b_by".to_owned(), display_names: false };
        assert!(find(unnamed).await.is_empty());
        assert_eq!(find(Filter::Like("A%".to_owned())).await, [ann]);
    }

    async fn parallel_first_sign_ups_by_one_device_end_as_one_account(bench: Bench) {
        let store = bench.store;
        let sign_in = SignIn::new(store.clone(), Rng::from_seed(7));
        for (round, same_name) in [(1, true), (2, false)] {
            let attempts = (0..20).map(|n| {
                let sign_in = &sign_in;
                let name = format!("racer-{round}-{}", if same_name { 0 } else { n });
                async move {
                    sign_in.device(&format!("raced-device-{round}"), &name, true).await.unwrap()
                }
            });
            let ended = futures_util::future::join_all(attempts).await;
            let winner = ended.iter().find(|end| end.created).unwrap();
            assert_eq!(ended.iter().filter(|end| end.created).count(), 1);
            assert!(ended.iter().all(|end| (end.user, &end.username) == (winner.user, &winner.username)));
        }
    }

    async fn a_taken_username_is_told_apart_from_a_taken_key(bench: Bench) {
        let store = bench.store;
        with_device(&store, "taken", "device-0001").await;
        let id = new_id();
        assert_unique(sign_in::create_with_device(&store, id, "taken", "device-0002").await, USERNAME_UNIQUE);
        let custom = async |name, id: &str| {
            sign_in::create_with_external(&store, new_id(), name, ExternalId::Custom, id).await
        };
        assert_unique(custom("taken", "custom-0002").await, USERNAME_UNIQUE);
        let email = sign_in::create_with_email(&store, id, "taken", "a@example.com", b"hash").await;
        assert_unique(email, USERNAME_UNIQUE);
        // Nothing of the refused ones remains.
        assert_eq!(sign_in::by_device(&store, "device-0002").await.unwrap(), None);
        assert_eq!(account(&store, id).await, None);
        assert_unique(sign_in::create_with_device(&store, id, "other", "device-0001").await, "user_device_pkey");
        assert_eq!(account(&store, id).await, None);
        custom("other", "custom-0002").await.unwrap();
        assert_unique(custom("third", "custom-0002").await, "users_custom_id_key");
        let email = async |name| {
            sign_in::create_with_email(&store, new_id(), name, "a@example.com", b"hash").await
        };
        email("fourth").await.unwrap();
        assert_unique(email("fifth").await, "users_email_key");
    }

    async fn an_email_account_yields_its_password_hash(bench: Bench) {
        let store = bench.store;
        let id = new_id();
        sign_in::create_with_email(&store, id, "ann", "ann@example.com", b"hash").await.unwrap();
        let by_email = sign_in::by_email(&store, "ann@example.com").await.unwrap();
        assert_eq!(by_email, sign_in::by_username(&store, "ann").await.unwrap());
        let found = by_email.unwrap();
        assert_eq!((found.user.id, found.password.as_deref()), (id, Some(&b"hash"[..])));
        assert_eq!(sign_in::by_id(&store, id).await.unwrap(), Some(found.user));
    }

    async fn users_are_listed_once_by_any_of_their_names(bench: Bench) {
        let store = bench.store;
        let ann = with_device(&store, "ann", "device-0001").await;
        let bob = with_device(&store, "bob", "device-0002").await;
        identities::link_external(&store, bob, ExternalId::Facebook, "fb-bob").await.unwrap();
        let names = ["ann", "bob", "nobody"].map(str::to_owned).to_vec();
        let found =
            profiles::users(&store, vec![ann, ann, new_id()], names, vec!["fb-bob".into()]).await;
        let mut ids: Vec<UserId> = found.unwrap().iter().map(|user| user.id).collect();
        ids.sort();
        let mut wanted = vec![ann, bob];
        wanted.sort();
        assert_eq!(ids, wanted);
        let none = profiles::users(&store, vec![], vec!["nobody".into()], vec![]).await.unwrap();
        assert!(none.is_empty());
        // More than a short look-up goes another way.
        let many = (0..300).map(|n| format!("nobody-{n}")).chain(["bob".to_owned()]).collect();
        let found = profiles::users(&store, vec![], many, vec![]).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].facebook_id.as_deref(), Some("fb-bob"));
    }

    async fn an_update_changes_what_it_names_and_nothing_else(bench: Bench) {
        let store = bench.store;
        let id = with_device(&store, "ann", "device-0001").await;
        let before = account(&store, id).await.unwrap().user;
        let change = ProfileChange {
            display_name: Some("Ann".into()),
            lang_tag: Some("de".into()),
            metadata: Some(r#"{"a":1}"#.into()),
            ..ProfileChange::default()
        };
        profiles::change(&store, id, &change).await.unwrap();
        let after = account(&store, id).await.unwrap().user;
        assert_eq!(after.display_name.as_deref(), Some("Ann"));
        assert_eq!((after.lang_tag.as_str(), after.username.as_str()), ("de", "ann"));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&after.metadata).unwrap()["a"], 1);
        assert!(after.update_time > before.update_time);
        // The same again is no change.
        profiles::change(&store, id, &change).await.unwrap();
        assert_eq!(account(&store, id).await.unwrap().user.update_time, after.update_time);
        let clear = ProfileChange {
            display_name: Some(String::new()),
            lang_tag: Some(String::new()),
            ..ProfileChange::default()
        };
        profiles::change(&store, id, &clear).await.unwrap();
        let cleared = account(&store, id).await.unwrap().user;
        assert_eq!((cleared.display_name, cleared.lang_tag.as_str()), (None, "en"));
    }

    async fn an_update_to_a_taken_username_changes_nothing(bench: Bench) {
        let store = bench.store;
        with_device(&store, "ann", "device-0001").await;
        let bob = with_device(&store, "bob", "device-0002").await;
        let change = ProfileChange {
            username: Some("ann".into()),
            location: Some("here".into()),
            ..ProfileChange::default()
        };
        assert_unique(profiles::change(&store, bob, &change).await, USERNAME_UNIQUE);
        let user = account(&store, bob).await.unwrap().user;
        assert_eq!((user.username.as_str(), user.location), ("bob", None));
    }

    async fn a_text_that_is_too_long_is_refused(bench: Bench) {
        let store = bench.store;
        let id = with_device(&store, "ann", "device-0001").await;
        let change = ProfileChange { display_name: Some("x".repeat(256)), ..ProfileChange::default() };
        let error = profiles::change(&store, id, &change).await.unwrap_err();
        assert!(matches!(error, StoreError::Check(_)), "{error:?}");
        let change = ProfileChange { display_name: Some("ü".repeat(255)), ..ProfileChange::default() };
        profiles::change(&store, id, &change).await.unwrap();
    }

    async fn keys_are_linked_and_unlinked_but_never_the_last_or_a_foreign_one(bench: Bench) {
        let store = bench.store;
        let ann = with_device(&store, "ann", "device-0001").await;
        let bob = new_id();
        sign_in::create_with_external(&store, bob, "bob", ExternalId::Custom, "custom-bob").await.unwrap();
        let link = async |user, kind, id: &str| identities::link_external(&store, user, kind, id).await;
        let which = |named: Option<&str>| named.map_or(Which::Any, |id| Which::Named(id.to_owned()));
        let unlink = async |user, kind, named| {
            identities::unlink_external(&store, user, kind, which(named)).await.unwrap()
        };
        let unlink_device = async |user, device: &str| {
            identities::unlink_device(&store, user, device).await.unwrap()
        };
        // The last key stays.
        assert!(!unlink_device(ann, "device-0001").await);
        assert!(!unlink(bob, ExternalId::Custom, None).await);
        // What another account has cannot be linked, nor unlinked from there.
        assert_unique(link(ann, ExternalId::Custom, "custom-bob").await, "users_custom_id_key");
        assert_unique(identities::link_device(&store, bob, "device-0001").await, "user_device_pkey");
        assert!(!unlink_device(bob, "device-0001").await);
        // One's own again is no error.
        identities::link_device(&store, ann, "device-0001").await.unwrap();
        assert!(!link(new_id(), ExternalId::Custom, "free-id").await.unwrap());
        let nobody = identities::link_device(&store, new_id(), "free-device").await;
        assert!(matches!(nobody, Err(StoreError::ForeignKey(_))), "{nobody:?}");
        // With a second key, the first can go.
        assert!(identities::link_email(&store, ann, "ann@example.com", b"hash").await.unwrap());
        assert!(!identities::unlink_email(&store, ann, which(Some("bob@example.com"))).await.unwrap());
        assert!(unlink_device(ann, "device-0001").await);
        assert!(!identities::unlink_email(&store, ann, which(Some("ann@example.com"))).await.unwrap());
        assert!(link(ann, ExternalId::Steam, "steam-ann").await.unwrap());
        assert!(identities::unlink_email(&store, ann, which(Some("ann@example.com"))).await.unwrap());
        let account = account(&store, ann).await.unwrap();
        assert_eq!((account.email, account.devices.len()), (None, 0));
        assert_eq!(account.user.steam_id.as_deref(), Some("steam-ann"));
        let password = sign_in::by_username(&store, "ann").await.unwrap().unwrap().password;
        assert_eq!(password, None);
    }

    async fn two_unlinks_at_once_leave_one_key(bench: Bench) {
        let store = bench.store;
        let ann = with_device(&store, "ann", "device-0001").await;
        identities::link_device(&store, ann, "device-0002").await.unwrap();
        let (one, two) = futures_util::future::join(
            identities::unlink_device(&store, ann, "device-0001"),
            identities::unlink_device(&store, ann, "device-0002"),
        )
        .await;
        assert!(one.unwrap() != two.unwrap());
        assert_eq!(account(&store, ann).await.unwrap().devices.len(), 1);
    }

    async fn a_ban_sets_the_time_and_lifting_it_clears_it(bench: Bench) {
        let store = bench.store;
        let ann = with_device(&store, "ann", "device-0001").await;
        let is_banned = async || {
            sign_in::by_device(&store, "device-0001").await.unwrap().unwrap().disable_time.is_set()
        };
        lifecycle::disable(&store, &[ann]).await.unwrap();
        assert!(is_banned().await);
        lifecycle::enable(&store, &[ann]).await.unwrap();
        assert!(!is_banned().await);
    }

    async fn deleting_an_account_keeps_the_counts_of_others_right(bench: Bench) {
        let store = bench.store;
        let ann = with_device(&store, "ann", "device-0001").await;
        let bob = with_device(&store, "bob", "device-0002").await;
        let groups = [new_id().0, new_id().0];
        store
            .write(async move |tx: &mut Tx<'_>| {
                for (a, b) in [(ann, bob), (bob, ann)] {
                    let edge = "insert into user_edge (source_id, position, update_time, destination_id) \
                                values ($1, 1, {now}, $2)";
                    tx.execute(edge, params![a, b]).await?;
                }
                tx.execute("update users set edge_count = 1 where id {in $1}", params![&[ann, bob][..]]).await?;
                // Ann alone leads the first group; in the second Bob leads and Ann is a member.
                for (n, (group, (ann_state, bob_state))) in groups.into_iter().zip([(0_i16, 2_i16), (2, 0)]).enumerate() {
                    let sql = "insert into groups (id, creator_id, name, edge_count, create_time, update_time) \
                               values ($1, $2, $3, 2, {now}, {now})";
                    tx.execute(sql, params![group, ann, format!("group-{n}")]).await?;
                    for (user, state) in [(ann, ann_state), (bob, bob_state)] {
                        for (position, (from, to)) in [(user.0, group), (group, user.0)].into_iter().enumerate() {
                            let edge = "insert into group_edge (source_id, position, update_time, destination_id, state) \
                                        values ($1, $2, {now}, $3, $4)";
                            let position = (n * 10 + position) as i64;
                            tx.execute(edge, params![from, position, to, state]).await?;
                        }
                    }
                }
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
        assert!(lifecycle::delete(&store, ann, true).await.unwrap());
        assert_eq!(account(&store, ann).await, None);
        assert_eq!(sign_in::by_device(&store, "device-0001").await.unwrap(), None);
        assert_eq!(account(&store, bob).await.unwrap().user.edge_count, 0);
        let (left, edges, tombs): (Vec<(uuid::Uuid, i32)>, i64, i64) = store
            .read(async move |r: &mut Reader<'_>| {
                let left = r.all("select id, edge_count from groups", &[]).await?;
                let (edges,) = r.one("select count(*) from group_edge", &[]).await?;
                let (tombs,) = r
                    .one("select count(*) from user_tombstone where user_id = $1", params![ann])
                    .await?;
                Ok::<_, StoreError>((left, edges, tombs))
            })
            .await
            .unwrap();
        assert_eq!(left, [(groups[1], 1)]);
        assert_eq!((edges, tombs), (2, 1));
        assert!(!lifecycle::delete(&store, ann, true).await.unwrap());
    }

    async fn a_migrated_database_has_the_system_user(bench: Bench) {
        let system = account(&bench.store, UserId::NIL).await.unwrap();
        assert_eq!(system.user.username, "");
    }
}
