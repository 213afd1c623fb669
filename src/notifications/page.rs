//! A user's stored notifications, page by page, and their removal.

use kakera_proto::{Timestamp, api};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{NotificationError, Notifications, old_cursor};
use crate::{
    cursor,
    ids::UserId,
    store::{self, ROW_COUNT_MAX, notifications as table, notifications::NotificationRecord},
};

/// The longest page.
pub const LIST_LIMIT_MAX: i32 = 100;

/// The name of this listing's cursors.
const CURSOR_KIND: &str = "notifications";

/// The time and the id of the last notification that was listed; `None` before the first one. What is
/// stored later comes after it, so a client may keep the cursor and ask again at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place(Option<(i64, u64, u64)>);

impl Place {
    /// After the notification of this time, in microseconds, and id.
    pub(super) fn after(notification: Option<(i64, Uuid)>) -> Self {
        Self(notification.map(|(micros, id)| {
            let (high, low) = id.as_u64_pair();
            (micros, high, low)
        }))
    }

    fn read(cursor: &str) -> Option<Self> {
        match cursor {
            "" => Some(Self(None)),
            text => cursor::decode(CURSOR_KIND, text).ok().or_else(|| old_cursor::decode(text)),
        }
    }
}

impl Notifications {
    /// What the user was told, oldest first, after the place of the cursor. `limit` is 1 where it is not
    /// given. The page has a cursor for what will come after it, also where it is empty.
    pub async fn list(
        &self,
        user: UserId,
        limit: Option<i32>,
        cursor: &str,
    ) -> Result<api::NotificationList, NotificationError> {
        let limit = limit.unwrap_or(1);
        if !(1..=LIST_LIMIT_MAX).contains(&limit) {
            return Err(NotificationError::Limit);
        }
        let Place(after) = Place::read(cursor).ok_or(NotificationError::Cursor)?;
        let after = after
            .map(|(micros, high, low)| (store::Timestamp(micros), Uuid::from_u64_pair(high, low)));
        let records = table::list(self.store(), user, after, limit.unsigned_abs()).await?;
        let last = records.last().map(|last| (last.create_time.0, last.id));
        let cacheable_cursor = match (last, cursor) {
            (None, known) if !known.is_empty() => known.to_owned(),
            (last, _) => cursor::encode(CURSOR_KIND, &Place::after(last)),
        };
        let notifications = records.into_iter().map(listed).collect();
        Ok(api::NotificationList { notifications, cacheable_cursor })
    }

    /// Everything that the user was told and that is kept, for the export of the account; of more than
    /// [`ROW_COUNT_MAX`] the oldest.
    pub async fn kept_for(
        &self,
        user: UserId,
    ) -> Result<Vec<api::Notification>, NotificationError> {
        let limit = u32::try_from(ROW_COUNT_MAX).unwrap_or(u32::MAX);
        let records = table::list(self.store(), user, None, limit).await?;
        Ok(records.into_iter().map(listed).collect())
    }

    /// Deletes those of the notifications that are the user's; unknown ones are none of them.
    pub async fn delete(&self, user: UserId, ids: &[String]) -> Result<(), NotificationError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Result<Vec<Uuid>, _> = ids.iter().map(|id| id.parse()).collect();
        let ids = ids.map_err(|_| NotificationError::Ids)?;
        Ok(table::delete(self.store(), user, &ids).await?)
    }
}

fn listed(record: NotificationRecord) -> api::Notification {
    let NotificationRecord { id, subject, content, code, sender, create_time } = record;
    api::Notification {
        id: id.to_string(),
        subject,
        content,
        code,
        sender_id: if sender == UserId::NIL { String::new() } else { sender.to_string() },
        // Whole seconds, as clients know it.
        create_time: Some(Timestamp { seconds: create_time.unix_sec(), nanos: 0 }),
        persistent: true,
    }
}
