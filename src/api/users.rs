//! Other people's accounts.

use kakera_proto::api;

use super::{Api, Context};
use crate::error::Error;

impl Api {
    pub(super) async fn get_users(
        &self,
        _: &Context,
        request: &api::GetUsersRequest,
    ) -> Result<api::Users, Error> {
        let api::GetUsersRequest { ids, usernames, facebook_ids } = request.clone();
        Ok(api::Users { users: self.services.accounts.users(ids, usernames, facebook_ids).await? })
    }
}
