//! Friends and their friends, page by page.

use kakera_proto::{Timestamp, api};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{FriendError, Friends};
use crate::{
    accounts::users::shown,
    cursor,
    ids::UserId,
    store::{
        ROW_COUNT_MAX,
        friends::{self as table, FriendRecord, FriendState},
        users::UserRecord,
    },
};

/// The longest page of friends, and how long one is that names no limit.
pub const LIST_LIMIT_MAX: i32 = 1000;

/// The longest page of friends' friends.
pub const OF_FRIENDS_LIMIT_MAX: i32 = 100;

const OF_FRIENDS_LIMIT_DEFAULT: i32 = 10;

/// Names of the listings' cursors.
const LIST_KIND: &str = "friends";
const OF_FRIENDS_KIND: &str = "friends of friends";

/// Which friends are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// 1 to [`LIST_LIMIT_MAX`].
    pub limit: Option<i32>,
    /// As on the wire; all states where it is not given.
    pub state: Option<i32>,
    pub cursor: String,
}

/// The first friend of the next page, by state and position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place(i32, i64);

/// The first one of the next page: through whom, and who.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OfFriendsPlace(Pair64, Pair64);

type Pair64 = (u64, u64);

impl Friends {
    /// A page of the user's friends, by state and by when they came to know each other.
    pub async fn list(
        &self,
        user: UserId,
        listing: &Listing,
    ) -> Result<api::FriendList, FriendError> {
        let limit = limit(listing.limit, LIST_LIMIT_MAX, LIST_LIMIT_MAX)?;
        let state = listing
            .state
            .map(|state| FriendState::from_wire(state).ok_or(FriendError::State))
            .transpose()?;
        let from = match listing.cursor.as_str() {
            "" => None,
            text => Some(place(text, state)?),
        };
        let mut records = table::list(&self.store, user, state, from, limit + 1).await?;
        let next = split_page(&mut records, limit);
        let cursor = next.map(|next| {
            cursor::encode(LIST_KIND, &Place(i32::from(next.state as i16), next.position))
        });

        let online = self.live.online(records.iter().map(|record| record.user.id).collect()).await;
        let mut online = online.into_iter();
        let friends = records
            .into_iter()
            .map(|record| friend(record, online.next().unwrap_or_default()))
            .collect();
        Ok(api::FriendList { friends, cursor: cursor.unwrap_or_default() })
    }

    /// Everybody to whom the user has an edge, by id and state alone, for the export of the account; of more
    /// than [`ROW_COUNT_MAX`] the first.
    pub async fn all_of(&self, user: UserId) -> Result<Vec<api::Friend>, FriendError> {
        let limit = u32::try_from(ROW_COUNT_MAX).unwrap_or(u32::MAX);
        let records = table::list(&self.store, user, None, None, limit).await?;
        let friend = |record: FriendRecord| {
            let id = record.user.id.to_string();
            api::Friend {
                user: Some(api::User { id, ..api::User::default() }),
                state: Some(i32::from(record.state as i16)),
                ..api::Friend::default()
            }
        };
        Ok(records.into_iter().map(friend).collect())
    }

    /// A page of the friends of the user's friends, without the user's own.
    pub async fn of_friends(
        &self,
        user: UserId,
        limit_asked: Option<i32>,
        cursor: &str,
    ) -> Result<api::FriendsOfFriendsList, FriendError> {
        let limit = limit(limit_asked, OF_FRIENDS_LIMIT_DEFAULT, OF_FRIENDS_LIMIT_MAX)?;
        let from = match cursor {
            "" => None,
            text => {
                let OfFriendsPlace(referrer, other) =
                    cursor::decode(OF_FRIENDS_KIND, text).map_err(|_| FriendError::Cursor)?;
                Some((id_of(referrer), id_of(other)))
            }
        };
        let mut records = table::of_friends(&self.store, user, from, limit + 1).await?;
        let next = split_page(&mut records, limit);
        let cursor = next.map(|next| {
            let place = OfFriendsPlace(next.referrer.0.as_u64_pair(), next.user.id.0.as_u64_pair());
            cursor::encode(OF_FRIENDS_KIND, &place)
        });

        let online = self.live.online(records.iter().map(|record| record.user.id).collect()).await;
        let mut online = online.into_iter();
        let friends_of_friends = records
            .into_iter()
            .map(|record| api::friends_of_friends_list::FriendOfFriend {
                referrer: record.referrer.to_string(),
                user: Some(shown(record.user, online.next().unwrap_or_default())),
            })
            .collect();
        Ok(api::FriendsOfFriendsList { friends_of_friends, cursor: cursor.unwrap_or_default() })
    }
}

fn limit(asked: Option<i32>, default: i32, max: i32) -> Result<u32, FriendError> {
    let limit = asked.unwrap_or(default);
    if !(1..=max).contains(&limit) {
        return Err(FriendError::Limit(max));
    }
    Ok(limit.unsigned_abs())
}

/// Takes off what is beyond the page: the first of the next one.
fn split_page<T>(records: &mut Vec<T>, limit: u32) -> Option<T> {
    if records.len() > limit as usize { records.pop() } else { None }
}

/// A cursor of another state than the one that is asked for is refused.
fn place(text: &str, asked: Option<FriendState>) -> Result<(FriendState, i64), FriendError> {
    let Place(state, position) =
        cursor::decode(LIST_KIND, text).map_err(|_| FriendError::Cursor)?;
    let state = FriendState::from_wire(state).ok_or(FriendError::Cursor)?;
    if asked.is_some_and(|asked| asked != state) {
        return Err(FriendError::Cursor);
    }
    Ok((state, position))
}

fn id_of((high, low): Pair64) -> UserId {
    UserId(Uuid::from_u64_pair(high, low))
}

fn friend(record: FriendRecord, online: bool) -> api::Friend {
    let FriendRecord { user, state, update_time, metadata, .. } = record;
    // How many friends a friend has is not told here.
    let user = UserRecord { edge_count: 0, ..user };
    api::Friend {
        user: Some(shown(user, online)),
        state: Some(i32::from(state as i16)),
        update_time: Some(Timestamp { seconds: update_time.unix_sec(), nanos: 0 }),
        metadata,
    }
}
