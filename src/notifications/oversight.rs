//! The notifications of all users, as operators see them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{NotificationError, Notifications};
use crate::{
    cursor,
    ids::UserId,
    store::{
        Timestamp,
        notifications::{self as table, Direction, OwnedRecord, Place},
    },
};

const CURSOR_KIND: &str = "all notifications";

/// The longest page of operators.
pub const PAGE_LEN_MAX: u32 = 1000;

/// A page, and the cursors of those beside it; empty where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub notifications: Vec<OwnedRecord>,
    pub next: String,
    pub previous: String,
}

/// The last row of the page before, or the first one of the page after: user, time and id.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Cursor {
    user: (u64, u64),
    micros: i64,
    id: (u64, u64),
    forward: bool,
}

impl Cursor {
    fn text(row: &OwnedRecord, forward: bool) -> String {
        let Place { user, create_time, id } = row.place();
        let (user, id) = (user.0.as_u64_pair(), id.as_u64_pair());
        cursor::encode(CURSOR_KIND, &Self { user, micros: create_time.0, id, forward })
    }

    fn read(text: &str) -> Result<(Place, Direction), NotificationError> {
        let Self { user, micros, id, forward } =
            cursor::decode(CURSOR_KIND, text).map_err(|_| NotificationError::PageCursor)?;
        let place = Place {
            user: UserId(Uuid::from_u64_pair(user.0, user.1)),
            create_time: Timestamp(micros),
            id: Uuid::from_u64_pair(id.0, id.1),
        };
        Ok((place, if forward { Direction::Forward } else { Direction::Backward }))
    }
}

impl Notifications {
    /// The notifications of one user, or of all in the order of their users' ids; at most
    /// [`PAGE_LEN_MAX`].
    pub async fn page(
        &self,
        user: Option<UserId>,
        limit: u32,
        cursor: &str,
    ) -> Result<Page, NotificationError> {
        let from = if cursor.is_empty() { None } else { Some(Cursor::read(cursor)?) };
        if let (Some(user), Some((place, _))) = (user, from)
            && place.user != user
        {
            return Err(NotificationError::PageCursor);
        }
        let limit = limit.min(PAGE_LEN_MAX);
        let mut found = table::page(self.store(), user, from, limit + 1).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let backward = matches!(from, Some((_, Direction::Backward)));
        if backward {
            found.reverse();
        }
        let (has_previous, has_next) = if backward { (more, true) } else { (from.is_some(), more) };
        let cursor = |row: Option<&OwnedRecord>, is_there: bool, forward| match row {
            Some(row) if is_there => Cursor::text(row, forward),
            Some(_) | None => String::new(),
        };
        Ok(Page {
            next: cursor(found.last(), has_next, true),
            previous: cursor(found.first(), has_previous, false),
            notifications: found,
        })
    }

    /// The notification with this id, whoever it is for.
    pub async fn get(&self, id: Uuid) -> Result<OwnedRecord, NotificationError> {
        table::by_id(self.store(), id).await?.ok_or(NotificationError::Unknown)
    }

    /// Deletes a notification, whoever it is for.
    pub async fn delete_of_anybody(&self, id: Uuid) -> Result<(), NotificationError> {
        Ok(table::delete_by_id(self.store(), id).await?)
    }
}
