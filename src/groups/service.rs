//! Founding, changing and deleting groups.

use std::rc::Rc;

use kakera_shards::{Clock, Rng};
use uuid::Uuid;

use super::{GroupChannels, GroupError};
use crate::{
    accounts::LiveUsers,
    ids::{GroupId, UserId},
    notifications::{Notice, NotificationError, Notifications},
    store::{
        Store, StoreError, Tx,
        groups::{
            self as table, GroupChange, GroupRecord, MemberState, NAME_UNIQUE, NewEdge, NewGroup,
            POSITION_UNIQUE,
        },
        locks, see_through,
    },
};

/// How many members a group may have that names no other number.
pub const MAX_COUNT_DEFAULT: i32 = 100;

/// The language of a group that names none.
const LANG_TAG_DEFAULT: &str = "en";

/// How often a call draws new positions when some of them are taken, which they hardly ever are.
const POSITION_TRIES: usize = 4;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    pub user: UserId,
    pub username: &'a str,
}

/// A group before it is founded. Texts may be empty, but for the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    pub name: String,
    pub description: String,
    pub avatar_url: String,
    pub lang_tag: String,
    /// A JSON object, or empty.
    pub metadata: String,
    pub open: bool,
    /// [`MAX_COUNT_DEFAULT`] where it is not given.
    pub max_count: Option<i32>,
}

/// The group services of one shard. Cheap to clone.
#[derive(Clone)]
pub struct Groups {
    pub(super) store: Store,
    pub(super) live: Rc<dyn LiveUsers>,
    pub(super) channels: Rc<dyn GroupChannels>,
    notifications: Notifications,
    clock: Clock,
    rng: Rng,
}

impl Groups {
    pub fn new(
        store: Store,
        live: Rc<dyn LiveUsers>,
        channels: Rc<dyn GroupChannels>,
        notifications: Notifications,
        (clock, rng): (Clock, Rng),
    ) -> Self {
        Self { store, live, channels, notifications, clock, rng }
    }

    /// Founds a group with this user as its only member and superadmin.
    pub async fn create(&self, user: UserId, draft: &Draft) -> Result<GroupRecord, GroupError> {
        if draft.name.is_empty() {
            return Err(GroupError::Invalid("Group name must be set."));
        }
        let max_count = draft.max_count.unwrap_or(MAX_COUNT_DEFAULT);
        if max_count < 1 {
            return Err(GroupError::Invalid("Group max count must be >= 1 when set."));
        }
        let or = |text: &String, default: &str| {
            if text.is_empty() { default.to_owned() } else { text.clone() }
        };
        let group = NewGroup {
            id: GroupId(self.random_id()),
            creator: user,
            name: draft.name.clone(),
            description: draft.description.clone(),
            avatar_url: draft.avatar_url.clone(),
            lang_tag: or(&draft.lang_tag, LANG_TAG_DEFAULT),
            metadata: or(&draft.metadata, "{}"),
            open: draft.open,
            max_count,
        };
        let created = self
            .transact(|| {
                let (group, position) = (group.clone(), self.position());
                async move |tx: &mut Tx<'_>| {
                    if locks::accounts_stay(tx, &[user]).await?.is_empty() {
                        return Err(GroupError::Gone);
                    }
                    let record = table::create(tx, &group).await?;
                    let state = MemberState::Superadmin;
                    let edge = NewEdge { group: record.id, user, state, position };
                    table::insert(tx, edge).await?;
                    Ok(record)
                }
            })
            .await;
        created.map_err(|error| name_taken(error, GroupError::NameInUse))
    }

    /// Changes what is named. `by` is `None` for the server itself; others have to lead the group.
    pub async fn update(
        &self,
        by: Option<UserId>,
        group: GroupId,
        change: GroupChange,
    ) -> Result<(), GroupError> {
        let steps = async move |tx: &mut Tx<'_>| {
            locks::groups(tx, &[group]).await?;
            let denied = GroupError::UpdateDenied;
            require(tx, by, group, MemberState::Admin, denied).await?;
            if change == GroupChange::default() {
                return Err(GroupError::Invalid("Specify at least one field to update."));
            }
            if table::change(tx, group, &change).await? {
                Ok(())
            } else {
                Err(GroupError::Invalid("No new fields in group update."))
            }
        };
        let changed = self.store.write(steps).await;
        changed.map_err(|error| name_taken(error, GroupError::RenamedInUse))
    }

    /// Deletes the group and closes its channel. `by` is `None` for the server itself; others have to be
    /// superadmin.
    pub async fn delete(&self, by: Option<UserId>, group: GroupId) -> Result<(), GroupError> {
        let steps = async move |tx: &mut Tx<'_>| {
            locks::groups(tx, &[group]).await?;
            let denied = GroupError::DeleteDenied;
            require(tx, by, group, MemberState::Superadmin, denied).await?;
            table::delete(tx, group).await.map_err(GroupError::from)
        };
        let this = self.clone();
        see_through("delete a group", async move {
            this.store.write(steps).await?;
            this.channels.close(group);
            Ok(())
        })
        .await
    }

    /// Runs a transaction, anew while a position in it is taken.
    pub(super) async fn transact<T, S>(&self, steps: impl Fn() -> S) -> Result<T, GroupError>
    where
        S: AsyncFn(&mut Tx<'_>) -> Result<T, GroupError> + Send + 'static,
        T: Send + 'static,
    {
        for _ in 0..POSITION_TRIES {
            match self.store.write(steps()).await {
                Err(GroupError::Store(StoreError::Unique(name))) if &*name == POSITION_UNIQUE => {}
                other => return other,
            }
        }
        Err(GroupError::Contended)
    }

    pub(super) fn position(&self) -> i64 {
        self.positions().next().unwrap_or_default()
    }

    /// Positions are nanoseconds, as in databases that were filled before: the microsecond, and chance.
    pub(super) fn positions(&self) -> impl Iterator<Item = i64> {
        let micros = self.clock.unix_micros();
        (micros..).map(|micros| micros * 1000 + self.rng.below(1000) as i64)
    }

    /// Tells users what happened. Best effort: it has happened already.
    pub(super) async fn tell(&self, notices: Result<Vec<(UserId, Notice)>, NotificationError>) {
        let told = match notices {
            Ok(notices) if notices.is_empty() => return,
            Ok(notices) => self.notifications.send(&notices).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::warn!(%error, "Users were not told of a group.");
        }
    }

    fn random_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.bytes_16()).into_uuid()
    }
}

/// Whether who acts stands high enough.
async fn require(
    tx: &mut Tx<'_>,
    by: Option<UserId>,
    group: GroupId,
    least: MemberState,
    denied: GroupError,
) -> Result<(), GroupError> {
    let Some(by) = by else { return Ok(()) };
    let states = table::edges_of(tx, group, &[by]).await?;
    if states.iter().any(|(_, state)| *state <= least) { Ok(()) } else { Err(denied) }
}

fn name_taken(error: GroupError, taken: GroupError) -> GroupError {
    match error {
        GroupError::Store(error) if error.is_unique(NAME_UNIQUE) => taken,
        other => other,
    }
}
