//! Groups: the edges and their counts, also when everybody acts at once.

#[path = "../api/support/channels.rs"]
mod channels;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use futures_util::future::join_all;
use kakera::{
    accounts::NobodyLive,
    groups::{Act, Caller, Draft, GroupError, GroupFilter, Groups, Listing},
    ids::{GroupId, UserId},
    notifications::{Busy, Live, Notifications, codes},
    store::{
        Reader, Store, StoreError,
        groups::{GroupChange, GroupRecord, MemberState},
        users::{lifecycle, sign_in},
    },
};
use kakera_proto::realtime::{Envelope, envelope::Message};
use kakera_shards::{Clock, Rng, runtime};

use crate::{on_both_databases, support::new_id};
use channels::{RecordedChannels, Sent};

/// Remembers what was told to whom.
#[derive(Default)]
struct Recorder(RefCell<Vec<(UserId, i32, String)>>);

impl Live for Recorder {
    fn deliver(&self, user: UserId, envelope: Envelope) -> Result<(), Busy> {
        let Some(Message::Notifications(told)) = envelope.message else { panic!("{envelope:?}") };
        let told = told.notifications.into_iter().map(|notice| (user, notice.code, notice.subject));
        self.0.borrow_mut().extend(told);
        Ok(())
    }

    fn deliver_to_all(&self, envelope: &Envelope) {
        panic!("nobody tells everybody: {envelope:?}");
    }
}

struct Town {
    store: Store,
    groups: Groups,
    recorder: Rc<Recorder>,
    channels: RecordedChannels,
    people: Vec<(UserId, String)>,
}

const NAMES: [&str; 8] = ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal"];

impl Town {
    async fn new(store: &Store) -> Self {
        let recorder = Rc::new(Recorder::default());
        let channels = RecordedChannels::default();
        let (clock, rng) = (Clock::system(), Rng::from_os());
        let shard = (clock.clone(), rng.clone());
        let counters = runtime::counters();
        let notifications = Notifications::new(store.clone(), recorder.clone(), shard, &counters);
        let groups = Groups::new(
            store.clone(),
            Rc::new(NobodyLive),
            Rc::new(channels.clone()),
            notifications,
            (clock, rng),
        );
        let mut people = Vec::new();
        for name in NAMES {
            let id = new_id();
            let device = format!("device-of-{name}");
            sign_in::create_with_device(store, id, name, &device).await.unwrap();
            people.push((id, name.to_owned()));
        }
        Self { store: store.clone(), groups, recorder, channels, people }
    }

    fn id(&self, n: usize) -> UserId {
        self.people[n].0
    }

    async fn found(&self, by: usize, name: &str, open: bool) -> GroupId {
        self.found_of(by, name, open, 100).await.id
    }

    async fn found_of(&self, by: usize, name: &str, open: bool, max: i32) -> GroupRecord {
        let draft = Draft { name: name.to_owned(), open, max_count: Some(max), ..Draft::default() };
        self.groups.create(self.id(by), &draft).await.unwrap()
    }

    async fn join(&self, who: usize, group: GroupId) -> Result<(), GroupError> {
        let caller = Caller { user: self.people[who].0, username: &self.people[who].1 };
        self.groups.join(caller, group).await
    }

    async fn leave(&self, who: usize, group: GroupId) -> Result<(), GroupError> {
        self.groups.leave(self.id(who), group).await
    }

    async fn act(
        &self,
        act: Act,
        by: usize,
        group: GroupId,
        who: &[usize],
    ) -> Result<(), GroupError> {
        let users: Vec<UserId> = who.iter().map(|who| self.id(*who)).collect();
        self.groups.act(act, Some(self.id(by)), group, &users).await
    }

    /// Names and states of a group's users, the banned last.
    async fn users(&self, group: GroupId) -> Vec<(String, i32)> {
        let mut all = Vec::new();
        for state in [None, Some(4)] {
            let listing = Listing { state, ..Listing::default() };
            let page = self.groups.users(group, &listing).await.unwrap();
            all.extend(
                page.group_users
                    .into_iter()
                    .map(|user| (user.user.unwrap().username, user.state.unwrap())),
            );
        }
        all
    }

    /// Names and states of a user's groups.
    async fn memberships(&self, of: usize) -> Vec<(String, i32)> {
        let page = self.groups.memberships(self.id(of), &Listing::default()).await.unwrap();
        let group = page.user_groups.into_iter();
        group.map(|group| (group.group.unwrap().name, group.state.unwrap())).collect()
    }

    fn told(&self) -> Vec<(usize, i32, String)> {
        let told = std::mem::take(&mut *self.recorder.0.borrow_mut());
        let place = |user| self.people.iter().position(|(id, _)| *id == user).unwrap();
        told.into_iter().map(|(user, code, subject)| (place(user), code, subject)).collect()
    }

    /// The codes of the notes that went out, and to whom they happened.
    fn noted(&self) -> Vec<(i16, String)> {
        let note = |sent| match sent {
            Sent::Note(code, _, name) => Some((code, name)),
            Sent::Removed(_) | Sent::Closed(_) => None,
        };
        self.channels.take().into_iter().filter_map(note).collect()
    }

    /// Every edge has its other side where it must, every group has a superadmin and counts its members.
    async fn check(&self) {
        let steps = async |reader: &mut Reader<'_>| {
            let edges: Vec<(UserId, UserId, MemberState)> =
                reader.all("select source_id, destination_id, state from group_edge", &[]).await?;
            let counts: Vec<(UserId, i32, i32)> =
                reader.all("select id, edge_count, max_count from groups", &[]).await?;
            let notes: (i64,) = reader.one("select count(*) from message", &[]).await?;
            Ok::<_, StoreError>((edges, counts, notes.0))
        };
        let (edges, counts, _) = self.store.scan(steps).await.unwrap();
        let is_group = |id: UserId| counts.iter().any(|(group, ..)| *group == id);
        for (from, to, state) in &edges {
            let back =
                edges.iter().find(|(f, t, _)| (f, t) == (to, from)).map(|(.., state)| *state);
            assert!(is_group(*from) != is_group(*to), "{from} to {to} is of no group");
            let wanted = (*state != MemberState::Banned).then_some(*state);
            assert_eq!(back, wanted, "{from} is {state:?} to {to}");
        }
        for (group, count, max) in counts {
            let of_group = || edges.iter().filter(|(from, ..)| *from == group);
            let members = of_group().filter(|(.., state)| state.is_member()).count();
            assert_eq!(usize::try_from(count), Ok(members), "members of {group}");
            assert!(count <= max, "{group} has {count} of {max}");
            let superadmins = of_group().filter(|(.., state)| *state == MemberState::Superadmin);
            assert!(superadmins.count() > 0, "nobody leads {group}");
        }
    }
}

/// Who ought to be what in a group, by the rules as players know them. The first is its founder.
struct Model {
    open: bool,
    max: usize,
    states: BTreeMap<usize, i32>,
}

impl Model {
    fn members(&self) -> usize {
        self.states.values().filter(|state| **state < 3).count()
    }

    fn leads_alone(&self, who: usize) -> bool {
        let superadmins = self.states.values().filter(|state| **state == 0).count();
        self.states.get(&who) == Some(&0) && superadmins == 1
    }

    /// Whether the call succeeds.
    fn join(&mut self, who: usize) -> bool {
        if self.members() >= self.max {
            return false;
        }
        self.states.entry(who).or_insert(if self.open { 2 } else { 3 });
        true
    }

    fn leave(&mut self, who: usize) -> bool {
        if self.leads_alone(who) && self.members() > 1 {
            return false;
        }
        if self.states.get(&who) != Some(&4) {
            self.states.remove(&who);
        }
        true
    }

    fn act(&mut self, act: Act, by: usize, who: &BTreeSet<usize>) -> bool {
        let rank = match self.states.get(&by) {
            Some(rank @ 0..=1) => *rank,
            _ => return false,
        };
        let before = self.states.clone();
        for who in who.iter().copied().filter(|who| *who != by) {
            let state = self.states.get(&who).copied();
            let below = state.is_some_and(|state| rank == 0 || state > 1);
            match (act, state) {
                (Act::Add, None | Some(3)) => drop(self.states.insert(who, 2)),
                (Act::Kick, _) if below => drop(self.states.remove(&who)),
                (Act::Ban, _) if below => drop(self.states.insert(who, 4)),
                (Act::Promote, Some(state @ 1..=2)) if state > rank => {
                    self.states.insert(who, state - 1);
                }
                (Act::Demote, Some(state @ 0..=1)) if state >= rank => {
                    self.states.insert(who, state + 1);
                }
                _ => {}
            }
        }
        if self.members() > self.max {
            self.states = before;
            return false;
        }
        true
    }

    /// Names and states, by name.
    fn users(&self) -> Vec<(String, i32)> {
        self.states.iter().map(|(who, state)| (NAMES[*who].to_owned(), *state)).collect()
    }
}

fn pairs(of: &[(&str, i32)]) -> Vec<(String, i32)> {
    of.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect()
}

on_both_databases! {
    async fn who_founds_leads_and_a_name_is_taken_once(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let draft = Draft { name: "readers".to_owned(), ..Draft::default() };
        let group = town.groups.create(town.id(0), &draft).await.unwrap();
        assert_eq!((group.creator, group.edge_count, group.max_count), (town.id(0), 1, 100));
        assert_eq!((group.lang_tag.as_str(), group.metadata.as_str(), group.open), ("en", "{}", false));
        assert_eq!(town.users(group.id).await, pairs(&[("ann", 0)]));
        assert_eq!(town.memberships(0).await, pairs(&[("readers", 0)]));
        let again = town.groups.create(town.id(1), &draft).await;
        assert!(matches!(again, Err(GroupError::NameInUse)), "{again:?}");
        let long = Draft { name: "é".repeat(256), ..Draft::default() };
        let long = town.groups.create(town.id(1), &long).await;
        assert!(matches!(long, Err(GroupError::Store(StoreError::Check(_)))), "{long:?}");
        let gone = town.groups.create(new_id(), &Draft { name: "x".to_owned(), ..Draft::default() }).await;
        assert!(matches!(gone, Err(GroupError::Gone)), "{gone:?}");
        town.check().await;
    }

    async fn an_update_changes_what_is_named_and_needs_who_leads(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let group = town.found(0, "readers", true).await;
        town.found(0, "writers", true).await;
        town.join(1, group).await.unwrap();
        let change = GroupChange { description: Some("we read".to_owned()), open: Some(false), ..GroupChange::default() };
        let (ann, bob) = (Some(town.id(0)), Some(town.id(1)));
        town.groups.update(ann, group, change.clone()).await.unwrap();
        let look = async || {
            let filter = GroupFilter { name: "readers".to_owned(), ..GroupFilter::default() };
            town.groups.list(filter).await.unwrap().groups.remove(0)
        };
        let seen = look().await;
        assert_eq!((seen.description.as_str(), seen.open, seen.name.as_str()), ("we read", Some(false), "readers"));
        let cleared = GroupChange { description: Some(String::new()), ..GroupChange::default() };
        town.groups.update(None, group, cleared).await.unwrap();
        assert_eq!(look().await.description, "");
        let denied = town.groups.update(bob, group, change.clone()).await;
        assert!(matches!(denied, Err(GroupError::UpdateDenied)), "{denied:?}");
        let taken = GroupChange { name: Some("writers".to_owned()), ..GroupChange::default() };
        let taken = town.groups.update(ann, group, taken).await;
        assert!(matches!(taken, Err(GroupError::RenamedInUse)), "{taken:?}");
        let nothing = town.groups.update(ann, group, GroupChange::default()).await;
        assert_eq!(nothing.unwrap_err().to_string(), "Specify at least one field to update.");
        let nobody = town.groups.update(None, GroupId(new_id().0), change).await;
        assert_eq!(nobody.unwrap_err().to_string(), "No new fields in group update.");
        let small = GroupChange { max_count: Some(1), ..GroupChange::default() };
        let small = town.groups.update(None, group, small).await;
        assert!(matches!(small, Err(GroupError::Store(StoreError::Check(_)))), "two are in: {small:?}");
        town.check().await;
    }

    async fn an_open_group_takes_everybody_until_it_is_full(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let group = town.found_of(0, "few", true, 2).await.id;
        town.join(1, group).await.unwrap();
        assert_eq!(town.noted(), [(3, "bob".to_owned())]);
        let full = town.join(2, group).await;
        assert!(matches!(full, Err(GroupError::Full)), "{full:?}");
        let full = town.act(Act::Add, 0, group, &[2]).await;
        assert!(matches!(full, Err(GroupError::Full)), "{full:?}");
        assert_eq!(town.users(group).await, pairs(&[("ann", 0), ("bob", 2)]));
        town.leave(1, group).await.unwrap();
        assert_eq!(town.noted(), [(5, "bob".to_owned())]);
        town.join(2, group).await.unwrap();
        assert_eq!(town.users(group).await, pairs(&[("ann", 0), ("cat", 2)]));
        let nowhere = town.join(1, GroupId(new_id().0)).await;
        assert!(matches!(nowhere, Err(GroupError::NotFound)), "{nowhere:?}");
        town.check().await;
    }

    async fn who_is_gone_founds_and_joins_nothing_and_is_told(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let group = town.found(0, "open", true).await;
        let user = new_id();
        let draft = Draft { name: "mine".to_owned(), ..Draft::default() };
        let founded = town.groups.create(user, &draft).await.map(drop);
        let joined = town.groups.join(Caller { user, username: "gone" }, group).await;
        for refused in [founded, joined] {
            assert!(matches!(refused, Err(GroupError::Gone)), "{refused:?}");
        }
    }

    async fn what_follows_a_write_happens_when_the_caller_has_gone(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let group = town.found(0, "open", true).await;
        town.join(1, group).await.unwrap();
        town.channels.take();
        let mut kick = Box::pin(town.act(Act::Kick, 0, group, &[1]));
        assert!(futures_util::poll!(&mut kick).is_pending());
        drop(kick);
        let mut sent = Vec::new();
        while !sent.contains(&Sent::Removed(town.id(1))) {
            runtime::sleep(Duration::from_millis(1)).await;
            sent.extend(town.channels.take());
        }
        let mut delete = Box::pin(town.groups.delete(None, group));
        assert!(futures_util::poll!(&mut delete).is_pending());
        drop(delete);
        while !sent.contains(&Sent::Closed(group)) {
            runtime::sleep(Duration::from_millis(1)).await;
            sent.extend(town.channels.take());
        }
    }

    async fn a_closed_group_is_asked_and_lets_in(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let group = town.found(0, "closed", false).await;
        town.join(1, group).await.unwrap();
        town.join(1, group).await.unwrap();
        let asked = (0, codes::GROUP_JOIN_REQUEST, "User bob wants to join your group".to_owned());
        assert_eq!(town.told(), [asked], "asking twice is told once");
        assert_eq!((town.noted(), town.users(group).await), (vec![], pairs(&[("ann", 0), ("bob", 3)])));
        town.check().await;
        town.act(Act::Promote, 0, group, &[1]).await.unwrap();
        assert_eq!(town.memberships(1).await, pairs(&[("closed", 3)]), "who asks is not promoted");

        town.act(Act::Add, 0, group, &[1, 2, 1, 0]).await.unwrap();
        let mut noted = town.noted();
        noted.sort();
        assert_eq!(noted, [(4, "bob".to_owned()), (4, "cat".to_owned())]);
        let mut told = town.told();
        told.sort();
        let added = |who| (who, codes::GROUP_ADD, "You've been added to group closed".to_owned());
        assert_eq!(told, [added(1), added(2)]);
        town.act(Act::Add, 0, group, &[1]).await.unwrap();
        assert_eq!((town.noted(), town.told()), (vec![], vec![]));
        assert_eq!(town.memberships(1).await, pairs(&[("closed", 2)]));
        town.check().await;

        town.join(3, group).await.unwrap();
        town.leave(3, group).await.unwrap();
        town.join(3, group).await.unwrap();
        town.act(Act::Kick, 0, group, &[3]).await.unwrap();
        assert_eq!(town.memberships(3).await, []);
        let unknown = town.groups.act(Act::Add, Some(town.id(0)), group, &[town.id(4), new_id()]).await;
        assert!(matches!(unknown, Err(GroupError::UserNotFound)), "{unknown:?}");
        assert_eq!(town.memberships(4).await, [], "all or nothing");
        town.check().await;
    }

    async fn roles_rise_and_fall_below_who_acts(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let group = town.found(0, "ranks", true).await;
        for who in 1..5 {
            town.join(who, group).await.unwrap();
        }
        town.act(Act::Promote, 0, group, &[1, 2]).await.unwrap();
        town.act(Act::Promote, 0, group, &[1]).await.unwrap();
        town.noted();
        assert_eq!(town.users(group).await, pairs(&[("ann", 0), ("bob", 0), ("cat", 1), ("dan", 2), ("eve", 2)]));
        town.act(Act::Promote, 2, group, &[3, 0, 2]).await.unwrap();
        assert_eq!(town.noted(), [(7, "dan".to_owned())]);
        town.act(Act::Kick, 2, group, &[0, 3]).await.unwrap();
        assert_eq!(town.noted(), [], "an admin removes neither superadmins nor admins");
        town.act(Act::Demote, 2, group, &[3, 0]).await.unwrap();
        assert_eq!(town.noted(), [(9, "dan".to_owned())]);
        town.act(Act::Demote, 0, group, &[1, 0]).await.unwrap();
        assert_eq!(town.users(group).await, pairs(&[("ann", 0), ("bob", 1), ("cat", 1), ("dan", 2), ("eve", 2)]));
        town.groups.act(Act::Demote, None, group, &[town.id(0)]).await.unwrap();
        town.groups.act(Act::Kick, None, group, &[town.id(0)]).await.unwrap();
        assert_eq!(town.users(group).await[0], ("ann".to_owned(), 0), "the last superadmin stays");
        for act in [Act::Add, Act::Kick, Act::Ban, Act::Promote, Act::Demote] {
            for by in [4, 7] {
                let denied = town.act(act, by, group, &[3]).await;
                assert!(matches!(denied, Err(GroupError::Denied)), "{act:?} by {by}: {denied:?}");
            }
        }
        town.check().await;
    }

    async fn who_is_banned_stays_out_until_the_ban_is_lifted(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let group = town.found(0, "strict", true).await;
        for who in 1..4 {
            town.join(who, group).await.unwrap();
        }
        town.channels.take();
        town.act(Act::Ban, 0, group, &[1, 2, 5]).await.unwrap();
        let mut sent = town.channels.take();
        sent.sort_by_key(|sent| format!("{sent:?}"));
        let note = |who: usize| Sent::Note(8, town.id(who), town.people[who].1.clone());
        let mut wanted = vec![note(1), note(2), Sent::Removed(town.id(1)), Sent::Removed(town.id(2))];
        wanted.sort_by_key(|sent| format!("{sent:?}"));
        assert_eq!(sent, wanted);
        let mut users = town.users(group).await;
        users.sort();
        assert_eq!(users, pairs(&[("ann", 0), ("bob", 4), ("cat", 4), ("dan", 2)]), "a stranger is not banned");
        assert_eq!(town.memberships(1).await, []);
        town.check().await;
        town.join(1, group).await.unwrap();
        town.leave(1, group).await.unwrap();
        town.act(Act::Add, 0, group, &[1]).await.unwrap();
        town.act(Act::Ban, 0, group, &[1]).await.unwrap();
        assert_eq!((town.memberships(1).await, town.noted()), (vec![], vec![]));
        town.act(Act::Kick, 0, group, &[1]).await.unwrap();
        town.join(1, group).await.unwrap();
        assert_eq!(town.memberships(1).await, pairs(&[("strict", 2)]));
        town.check().await;
    }

    async fn the_last_superadmin_stays_and_the_last_one_closes_the_group(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let group = town.found(0, "club", true).await;
        town.join(1, group).await.unwrap();
        let stays = town.leave(0, group).await;
        assert!(matches!(stays, Err(GroupError::LastSuperadmin)), "{stays:?}");
        town.act(Act::Promote, 0, group, &[1]).await.unwrap();
        town.act(Act::Promote, 0, group, &[1]).await.unwrap();
        town.leave(0, group).await.unwrap();
        town.leave(0, group).await.unwrap();
        assert_eq!(town.users(group).await, pairs(&[("bob", 0)]));
        town.check().await;
        town.channels.take();
        town.leave(1, group).await.unwrap();
        assert_eq!(town.channels.take(), [Sent::Closed(group)]);
        assert_eq!((town.users(group).await, town.memberships(1).await), (vec![], vec![]));
        town.check().await;
    }

    async fn a_deletion_takes_everybody_out_and_needs_a_superadmin(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let group = town.found(0, "club", true).await;
        for who in 1..4 {
            town.join(who, group).await.unwrap();
        }
        town.act(Act::Promote, 0, group, &[1]).await.unwrap();
        town.act(Act::Ban, 0, group, &[3]).await.unwrap();
        let denied = town.groups.delete(Some(town.id(1)), group).await;
        assert!(matches!(denied, Err(GroupError::DeleteDenied)), "{denied:?}");
        town.channels.take();
        town.groups.delete(Some(town.id(0)), group).await.unwrap();
        assert_eq!(town.channels.take(), [Sent::Closed(group)]);
        for who in 0..4 {
            assert_eq!(town.memberships(who).await, []);
        }
        town.check().await;
        town.groups.delete(None, group).await.unwrap();
    }

    async fn groups_are_listed_in_pages_by_every_filter(bench: Bench) {
        let town = Town::new(&bench.store).await;
        for n in 0..12_i32 {
            let draft = Draft {
                name: format!("{} {n:02}", if n % 2 == 0 { "Even" } else { "Odd" }),
                lang_tag: ["en", "fr", "de"][(n % 3) as usize].to_owned(),
                open: n % 4 < 2,
                ..Draft::default()
            };
            let group = town.groups.create(town.id(0), &draft).await.unwrap().id;
            for who in 1..=(n as usize % 5) {
                town.groups.act(Act::Add, None, group, &[town.id(who)]).await.unwrap();
            }
        }
        let filter = |open, lang: &str, members| GroupFilter {
            open, lang_tag: lang.to_owned(), members, ..GroupFilter::default()
        };
        let mut filters = vec![GroupFilter { name: "%".to_owned(), ..GroupFilter::default() }];
        filters.push(GroupFilter { name: "even%".to_owned(), ..GroupFilter::default() });
        for open in [None, Some(true), Some(false)] {
            for lang in ["", "fr"] {
                for members in [None, Some(-1), Some(0), Some(3)] {
                    filters.push(filter(open, lang, members));
                }
            }
        }
        for filter in filters {
            let whole = GroupFilter { limit: Some(100), ..filter.clone() };
            let whole = town.groups.list(whole).await.unwrap();
            assert_eq!(whole.cursor, "");
            let expected = (0..12_i32).filter(|n| {
                let matches_name = filter.name != "even%" || n % 2 == 0;
                let members = filter.members.filter(|members| *members >= 0);
                matches_name
                    && filter.open.is_none_or(|open| open == (n % 4 < 2))
                    && (filter.lang_tag.is_empty() || n % 3 == 1)
                    && members.is_none_or(|members| n % 5 < members)
            });
            assert_eq!(whole.groups.len(), expected.count(), "{filter:?}");
            let (mut paged, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = GroupFilter { limit: Some(2), cursor, ..filter.clone() };
                let page = town.groups.list(page).await.unwrap();
                paged.extend(page.groups);
                cursor = page.cursor;
                if cursor.is_empty() {
                    break;
                }
            }
            assert_eq!(paged, whole.groups, "{filter:?}");
        }
        let one = town.groups.list(GroupFilter::default()).await.unwrap();
        assert_eq!(one.groups.len(), 1, "the default");
        let both = GroupFilter { name: "e%".to_owned(), open: Some(true), ..GroupFilter::default() };
        let both = town.groups.list(both).await.unwrap_err();
        assert_eq!(both.to_string(), "name filter cannot be combined with any other filter");
        let largest = town.groups.list(filter(Some(true), "", Some(100))).await.unwrap();
        assert_eq!(largest.groups[0].edge_count, 5, "the largest first");
    }

    async fn users_and_memberships_are_listed_in_pages(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let group = town.found(0, "club", false).await;
        for who in 1..7 {
            town.join(who, group).await.unwrap();
        }
        town.act(Act::Add, 0, group, &[1, 2, 3]).await.unwrap();
        town.act(Act::Promote, 0, group, &[2]).await.unwrap();
        let all = town.users(group).await;
        assert!(all.len() == 7 && all.is_sorted_by_key(|(_, state)| *state), "{all:?}");
        for n in 0..3 {
            let other = town.found(1, &format!("other {n}"), true).await;
            town.join(0, other).await.unwrap();
        }
        let of_ann = town.memberships(0).await;
        assert_eq!(of_ann.len(), 4);
        let whole = town.groups.all_of(town.id(0)).await.unwrap();
        assert!(whole.iter().map(|group| &group.name).eq(of_ann.iter().map(|(name, _)| name)));
        for limit in 1..=4 {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let listing = Listing { limit: Some(limit), state: None, cursor };
                let page = town.groups.users(group, &listing).await.unwrap();
                found.extend(page.group_users.into_iter().map(|u| (u.user.unwrap().username, u.state.unwrap())));
                cursor = page.cursor;
                if cursor.is_empty() { break; }
            }
            assert_eq!(found, all);
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let listing = Listing { limit: Some(limit), state: None, cursor };
                let page = town.groups.memberships(town.id(0), &listing).await.unwrap();
                found.extend(page.user_groups.into_iter().map(|g| (g.group.unwrap().name, g.state.unwrap())));
                cursor = page.cursor;
                if cursor.is_empty() { break; }
            }
            assert_eq!(found, of_ann);
        }
        let asking = Listing { limit: Some(2), state: Some(3), cursor: String::new() };
        let page = town.groups.users(group, &asking).await.unwrap();
        assert_eq!(page.group_users.len(), 2);
        let rest = Listing { cursor: page.cursor.clone(), ..asking };
        assert_eq!(town.groups.users(group, &rest).await.unwrap().group_users.len(), 1);
        for wrong in [
            Listing { state: Some(2), ..rest.clone() },
            Listing { cursor: "what".to_owned(), ..Listing::default() },
        ] {
            let result = town.groups.users(group, &wrong).await;
            assert!(matches!(result, Err(GroupError::Cursor)), "{result:?}");
        }
        let result = town.groups.memberships(town.id(0), &rest).await;
        assert!(matches!(result, Err(GroupError::Cursor)), "a cursor of another list: {result:?}");
    }

    async fn an_account_that_goes_leaves_groups_and_takes_those_it_alone_led(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let (alone, led) = (town.found(0, "alone", true).await, town.found(1, "led", true).await);
        let shared = town.found(0, "shared", true).await;
        for group in [alone, shared] {
            town.join(1, group).await.unwrap();
        }
        for _ in 0..2 {
            town.act(Act::Promote, 0, shared, &[1]).await.unwrap();
        }
        town.join(0, led).await.unwrap();
        let asked = town.found(1, "asked", false).await;
        town.join(0, asked).await.unwrap();
        assert!(lifecycle::delete(&town.store, town.id(0), false).await.unwrap());
        let mut left = town.memberships(1).await;
        left.sort();
        assert_eq!(left, pairs(&[("asked", 0), ("led", 0), ("shared", 0)]));
        for group in [led, shared, asked] {
            assert_eq!(town.users(group).await, pairs(&[("bob", 0)]));
        }
        assert_eq!(town.users(alone).await, []);
        town.check().await;
    }

    async fn any_calls_one_after_the_other_do_what_the_model_does(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let seed = Rng::from_os().next_u64();
        let rng = Rng::from_seed(seed);
        for (name, open) in [("open", true), ("closed", false)] {
            let group = town.found_of(0, name, open, 4).await.id;
            let states = BTreeMap::from([(0, 0)]);
            let mut model = Model { open, max: 4, states };
            for step in 0..100 {
                // Five people, so that they meet often.
                let by = rng.below(5) as usize;
                let who: BTreeSet<usize> = (0..5).filter(|_| rng.chance(0.4)).collect();
                let whom: Vec<usize> = who.iter().copied().collect();
                let call = rng.below(12);
                let act = match call {
                    4..=5 => Act::Add,
                    6 => Act::Kick,
                    7 => Act::Ban,
                    8..=10 => Act::Promote,
                    _ => Act::Demote,
                };
                let (expected, result) = match call {
                    0..=2 => (model.join(by), town.join(by, group).await),
                    3 => (model.leave(by), town.leave(by, group).await),
                    _ => (model.act(act, by, &who), town.act(act, by, group, &whom).await),
                };
                if model.members() == 0 {
                    // The last one has left, and the group with everything else is gone.
                    assert!(result.is_ok() && town.users(group).await.is_empty());
                    break;
                }
                let told = format!("seed {seed}, {name}, step {step}");
                // Nobody to act on is no error, whoever asks.
                let nobody = call > 3 && who.is_empty();
                assert_eq!(result.is_ok(), expected || nobody, "{told}: {result:?}");
                let mut users = town.users(group).await;
                users.sort();
                assert_eq!(users, model.users(), "{told}");
            }
        }
        town.check().await;
    }

    async fn members_and_counts_agree_when_everybody_acts_at_once(bench: Bench) {
        let town = Town::new(&bench.store).await;
        let groups = [
            town.found_of(0, "open", true, 5).await.id,
            town.found_of(1, "closed", false, 100).await.id,
        ];
        let seed = Rng::from_os().next_u64();
        let tasks = (0..24).map(|task| {
            let (town, rng) = (&town, Rng::from_seed(seed.wrapping_add(task)));
            async move {
                for _ in 0..20 {
                    let draw = || rng.below(NAMES.len() as u64) as usize;
                    let (group, by) = (groups[rng.below(2) as usize], draw());
                    let who: Vec<usize> =
                        std::iter::repeat_with(draw).take(1 + rng.below(3) as usize).collect();
                    let result = match rng.below(14) {
                        0..=3 => town.join(by, group).await,
                        4 => town.leave(by, group).await,
                        5..=7 => town.act(Act::Add, by, group, &who).await,
                        8 => town.act(Act::Kick, by, group, &who).await,
                        9 => town.act(Act::Ban, by, group, &who).await,
                        10..=12 => town.act(Act::Promote, by, group, &who).await,
                        _ => town.act(Act::Demote, by, group, &who).await,
                    };
                    // What is refused by the rules is fine; the store must never be in the way.
                    if let Err(GroupError::Store(error)) = result {
                        panic!("seed {seed}, task {task}: {error}");
                    }
                }
            }
        });
        join_all(tasks).await;
        // Rows are locked in one order, so that nobody waits in a circle and is run again for it.
        assert_eq!(bench.store.counters().retries.get(), 0, "seed {seed}");
        town.check().await;
    }

    async fn counts_agree_when_accounts_go_while_others_come(bench: Bench) {
        let town = Town::new(&bench.store).await;
        for round in 0..3_usize {
            let group = town.found(round, &format!("group {round}"), true).await;
            let others = town.found(7, &format!("others {round}"), true).await;
            let joining = (3..7).map(|by| {
                let town = &town;
                async move {
                    for _ in 0..3 {
                        for group in [group, others] {
                            let joined = town.join(by, group).await;
                            assert!(matches!(joined, Ok(()) | Err(GroupError::NotFound)), "{joined:?}");
                            town.leave(by, group).await.unwrap();
                        }
                        let added = town.act(Act::Add, 7, others, &[round]).await;
                        assert!(matches!(added, Ok(()) | Err(GroupError::UserNotFound)), "{added:?}");
                    }
                }
            });
            let deleting = async { lifecycle::delete(&town.store, town.id(round), false).await.unwrap() };
            let (_, deleted) = futures_util::future::join(join_all(joining), deleting).await;
            assert!(deleted);
            town.check().await;
        }
    }
}
