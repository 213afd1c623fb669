//! Adding, deleting and blocking.

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};
use kakera_shards::{Clock, Rng};
use serde_json::json;

use super::{
    DirectChannels, FriendError,
    rules::{self, Add, Pair},
};
use crate::{
    accounts::LiveUsers,
    ids::UserId,
    notifications::{Notice, Notifications, codes},
    store::{
        Reader, Store, StoreError, Tx,
        friends::{self as table, Edge, FriendState, POSITION_UNIQUE, Request},
        json_object, locks, relations, see_through,
    },
};

/// How often a call draws new positions when some of them are taken, which they hardly ever are.
const POSITION_TRIES: usize = 4;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    pub user: UserId,
    pub username: &'a str,
}

/// Whom a call is about, as the request names them.
#[derive(Clone, Copy, Debug)]
pub struct Whom<'a> {
    pub ids: &'a [String],
    pub usernames: &'a [String],
}

/// The friend services of one shard. Cheap to clone.
#[derive(Clone)]
pub struct Friends {
    pub(super) store: Store,
    pub(super) live: Rc<dyn LiveUsers>,
    channels: Rc<dyn DirectChannels>,
    notifications: Notifications,
    clock: Clock,
    rng: Rng,
}

impl Friends {
    pub fn new(
        store: Store,
        live: Rc<dyn LiveUsers>,
        channels: Rc<dyn DirectChannels>,
        notifications: Notifications,
        (clock, rng): (Clock, Rng),
    ) -> Self {
        Self { store, live, channels, notifications, clock, rng }
    }

    /// Asks each to be a friend, or accepts where they asked. Who is unknown, blocked or blocks is left
    /// out. `metadata` is a JSON object that the caller's edges keep, or empty.
    pub async fn add(
        &self,
        caller: Caller<'_>,
        whom: Whom<'_>,
        metadata: &str,
    ) -> Result<(), FriendError> {
        let Some(others) = self.resolve(caller, whom, "Cannot add self as friend.").await? else {
            return Ok(());
        };
        if others.is_empty() {
            return Err(FriendError::Nobody);
        }
        let metadata = object(metadata)?;
        let this = self.clone();
        let (user, username) = (caller.user, caller.username.to_owned());
        see_through("add friends", async move {
            this.add_and_tell(Caller { user, username: &username }, &others, metadata).await
        })
        .await
    }

    async fn add_and_tell(
        &self,
        caller: Caller<'_>,
        others: &[UserId],
        metadata: String,
    ) -> Result<(), FriendError> {
        let user = caller.user;
        let done = self
            .transact(others, move |positions| {
                let metadata = metadata.clone();
                async move |tx: &mut Tx<'_>| add_all(tx, user, &positions, &metadata).await
            })
            .await?;
        let notices = done.into_iter().filter_map(|(other, add)| {
            let (code, what) = match add {
                Add::Ask => (codes::FRIEND_REQUEST, "wants to add you as a friend"),
                Add::Accept => (codes::FRIEND_ACCEPT, "accepted your friend request"),
                Add::Nothing => return None,
            };
            Some((other, code, what))
        });
        self.tell(caller, notices).await;
        Ok(())
    }

    /// Ends friendships, takes back and declines requests, lifts the caller's blocks.
    pub async fn delete(&self, caller: Caller<'_>, whom: Whom<'_>) -> Result<(), FriendError> {
        let Some(others) = self.resolve(caller, whom, "Cannot delete self.").await? else {
            return Ok(());
        };
        let this = self.clone();
        let (user, username) = (caller.user, caller.username.to_owned());
        see_through("delete friends", async move {
            this.delete_and_tell(Caller { user, username: &username }, &others).await
        })
        .await
    }

    async fn delete_and_tell(
        &self,
        caller: Caller<'_>,
        others: &[UserId],
    ) -> Result<(), FriendError> {
        let user = caller.user;
        let ended = self
            .transact(others, move |positions| {
                async move |tx: &mut Tx<'_>| delete_all(tx, user, &positions).await
            })
            .await?;
        let notices =
            ended.into_iter().map(|other| (other, codes::FRIEND_REMOVE, "removed you as a friend"));
        self.tell(caller, notices).await;
        Ok(())
    }

    /// Blocks each, whatever they were before, and ends the direct messages with them. Who is unknown is
    /// left out.
    pub async fn block(&self, caller: Caller<'_>, whom: Whom<'_>) -> Result<(), FriendError> {
        let Some(others) = self.resolve(caller, whom, "Cannot block self.").await? else {
            return Ok(());
        };
        if others.is_empty() {
            return Err(FriendError::Nobody);
        }
        let (this, user) = (self.clone(), caller.user);
        see_through("block", async move {
            let blocked = this
                .transact(&others, move |positions| {
                    async move |tx: &mut Tx<'_>| block_all(tx, user, &positions).await
                })
                .await?;
            for other in blocked {
                this.channels.close(user, other);
            }
            Ok(())
        })
        .await
    }

    /// Replaces what the user noted of a friend: a JSON object, or empty. False when they do not know
    /// each other.
    pub async fn set_metadata(
        &self,
        user: UserId,
        friend: UserId,
        metadata: &str,
    ) -> Result<bool, FriendError> {
        let metadata = object(metadata)?;
        let steps = async move |tx: &mut Tx<'_>| {
            table::set_metadata(tx, (user, friend), &metadata).await.map_err(FriendError::from)
        };
        self.store.write(steps).await
    }

    /// The users that are meant, ascending, each once. `None` where the request names nobody.
    async fn resolve(
        &self,
        caller: Caller<'_>,
        whom: Whom<'_>,
        oneself: &'static str,
    ) -> Result<Option<Vec<UserId>>, FriendError> {
        let Whom { ids, usernames } = whom;
        if ids.is_empty() && usernames.is_empty() {
            return Ok(None);
        }
        let mut others = Vec::with_capacity(ids.len() + usernames.len());
        for text in ids {
            let id: UserId = text.parse().unwrap_or(UserId::NIL);
            if id == caller.user {
                return Err(FriendError::Oneself(oneself));
            }
            if id == UserId::NIL {
                return Err(FriendError::Id(text.clone()));
            }
            others.push(id);
        }
        for username in usernames {
            if username.is_empty() {
                return Err(FriendError::Username);
            }
            if username == caller.username {
                return Err(FriendError::Oneself(oneself));
            }
        }
        if !usernames.is_empty() {
            let usernames = usernames.to_vec();
            let ask = async move |reader: &mut Reader<'_>| {
                relations::existing(reader, &[], &usernames).await
            };
            others.extend(self.store.read(ask).await?);
        }
        // Somebody whose name has changed since the sign-in may name themselves by it.
        if others.contains(&caller.user) {
            return Err(FriendError::Oneself(oneself));
        }
        others.sort_unstable();
        others.dedup();
        Ok(Some(others))
    }

    /// Runs a transaction over these users, each with a position for a new edge.
    async fn transact<T, S>(
        &self,
        others: &[UserId],
        steps: impl Fn(Vec<(UserId, i64)>) -> S,
    ) -> Result<T, FriendError>
    where
        S: AsyncFn(&mut Tx<'_>) -> Result<T, FriendError> + Send + 'static,
        T: Send + 'static,
    {
        for _ in 0..POSITION_TRIES {
            match self.store.write(steps(self.positions(others))).await {
                Err(FriendError::Store(StoreError::Unique(name))) if &*name == POSITION_UNIQUE => {}
                other => return other,
            }
        }
        Err(FriendError::Contended)
    }

    /// Positions are nanoseconds, as in databases that were filled before: the microsecond, and chance.
    fn positions(&self, others: &[UserId]) -> Vec<(UserId, i64)> {
        let micros = self.clock.unix_micros();
        let positions = (micros..).map(|micros| micros * 1000 + self.rng.below(1000) as i64);
        others.iter().copied().zip(positions).collect()
    }

    /// Tells users what the caller did. Best effort: it is done already.
    async fn tell(
        &self,
        caller: Caller<'_>,
        notices: impl Iterator<Item = (UserId, i32, &'static str)>,
    ) {
        let content = json!({ "username": caller.username });
        let notices: Result<Vec<_>, _> = notices
            .map(|(other, code, what)| {
                let subject = format!("{} {what}", caller.username);
                Ok((other, Notice::stored(code, subject, &content, Some(caller.user))?))
            })
            .collect();
        let told = match notices {
            Ok(notices) if notices.is_empty() => return,
            Ok(notices) => self.notifications.send(&notices).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::warn!(%error, uid = %caller.user, "Users were not told of a friend.");
        }
    }
}

/// The edges between the user and those of the others who exist, whose accounts are locked from here on.
async fn pairs(
    tx: &mut Tx<'_>,
    user: UserId,
    others: &[(UserId, i64)],
) -> Result<(HashSet<UserId>, HashMap<UserId, Edge>, HashMap<UserId, Edge>), StoreError> {
    let ids: Vec<UserId> = others.iter().map(|(id, _)| *id).collect();
    let all: Vec<UserId> = ids.iter().copied().chain([user]).collect();
    let known: HashSet<UserId> = locks::accounts(tx, &all).await?.into_iter().collect();
    if !known.contains(&user) {
        // The caller is gone, and with it every edge.
        return Ok(Default::default());
    }
    let by_other = |edges: Vec<Edge>| edges.into_iter().map(|edge| (edge.other, edge)).collect();
    let mine = by_other(table::edges_from(tx, user, &ids).await?);
    let theirs = by_other(table::edges_to(tx, user, &ids).await?);
    Ok((known, mine, theirs))
}

fn pair(mine: &HashMap<UserId, Edge>, theirs: &HashMap<UserId, Edge>, other: UserId) -> Pair {
    let state = |edges: &HashMap<UserId, Edge>| -> Option<FriendState> {
        edges.get(&other).map(|edge| edge.state)
    };
    Pair { mine: state(mine), theirs: state(theirs) }
}

async fn add_all(
    tx: &mut Tx<'_>,
    user: UserId,
    others: &[(UserId, i64)],
    metadata: &str,
) -> Result<Vec<(UserId, Add)>, FriendError> {
    let (known, mut mine, theirs) = pairs(tx, user, others).await?;
    if !known.contains(&user) {
        return Err(FriendError::Gone);
    }
    let (mut done, mut asked) = (Vec::new(), Vec::new());
    for (other, position) in others.iter().filter(|(other, _)| known.contains(other)) {
        let add = rules::add(pair(&mine, &theirs, *other));
        match add {
            Add::Ask => {
                let (from, to, position) = (user, *other, *position);
                let request = Request { from, to, position, metadata };
                table::insert_request(tx, request).await?;
                asked.push(*other);
            }
            Add::Accept => {
                let before = mine.remove(other).map(|edge| edge.metadata).unwrap_or_default();
                // A database may hold anything that is JSON; what is no object gives way.
                let noted = json_object::merged(&before, metadata);
                let noted = noted.as_deref().unwrap_or(metadata);
                table::accept(tx, (user, *other), noted).await?;
            }
            Add::Nothing => {}
        }
        done.push((*other, add));
    }
    table::add_to_edge_counts(tx, &asked, 1).await?;
    table::add_to_edge_counts(tx, &[user], asked.len() as i32).await?;
    Ok(done)
}

/// Yields those with whom both edges went.
async fn delete_all(
    tx: &mut Tx<'_>,
    user: UserId,
    others: &[(UserId, i64)],
) -> Result<Vec<UserId>, FriendError> {
    let (_, mine, theirs) = pairs(tx, user, others).await?;
    let (mut ended, mut lost, mut own) = (Vec::new(), Vec::new(), 0);
    for (other, _) in others {
        let delete = rules::delete(pair(&mine, &theirs, *other));
        if delete.mine {
            table::remove(tx, user, *other).await?;
            own += 1;
        }
        if delete.theirs {
            table::remove(tx, *other, user).await?;
            lost.push(*other);
        }
        if delete.mine && delete.theirs {
            ended.push(*other);
        }
    }
    table::add_to_edge_counts(tx, &lost, -1).await?;
    table::add_to_edge_counts(tx, &[user], -own).await?;
    Ok(ended)
}

/// Yields those who exist.
async fn block_all(
    tx: &mut Tx<'_>,
    user: UserId,
    others: &[(UserId, i64)],
) -> Result<Vec<UserId>, FriendError> {
    let (known, mine, theirs) = pairs(tx, user, others).await?;
    if !known.contains(&user) {
        return Err(FriendError::Gone);
    }
    let (mut blocked, mut lost, mut own) = (Vec::new(), Vec::new(), 0);
    for (other, position) in others.iter().filter(|(other, _)| known.contains(other)) {
        let block = rules::block(pair(&mine, &theirs, *other));
        if block.edge_exists {
            table::block(tx, user, *other).await?;
        } else {
            table::insert_block(tx, (user, *other), *position).await?;
            own += 1;
        }
        if block.remove_theirs {
            table::remove(tx, *other, user).await?;
            lost.push(*other);
        }
        blocked.push(*other);
    }
    table::add_to_edge_counts(tx, &lost, -1).await?;
    table::add_to_edge_counts(tx, &[user], own).await?;
    Ok(blocked)
}

/// Metadata as a request has it: a JSON object, or empty.
fn object(metadata: &str) -> Result<String, FriendError> {
    match metadata {
        "" => Ok("{}".to_owned()),
        text if json_object::is_object(text) => Ok(text.to_owned()),
        _ => Err(FriendError::Metadata),
    }
}
