//! Pages of friends, and of their friends.

use super::FriendState;
use crate::{
    ids::UserId,
    params,
    store::{
        Columns, FromRow, Reader, Store, StoreError, Timestamp,
        users::{UserRecord, profiles::user_columns},
    },
};

/// More rows than this in one page are read apart from the shard.
const SHORT_PAGE_LEN: u32 = 100;

/// A friend as the user has it.
#[derive(Clone, Debug, PartialEq)]
pub struct FriendRecord {
    pub user: UserRecord,
    pub state: FriendState,
    /// Where it stands among those of the state.
    pub position: i64,
    pub update_time: Timestamp,
    /// A JSON object.
    pub metadata: String,
}

impl FromRow for FriendRecord {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            user: UserRecord::from_row(columns)?,
            state: columns.take()?,
            position: columns.take()?,
            update_time: columns.take()?,
            metadata: columns.take()?,
        })
    }
}

/// The user's friends by state and position, beginning with the place `from`; of one `state` or of all.
pub async fn list(
    store: &Store,
    user: UserId,
    state: Option<FriendState>,
    from: Option<(FriendState, i64)>,
    limit: u32,
) -> Result<Vec<FriendRecord>, StoreError> {
    macro_rules! listing {
        ($and:literal) => {
            concat!(
                "select ",
                user_columns!(),
                ", e.state, e.position, e.update_time, e.metadata from user_edge e \
                 join users u on u.id = e.destination_id where e.source_id = $1",
                $and,
                " order by e.state, e.position limit $2"
            )
        };
    }
    let rows = i64::from(limit);
    let steps = async move |reader: &mut Reader<'_>| match (state, from) {
        (None, None) => reader.all(listing!(""), params![user, rows]).await,
        (Some(state), None) => {
            reader.all(listing!(" and e.state = $3"), params![user, rows, state as i16]).await
        }
        (None, Some((state, position))) => {
            let sql = listing!(" and (e.state, e.position) >= ($3, $4)");
            reader.all(sql, params![user, rows, state as i16, position]).await
        }
        (Some(state), Some((_, position))) => {
            let sql = listing!(" and e.state = $3 and e.position >= $4");
            reader.all(sql, params![user, rows, state as i16, position]).await
        }
    };
    if limit <= SHORT_PAGE_LEN { store.read(steps).await } else { store.scan(steps).await }
}

/// Somebody's friend.
#[derive(Clone, Debug, PartialEq)]
pub struct FriendOfFriend {
    /// The friend through whom.
    pub referrer: UserId,
    pub user: UserRecord,
}

impl FromRow for FriendOfFriend {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self { referrer: columns.take()?, user: UserRecord::from_row(columns)? })
    }
}

/// The friends of the user's friends who are not the user's own, by both ids, beginning with the place
/// `from`. One whom two friends know is there twice.
pub async fn of_friends(
    store: &Store,
    user: UserId,
    from: Option<(UserId, UserId)>,
    limit: u32,
) -> Result<Vec<FriendOfFriend>, StoreError> {
    macro_rules! listing {
        ($and:literal) => {
            concat!(
                "select f.source_id, ",
                user_columns!(),
                " from user_edge m \
                 join user_edge f on f.source_id = m.destination_id and f.state = 0 \
                 join users u on u.id = f.destination_id \
                 where m.source_id = $1 and m.state = 0 and f.destination_id <> $1 \
                 and not exists (select 1 from user_edge k where k.source_id = $1 \
                 and k.destination_id = f.destination_id and k.state = 0)",
                $and,
                " order by f.source_id, f.destination_id limit $2"
            )
        };
    }
    let limit = i64::from(limit);
    let steps = async move |reader: &mut Reader<'_>| match from {
        None => reader.all(listing!(""), params![user, limit]).await,
        Some((referrer, other)) => {
            let sql = listing!(" and (f.source_id, f.destination_id) >= ($3, $4)");
            reader.all(sql, params![user, limit, referrer, other]).await
        }
    };
    // However short the page, all of the friends' friends are looked at.
    store.scan(steps).await
}
