//! Friends: the edges and their counts, also when everybody acts at once.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use futures_util::future::join_all;
use kakera::{
    accounts::NobodyLive,
    friends::{Caller, DirectChannels, FriendError, Friends, Listing, Whom},
    ids::UserId,
    notifications::{Busy, Live, Notifications, codes},
    params,
    store::{
        Reader, Store, StoreError,
        users::{lifecycle, sign_in},
    },
};
use kakera_proto::{
    api,
    realtime::{Envelope, envelope::Message},
};
use kakera_shards::{Clock, Rng, runtime};
use serde_json::{Value, json};

use crate::{on_both_databases, support::new_id};

/// Remembers what was told to whom, and which channels were closed.
#[derive(Default)]
struct Recorder {
    told: RefCell<Vec<(UserId, i32, String)>>,
    closed: RefCell<Vec<(UserId, UserId)>>,
}

impl Live for Recorder {
    fn deliver(&self, user: UserId, envelope: Envelope) -> Result<(), Busy> {
        let Some(Message::Notifications(told)) = envelope.message else { panic!("{envelope:?}") };
        let told = told.notifications.into_iter().map(|notice| (user, notice.code, notice.subject));
        self.told.borrow_mut().extend(told);
        Ok(())
    }

    fn deliver_to_all(&self, envelope: &Envelope) {
        panic!("nobody tells everybody: {envelope:?}");
    }
}

impl DirectChannels for Recorder {
    fn close(&self, one: UserId, two: UserId) {
        self.closed.borrow_mut().push((one, two));
    }
}

struct Town {
    store: Store,
    friends: Friends,
    recorder: Rc<Recorder>,
    people: Vec<(UserId, String)>,
}

impl Town {
    async fn new(store: &Store, names: &[&str]) -> Self {
        let recorder = Rc::new(Recorder::default());
        let (clock, rng) = (Clock::system(), Rng::from_os());
        let counters = runtime::counters();
        let shard = (clock.clone(), rng.clone());
        let notifications = Notifications::new(store.clone(), recorder.clone(), shard, &counters);
        let friends = Friends::new(
            store.clone(),
            Rc::new(NobodyLive),
            recorder.clone(),
            notifications,
            (clock, rng),
        );
        let mut people = Vec::new();
        for name in names {
            let id = new_id();
            let device = format!("device-of-{name}");
            sign_in::create_with_device(store, id, name, &device).await.unwrap();
            people.push((id, (*name).to_owned()));
        }
        Self { store: store.clone(), friends, recorder, people }
    }

    fn id(&self, n: usize) -> UserId {
        self.people[n].0
    }

    fn caller(&self, n: usize) -> Caller<'_> {
        Caller { user: self.people[n].0, username: &self.people[n].1 }
    }

    async fn add(&self, by: usize, who: &[usize]) -> Result<(), FriendError> {
        self.add_noting(by, who, "").await
    }

    async fn add_noting(&self, by: usize, who: &[usize], note: &str) -> Result<(), FriendError> {
        let ids = self.ids(who);
        self.friends.add(self.caller(by), Whom { ids: &ids, usernames: &[] }, note).await
    }

    async fn delete(&self, by: usize, who: &[usize]) -> Result<(), FriendError> {
        let ids = self.ids(who);
        self.friends.delete(self.caller(by), Whom { ids: &ids, usernames: &[] }).await
    }

    async fn block(&self, by: usize, who: &[usize]) -> Result<(), FriendError> {
        let ids = self.ids(who);
        self.friends.block(self.caller(by), Whom { ids: &ids, usernames: &[] }).await
    }

    fn ids(&self, who: &[usize]) -> Vec<String> {
        who.iter().map(|n| self.id(*n).to_string()).collect()
    }

    /// The user's list as names and states.
    async fn list(&self, of: usize) -> Vec<(String, i32)> {
        let page = self.friends.list(self.id(of), &Listing::default()).await.unwrap();
        page.friends.into_iter().map(named).collect()
    }

    fn told(&self) -> Vec<(usize, i32, String)> {
        let told = std::mem::take(&mut *self.recorder.told.borrow_mut());
        let place = |user| self.people.iter().position(|(id, _)| *id == user).unwrap();
        told.into_iter().map(|(user, code, subject)| (place(user), code, subject)).collect()
    }

    /// Every edge has its other side where it must, and every count is the number of edges.
    async fn check(&self) {
        let steps = async |reader: &mut Reader<'_>| {
            let edges: Vec<(UserId, UserId, i32)> =
                reader.all("select source_id, destination_id, state from user_edge", &[]).await?;
            let counts: Vec<(UserId, i32)> =
                reader.all("select id, edge_count from users", &[]).await?;
            Ok::<_, StoreError>((edges, counts))
        };
        let (edges, counts) = self.store.scan(steps).await.unwrap();
        for (from, to, state) in &edges {
            let back =
                edges.iter().find(|(f, t, _)| (f, t) == (to, from)).map(|(.., state)| *state);
            let fits = match state {
                0 => back == Some(0),
                1 => back == Some(2),
                2 => back == Some(1),
                3 => back.is_none() || back == Some(3),
                _ => false,
            };
            assert!(fits, "{from} is {state} to {to}, who is {back:?}");
        }
        for (user, count) in counts {
            let edges = edges.iter().filter(|(from, ..)| *from == user).count();
            assert_eq!(usize::try_from(count), Ok(edges), "edges of {user}");
        }
    }
}

/// What the edges ought to be, by the rules as players know them.
#[derive(Default)]
struct Model(BTreeMap<(usize, usize), i32>);

impl Model {
    fn add(&mut self, by: usize, other: usize) {
        match (self.0.get(&(by, other)), self.0.get(&(other, by))) {
            (None, None) => {
                self.0.insert((by, other), 1);
                self.0.insert((other, by), 2);
            }
            (Some(2), Some(1)) => {
                self.0.insert((by, other), 0);
                self.0.insert((other, by), 0);
            }
            _ => {}
        }
    }

    fn delete(&mut self, by: usize, other: usize) {
        self.0.remove(&(by, other));
        self.drop_unless_blocked(other, by);
    }

    fn block(&mut self, by: usize, other: usize) {
        self.0.insert((by, other), 3);
        self.drop_unless_blocked(other, by);
    }

    fn drop_unless_blocked(&mut self, from: usize, to: usize) {
        if self.0.get(&(from, to)) != Some(&3) {
            self.0.remove(&(from, to));
        }
    }

    fn of(&self, user: usize) -> Vec<(String, i32)> {
        let edges = self.0.iter().filter(|((from, _), _)| *from == user);
        edges.map(|((_, to), state)| (NAMES[*to].to_owned(), *state)).collect()
    }
}

fn named(friend: api::Friend) -> (String, i32) {
    (friend.user.unwrap().username, friend.state.unwrap())
}

fn pairs(of: &[(&str, i32)]) -> Vec<(String, i32)> {
    of.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect()
}

const NAMES: [&str; 8] = ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal"];

on_both_databases! {
    async fn what_is_noted_keeps_every_digit_and_who_is_gone_is_told(bench: Bench) {
        let town = Town::new(&bench.store, &["ann", "bob"]).await;
        town.add_noting(0, &[1], r#"{"n":1.50000000000000000001}"#).await.unwrap();
        town.add_noting(1, &[0], r#"{"big":123456789012345678901234567890}"#).await.unwrap();
        let noted = async |user: UserId| -> String {
            let sql = "select metadata from user_edge where source_id = $1";
            let found: Result<(String,), StoreError> = bench.store
                .read(async move |reader: &mut Reader<'_>| reader.one(sql, params![user]).await)
                .await;
            found.unwrap().0
        };
        assert!(noted(town.id(0)).await.contains("1.50000000000000000001"));
        assert!(noted(town.id(1)).await.contains("123456789012345678901234567890"));

        let gone = Caller { user: new_id(), username: "gone" };
        let ids = town.ids(&[1]);
        let whom = Whom { ids: &ids, usernames: &[] };
        for refused in [town.friends.add(gone, whom, "").await, town.friends.block(gone, whom).await] {
            assert!(matches!(refused, Err(FriendError::Gone)), "{refused:?}");
        }
        town.friends.delete(gone, whom).await.unwrap();
    }

    async fn what_follows_a_write_happens_when_the_caller_has_gone(bench: Bench) {
        let town = Town::new(&bench.store, &["ann", "bob"]).await;
        let ids = town.ids(&[1]);
        let block = town.friends.block(town.caller(0), Whom { ids: &ids, usernames: &[] });
        let mut block = Box::pin(block);
        assert!(futures_util::poll!(&mut block).is_pending());
        drop(block);
        while town.recorder.closed.borrow().is_empty() {
            runtime::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(*town.recorder.closed.borrow(), [(town.id(0), town.id(1))]);
    }

    async fn a_request_is_accepted_by_asking_back(bench: Bench) {
        let town = Town::new(&bench.store, &NAMES[..2]).await;
        town.add(0, &[1]).await.unwrap();
        assert_eq!(town.list(0).await, pairs(&[("bob", 1)]));
        assert_eq!(town.list(1).await, pairs(&[("ann", 2)]));
        assert_eq!(town.told(), [(1, codes::FRIEND_REQUEST, "ann wants to add you as a friend".to_owned())]);
        town.add(0, &[1]).await.unwrap();
        assert_eq!(town.told(), [], "a second request changes nothing");
        town.check().await;

        town.add(1, &[0]).await.unwrap();
        assert_eq!(town.list(0).await, pairs(&[("bob", 0)]));
        assert_eq!(town.list(1).await, pairs(&[("ann", 0)]));
        assert_eq!(town.told(), [(0, codes::FRIEND_ACCEPT, "bob accepted your friend request".to_owned())]);
        town.add(0, &[1]).await.unwrap();
        assert_eq!(town.told(), [], "friends need no request");
        town.check().await;
    }

    async fn a_deletion_takes_both_sides_back_and_a_stranger_is_no_error(bench: Bench) {
        let town = Town::new(&bench.store, &NAMES[..3]).await;
        town.delete(0, &[1]).await.unwrap();
        town.add(0, &[1, 2]).await.unwrap();
        town.add(1, &[0]).await.unwrap();
        town.told();
        town.delete(1, &[0]).await.unwrap();
        assert_eq!(town.told(), [(0, codes::FRIEND_REMOVE, "bob removed you as a friend".to_owned())]);
        assert_eq!(town.list(0).await, pairs(&[("cat", 1)]));
        town.delete(0, &[2]).await.unwrap();
        assert_eq!(town.list(2).await, []);
        town.check().await;
    }

    async fn a_block_ends_everything_and_only_who_blocked_lifts_it(bench: Bench) {
        let town = Town::new(&bench.store, &NAMES[..2]).await;
        town.add(0, &[1]).await.unwrap();
        town.add(1, &[0]).await.unwrap();
        town.told();
        town.block(0, &[1]).await.unwrap();
        assert_eq!(town.told(), [], "who is blocked is not told");
        assert_eq!(*town.recorder.closed.borrow(), [(town.id(0), town.id(1))]);
        assert_eq!((town.list(0).await, town.list(1).await), (pairs(&[("bob", 3)]), vec![]));
        town.check().await;

        for by in [0, 1] {
            town.add(by, &[1 - by]).await.unwrap();
        }
        town.delete(1, &[0]).await.unwrap();
        assert_eq!((town.list(0).await, town.list(1).await), (pairs(&[("bob", 3)]), vec![]));
        assert_eq!(town.told(), []);
        town.block(1, &[0]).await.unwrap();
        town.block(1, &[0]).await.unwrap();
        assert_eq!(town.list(1).await, pairs(&[("ann", 3)]), "both may block");
        town.check().await;
        town.delete(0, &[1]).await.unwrap();
        assert_eq!((town.list(0).await, town.list(1).await), (vec![], pairs(&[("ann", 3)])));
        town.delete(1, &[0]).await.unwrap();
        town.add(0, &[1]).await.unwrap();
        assert_eq!(town.list(1).await, pairs(&[("ann", 2)]));
        town.check().await;
    }

    async fn unknown_users_are_left_out_and_names_are_looked_up(bench: Bench) {
        let town = Town::new(&bench.store, &NAMES[..3]).await;
        let ids = [new_id().to_string(), town.id(1).to_string(), town.id(1).to_string()];
        let usernames = ["cat".to_owned(), "bob".to_owned(), "nobody".to_owned()];
        let whom = Whom { ids: &ids, usernames: &usernames };
        town.friends.add(town.caller(0), whom, "").await.unwrap();
        let mut list = town.list(0).await;
        list.sort();
        assert_eq!(list, pairs(&[("bob", 1), ("cat", 1)]));
        town.check().await;
        let nobody = Whom { ids: &[], usernames: &["nobody".to_owned()] };
        let result = town.friends.add(town.caller(0), nobody, "").await;
        assert!(matches!(result, Err(FriendError::Nobody)), "{result:?}");
        let stranger = Whom { ids: &[new_id().to_string()], usernames: &[] };
        town.friends.block(town.caller(0), stranger).await.unwrap();
        town.check().await;
    }

    async fn oneself_by_a_name_since_taken_is_refused(bench: Bench) {
        let town = Town::new(&bench.store, &NAMES[..1]).await;
        let caller = Caller { user: town.id(0), username: "a name of before" };
        let whom = Whom { ids: &[], usernames: &["ann".to_owned()] };
        let result = town.friends.add(caller, whom, "").await;
        assert!(matches!(result, Err(FriendError::Oneself(_))), "{result:?}");
        town.check().await;
    }

    async fn what_is_noted_of_a_friend_is_ones_own_and_merges(bench: Bench) {
        let town = Town::new(&bench.store, &NAMES[..2]).await;
        let note = async |of| -> Value {
            let page = town.friends.list(town.id(of), &Listing::default()).await.unwrap();
            serde_json::from_str(&page.friends[0].metadata).unwrap()
        };
        town.add_noting(0, &[1], r#"{"met": "at work", "n": 1}"#).await.unwrap();
        assert_eq!((note(0).await, note(1).await), (json!({"met": "at work", "n": 1}), json!({})));
        assert!(town.friends.set_metadata(town.id(1), town.id(0), r#"{"a": null, "b": 1}"#).await.unwrap());
        town.add_noting(1, &[0], r#"{"b": {"c": "é"}}"#).await.unwrap();
        assert_eq!(note(0).await, json!({"met": "at work", "n": 1}));
        assert_eq!(note(1).await, json!({"a": null, "b": {"c": "é"}}));
        for bad in ["[1]", "what", "1"] {
            let result = town.add_noting(1, &[0], bad).await;
            assert!(matches!(result, Err(FriendError::Metadata)), "{result:?}");
        }
        assert!(!town.friends.set_metadata(town.id(0), new_id(), "{}").await.unwrap());
    }

    async fn pages_follow_one_another_through_all_states(bench: Bench) {
        let town = Town::new(&bench.store, &NAMES).await;
        town.add(0, &[1, 2, 3]).await.unwrap();
        for friend in [2, 3] {
            town.add(friend, &[0]).await.unwrap();
        }
        town.add(4, &[0]).await.unwrap();
        town.block(0, &[5, 6]).await.unwrap();
        let all = town.list(0).await;
        assert_eq!(all.len(), 6);
        assert!(all.is_sorted_by_key(|(_, state)| *state), "{all:?}");
        let known = town.friends.all_of(town.id(0)).await.unwrap();
        let known = known.into_iter().map(|friend| (friend.user.unwrap().id, friend.state.unwrap()));
        let id_of = |name: &String| {
            town.people.iter().find(|(_, other)| other == name).unwrap().0.to_string()
        };
        assert!(known.eq(all.iter().map(|(name, state)| (id_of(name), *state))));
        for limit in 1..=7 {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let listing = Listing { limit: Some(limit), state: None, cursor };
                let page = town.friends.list(town.id(0), &listing).await.unwrap();
                assert!(page.friends.len() <= limit as usize);
                found.extend(page.friends.into_iter().map(named));
                cursor = page.cursor;
                if cursor.is_empty() {
                    break;
                }
            }
            assert_eq!(found, all, "pages of {limit}");
        }
        let blocked = Listing { limit: Some(1), state: Some(3), cursor: String::new() };
        let page = town.friends.list(town.id(0), &blocked).await.unwrap();
        let second = Listing { cursor: page.cursor.clone(), ..blocked.clone() };
        let second = town.friends.list(town.id(0), &second).await.unwrap();
        assert_eq!((page.friends.len(), second.friends.len(), second.cursor.as_str()), (1, 1, ""));
        let other = Listing { cursor: page.cursor, state: Some(0), limit: None };
        let result = town.friends.list(town.id(0), &other).await;
        assert!(matches!(result, Err(FriendError::Cursor)), "a cursor of another state: {result:?}");
    }

    async fn friends_of_friends_are_told_with_who_knows_them_page_by_page(bench: Bench) {
        let town = Town::new(&bench.store, &NAMES).await;
        let befriend = async |one: usize, two: usize| {
            town.add(one, &[two]).await.unwrap();
            town.add(two, &[one]).await.unwrap();
        };
        // ann knows bob and cat; bob knows dan and cat; cat knows dan and eve; fay only asks.
        for (one, two) in [(0, 1), (0, 2), (1, 3), (1, 2), (2, 3), (2, 4)] {
            befriend(one, two).await;
        }
        town.add(5, &[1]).await.unwrap();
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = town.friends.of_friends(town.id(0), Some(1), &cursor).await.unwrap();
            found.extend(page.friends_of_friends.into_iter().map(|one| (one.referrer, one.user.unwrap().username)));
            cursor = page.cursor;
            if cursor.is_empty() {
                break;
            }
        }
        found.sort();
        let mut wanted = vec![
            (town.id(1).to_string(), "dan".to_owned()),
            (town.id(2).to_string(), "dan".to_owned()),
            (town.id(2).to_string(), "eve".to_owned()),
        ];
        wanted.sort();
        assert_eq!(found, wanted);
        let whole = town.friends.of_friends(town.id(0), None, "").await.unwrap();
        assert_eq!((whole.friends_of_friends.len(), whole.cursor.as_str()), (3, ""));
        let lonely = town.friends.of_friends(town.id(5), None, "").await.unwrap();
        assert!(lonely.friends_of_friends.is_empty());
        let wrong = town.friends.of_friends(town.id(0), None, "what").await;
        assert!(matches!(wrong, Err(FriendError::Cursor)));
    }

    async fn any_calls_one_after_the_other_do_what_the_model_does(bench: Bench) {
        let town = Town::new(&bench.store, &NAMES[..4]).await;
        let seed = Rng::from_os().next_u64();
        let rng = Rng::from_seed(seed);
        let mut model = Model::default();
        for step in 0..150 {
            let by = rng.below(4) as usize;
            let who: Vec<usize> = (0..4).filter(|who| *who != by && rng.chance(0.5)).collect();
            let call = rng.below(10);
            match call {
                0..=4 => town.add(by, &who).await.unwrap(),
                5..=7 => town.delete(by, &who).await.unwrap(),
                _ => town.block(by, &who).await.unwrap(),
            }
            for other in who {
                match call {
                    0..=4 => model.add(by, other),
                    5..=7 => model.delete(by, other),
                    _ => model.block(by, other),
                }
            }
            for user in 0..4 {
                let mut list = town.list(user).await;
                list.sort();
                assert_eq!(list, model.of(user), "seed {seed}, step {step}");
            }
        }
        town.check().await;
    }

    async fn edges_and_counts_agree_when_everybody_acts_at_once(bench: Bench) {
        let town = Town::new(&bench.store, &NAMES).await;
        let seed = Rng::from_os().next_u64();
        let tasks = (0..24).map(|task| {
            let (town, rng) = (&town, Rng::from_seed(seed.wrapping_add(task)));
            async move {
                for _ in 0..25 {
                    let draw = || rng.below(NAMES.len() as u64) as usize;
                    let by = draw();
                    let count = 1 + rng.below(4) as usize;
                    let who: Vec<usize> =
                        std::iter::repeat_with(draw).filter(|who| *who != by).take(count).collect();
                    let result = match rng.below(10) {
                        0..=5 => town.add(by, &who).await,
                        6..=8 => town.delete(by, &who).await,
                        _ => town.block(by, &who).await,
                    };
                    result.unwrap_or_else(|error| panic!("seed {seed}, task {task}: {error}"));
                }
            }
        });
        join_all(tasks).await;
        // Rows are locked in one order, so that nobody waits in a circle and is run again for it.
        assert_eq!(bench.store.counters().retries.get(), 0, "seed {seed}");
        town.check().await;
    }

    async fn counts_agree_when_accounts_go_while_others_befriend_them(bench: Bench) {
        let town = Town::new(&bench.store, &NAMES).await;
        for round in 0..3_usize {
            let gone = town.id(round);
            let befriending = (3..NAMES.len()).map(|by| {
                let town = &town;
                async move {
                    for _ in 0..4 {
                        town.add(by, &[round, 3 + (by + 1) % 5]).await.unwrap();
                        town.delete(by, &[3 + (by + 1) % 5]).await.unwrap();
                    }
                }
            });
            let deleting = async { lifecycle::delete(&town.store, gone, false).await.unwrap() };
            let (_, deleted) = futures_util::future::join(join_all(befriending), deleting).await;
            assert!(deleted);
            town.check().await;
        }
        let left = async |reader: &mut Reader<'_>| {
            reader.one::<(i64,)>("select count(*) from users where username = $1", params!["ann"]).await
        };
        assert_eq!(town.store.read(left).await.unwrap(), (0,));
    }
}
