//! One's own account.

use kakera_proto::api;

use super::{Api, Context};
use crate::{error::Error, store::users::ProfileChange};

impl Api {
    pub(super) async fn get_account(
        &self,
        context: &Context,
        (): &(),
    ) -> Result<api::Account, Error> {
        let mut account = self.services.accounts.get(context.player()?.user_id).await?;
        // A ban is the server's business.
        account.disable_time = None;
        Ok(account)
    }

    pub(super) async fn update_account(
        &self,
        context: &Context,
        request: &api::UpdateAccountRequest,
    ) -> Result<(), Error> {
        let change = ProfileChange {
            username: request.username.clone(),
            display_name: request.display_name.clone(),
            timezone: request.timezone.clone(),
            location: request.location.clone(),
            lang_tag: request.lang_tag.clone(),
            avatar_url: request.avatar_url.clone(),
            metadata: None,
        };
        Ok(self.services.accounts.update(context.player()?.user_id, &change).await?)
    }

    pub(super) async fn delete_account(&self, context: &Context, (): &()) -> Result<(), Error> {
        Ok(self.services.accounts.delete(context.player()?.user_id, false).await?)
    }
}
