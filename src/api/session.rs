//! Keeping a session alive, and ending it.

use kakera_proto::api;

use super::{Api, Context};
use crate::error::Error;

impl Api {
    pub(super) async fn session_refresh(
        &self,
        _: &Context,
        request: &api::SessionRefreshRequest,
    ) -> Result<api::Session, Error> {
        let tokens = self.services.sessions.refresh(&request.token, request.vars.clone()).await?;
        Ok(api::Session { created: false, token: tokens.session, refresh_token: tokens.refresh })
    }

    pub(super) async fn session_logout(
        &self,
        context: &Context,
        request: &api::SessionLogoutRequest,
    ) -> Result<(), Error> {
        let user = context.player()?.user_id;
        Ok(self.services.sessions.logout(user, &request.token, &request.refresh_token).await?)
    }
}
