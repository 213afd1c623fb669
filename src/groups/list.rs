//! Groups, their users and a user's groups, page by page.

use kakera_proto::{Timestamp, api};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{GroupError, Groups};
use crate::{
    accounts::users::shown,
    cursor,
    ids::{GroupId, UserId},
    store::{
        self, ROW_COUNT_MAX,
        groups::{self as table, GroupPlace, GroupRecord, GroupSelect, MemberState},
    },
};

/// The longest page.
pub const LIST_LIMIT_MAX: i32 = 100;

/// How many groups a page has that names no limit.
const GROUPS_LIMIT_DEFAULT: i32 = 1;

/// Names of the listings' cursors.
const GROUPS_KIND: &str = "groups";
const USERS_KIND: &str = "users of a group";
const MEMBERSHIPS_KIND: &str = "groups of a user";

/// Which groups are wanted, as on the wire: an empty text is no filter, nor is a negative number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupFilter {
    /// A pattern, `%` and `_` stand for any characters and any one; goes with no other filter.
    pub name: String,
    pub lang_tag: String,
    /// The largest number of members.
    pub members: Option<i32>,
    pub open: Option<bool>,
    /// 1 to [`LIST_LIMIT_MAX`].
    pub limit: Option<i32>,
    pub cursor: String,
}

/// Which users of a group, or groups of a user, are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// 1 to [`LIST_LIMIT_MAX`], which is also the default.
    pub limit: Option<i32>,
    /// As on the wire; all but those who are banned where it is not given.
    pub state: Option<i32>,
    pub cursor: String,
}

/// All by which groups are ordered, of the last group of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    name: String,
    lang: String,
    count: i32,
    updated: i64,
    id: (u64, u64),
}

/// The first edge of the next page, by state and position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct EdgePlace(i32, i64);

impl Groups {
    /// A page of groups, in the order that belongs to the filters.
    pub async fn list(&self, filter: GroupFilter) -> Result<api::GroupList, GroupError> {
        let limit = limit(filter.limit, GROUPS_LIMIT_DEFAULT)?;
        let after = match filter.cursor.as_str() {
            "" => None,
            text => {
                let place: Place =
                    cursor::decode(GROUPS_KIND, text).map_err(|_| GroupError::ListCursor)?;
                Some(GroupPlace {
                    name: place.name,
                    lang_tag: place.lang,
                    edge_count: place.count,
                    update_time: store::Timestamp(place.updated),
                    id: GroupId(Uuid::from_u64_pair(place.id.0, place.id.1)),
                })
            }
        };
        let select = select(filter)?;
        let mut records = table::list(&self.store, select, after, limit + 1).await?;
        let more = records.len() > limit as usize;
        records.truncate(limit as usize);
        let cursor = records.last().filter(|_| more).map(|last| {
            let place = Place {
                name: last.name.clone(),
                lang: last.lang_tag.clone(),
                count: last.edge_count,
                updated: last.update_time.0,
                id: last.id.0.as_u64_pair(),
            };
            cursor::encode(GROUPS_KIND, &place)
        });
        Ok(api::GroupList {
            groups: records.into_iter().map(group).collect(),
            cursor: cursor.unwrap_or_default(),
        })
    }

    /// A page of a group's users, by state and by when they came. A group that does not exist has none.
    pub async fn users(
        &self,
        group: GroupId,
        listing: &Listing,
    ) -> Result<api::GroupUserList, GroupError> {
        let (limit, state, from) = read(listing, USERS_KIND)?;
        let mut records = table::users_of(&self.store, group, state, from, limit + 1).await?;
        let next = split_page(&mut records, limit);
        let cursor = next.map(|next| edge_cursor(USERS_KIND, next.state, next.position));
        let online = self.live.online(records.iter().map(|record| record.user.id).collect()).await;
        let mut online = online.into_iter();
        let group_users = records
            .into_iter()
            .map(|record| api::group_user_list::GroupUser {
                user: Some(shown(record.user, online.next().unwrap_or_default())),
                state: Some(i32::from(record.state as i16)),
            })
            .collect();
        Ok(api::GroupUserList { group_users, cursor: cursor.unwrap_or_default() })
    }

    /// A page of a user's groups, by state and by when the user came.
    pub async fn memberships(
        &self,
        user: UserId,
        listing: &Listing,
    ) -> Result<api::UserGroupList, GroupError> {
        let (limit, state, from) = read(listing, MEMBERSHIPS_KIND)?;
        let mut records = table::memberships(&self.store, user, state, from, limit + 1).await?;
        let next = split_page(&mut records, limit);
        let cursor = next.map(|next| edge_cursor(MEMBERSHIPS_KIND, next.state, next.position));
        let user_groups = records
            .into_iter()
            .map(|record| api::user_group_list::UserGroup {
                group: Some(group(record.group)),
                state: Some(i32::from(record.state as i16)),
            })
            .collect();
        Ok(api::UserGroupList { user_groups, cursor: cursor.unwrap_or_default() })
    }

    /// Every group that the user is in or asks to join, for the export of the account; of more than
    /// [`ROW_COUNT_MAX`] the first.
    pub async fn all_of(&self, user: UserId) -> Result<Vec<api::Group>, GroupError> {
        let limit = u32::try_from(ROW_COUNT_MAX).unwrap_or(u32::MAX);
        let records = table::memberships(&self.store, user, None, None, limit).await?;
        Ok(records.into_iter().map(|record| group(record.group)).collect())
    }
}

fn limit(asked: Option<i32>, default: i32) -> Result<u32, GroupError> {
    let limit = asked.unwrap_or(default);
    if !(1..=LIST_LIMIT_MAX).contains(&limit) {
        return Err(GroupError::Limit);
    }
    Ok(limit.unsigned_abs())
}

fn select(filter: GroupFilter) -> Result<GroupSelect, GroupError> {
    let GroupFilter { name, lang_tag, members, open, .. } = filter;
    let lang_tag = (!lang_tag.is_empty()).then_some(lang_tag);
    let members = members.filter(|members| *members >= 0);
    if !name.is_empty() && (lang_tag.is_some() || members.is_some() || open.is_some()) {
        let why = "name filter cannot be combined with any other filter";
        return Err(GroupError::Invalid(why));
    }
    // A pattern that begins with anything would look at all groups.
    let name = name.trim_start_matches(['%', ' ']);
    Ok(if name.is_empty() {
        GroupSelect::Filter { open, lang_tag, members }
    } else {
        GroupSelect::Name(name.to_owned())
    })
}

type EdgePage = (u32, Option<MemberState>, Option<(MemberState, i64)>);

/// A cursor of another state than the one that is asked for is refused.
fn read(listing: &Listing, kind: &'static str) -> Result<EdgePage, GroupError> {
    let limit = limit(listing.limit, LIST_LIMIT_MAX)?;
    let state = listing
        .state
        .map(|state| MemberState::from_wire(state).ok_or(GroupError::State))
        .transpose()?;
    let from = match listing.cursor.as_str() {
        "" => None,
        text => {
            let EdgePlace(at, position) =
                cursor::decode(kind, text).map_err(|_| GroupError::Cursor)?;
            let at = MemberState::from_wire(at).ok_or(GroupError::Cursor)?;
            if state.is_some_and(|state| state != at) {
                return Err(GroupError::Cursor);
            }
            Some((at, position))
        }
    };
    Ok((limit, state, from))
}

/// Takes off what is beyond the page: the first of the next one.
fn split_page<T>(records: &mut Vec<T>, limit: u32) -> Option<T> {
    if records.len() > limit as usize { records.pop() } else { None }
}

fn edge_cursor(kind: &'static str, state: MemberState, position: i64) -> String {
    cursor::encode(kind, &EdgePlace(i32::from(state as i16), position))
}

/// A group as anybody sees it.
pub fn group(record: GroupRecord) -> api::Group {
    let seconds = |time: store::Timestamp| Timestamp { seconds: time.unix_sec(), nanos: 0 };
    api::Group {
        id: record.id.to_string(),
        creator_id: record.creator.to_string(),
        name: record.name,
        description: record.description.unwrap_or_default(),
        lang_tag: record.lang_tag,
        metadata: record.metadata,
        avatar_url: record.avatar_url.unwrap_or_default(),
        open: Some(record.open),
        edge_count: record.edge_count,
        max_count: record.max_count,
        create_time: Some(seconds(record.create_time)),
        update_time: Some(seconds(record.update_time)),
    }
}
