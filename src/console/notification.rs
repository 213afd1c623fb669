//! What players are told, as operators see it, and telling them.

use kakera_proto::{
    Timestamp, console,
    json::{self, Unset},
};
use uuid::Uuid;

use super::{Console, Operator};
use crate::{error::Error, ids::UserId, notifications::Notice, store::notifications::OwnedRecord};

impl Console {
    pub(super) async fn list_notifications(
        &self,
        _: &Operator,
        request: &console::ListNotificationsRequest,
    ) -> Result<console::NotificationList, Error> {
        let user = match request.user_id.as_str() {
            "" => None,
            id => Some(super::account::requested(id)?),
        };
        let page = self.services.notifications.page(user, request.limit, &request.cursor).await?;
        Ok(console::NotificationList {
            notifications: page.notifications.into_iter().map(shown).collect(),
            next_cursor: page.next,
            prev_cursor: page.previous,
        })
    }

    pub(super) async fn get_notification(
        &self,
        _: &Operator,
        request: &console::GetNotificationRequest,
    ) -> Result<console::Notification, Error> {
        Ok(shown(self.services.notifications.get(notification_id(&request.id)?).await?))
    }

    pub(super) async fn delete_notification(
        &self,
        _: &Operator,
        request: &console::DeleteNotificationRequest,
    ) -> Result<(), Error> {
        let id = notification_id(&request.id)?;
        Ok(self.services.notifications.delete_of_anybody(id).await?)
    }

    /// To the users who are named, or to everybody where none is.
    pub(super) async fn send_notification(
        &self,
        _: &Operator,
        request: &console::SendNotificationRequest,
    ) -> Result<(), Error> {
        let failed = |what| Error::internal(format!("failed to send notification, {what}"));
        let sender = match request.sender_id.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| failed("invalid sender id"))?),
        };
        let notice = Notice {
            subject: request.subject.clone(),
            content: content(request).ok_or_else(|| failed("invalid content"))?,
            code: request.code,
            sender,
            persistent: request.persistent,
        };
        if request.user_ids.is_empty() {
            return Ok(self.services.notifications.send_to_everybody(notice)?);
        }
        let users: Result<Vec<UserId>, _> = request.user_ids.iter().map(|id| id.parse()).collect();
        let mut users = users.map_err(|_| failed("invalid user id"))?;
        if users.contains(&UserId::NIL) {
            return Err(failed("cannot send to system user"));
        }
        // Who is named twice is told once.
        users.sort_unstable();
        users.dedup();
        let to: Vec<_> = users.into_iter().map(|user| (user, notice.clone())).collect();
        Ok(self.services.notifications.send(&to).await?)
    }
}

/// The text of the content, an empty object where there is none: numbers and order as the protocol's JSON
/// has them, which writes whole messages.
fn content(request: &console::SendNotificationRequest) -> Option<String> {
    let Some(content) = &request.content else { return Some("{}".to_owned()) };
    let alone = console::SendNotificationRequest {
        content: Some(content.clone()),
        ..console::SendNotificationRequest::default()
    };
    let text = String::from_utf8(json::to_vec(&alone, Unset::Omit)).ok()?;
    Some(text.strip_prefix(r#"{"content":"#)?.strip_suffix('}')?.to_owned())
}

fn notification_id(text: &str) -> Result<Uuid, Error> {
    if text.is_empty() {
        return Err(Error::invalid("notification id is required."));
    }
    text.parse().map_err(|_| Error::invalid("Requires a valid notification ID."))
}

fn shown(OwnedRecord { user, record }: OwnedRecord) -> console::Notification {
    let micros = record.create_time.0;
    console::Notification {
        id: record.id.to_string(),
        subject: record.subject,
        content: record.content,
        code: record.code,
        sender_id: record.sender.to_string(),
        create_time: Some(Timestamp {
            seconds: micros.div_euclid(1_000_000),
            nanos: (micros.rem_euclid(1_000_000) * 1000) as i32,
        }),
        persistent: true,
        user_id: user.to_string(),
    }
}
