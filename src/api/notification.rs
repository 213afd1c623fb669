//! What a player was told.

use kakera_proto::api;

use super::{Api, Context};
use crate::error::Error;

impl Api {
    pub(super) async fn list_notifications(
        &self,
        context: &Context,
        request: &api::ListNotificationsRequest,
    ) -> Result<api::NotificationList, Error> {
        let user = context.player()?.user_id;
        let notifications = &self.services.notifications;
        Ok(notifications.list(user, request.limit, &request.cacheable_cursor).await?)
    }

    pub(super) async fn delete_notifications(
        &self,
        context: &Context,
        request: &api::DeleteNotificationsRequest,
    ) -> Result<(), Error> {
        let user = context.player()?.user_id;
        Ok(self.services.notifications.delete(user, &request.ids).await?)
    }
}
