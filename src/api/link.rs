//! Linking and unlinking what an account signs in with.

use kakera_proto::api;

use super::{Api, Context};
use crate::error::Error;

impl Api {
    pub(super) async fn link_device(
        &self,
        context: &Context,
        request: &api::AccountDevice,
    ) -> Result<(), Error> {
        Ok(self.services.accounts.link_device(context.player()?.user_id, &request.id).await?)
    }

    pub(super) async fn link_custom(
        &self,
        context: &Context,
        request: &api::AccountCustom,
    ) -> Result<(), Error> {
        Ok(self.services.accounts.link_custom(context.player()?.user_id, &request.id).await?)
    }

    pub(super) async fn link_email(
        &self,
        context: &Context,
        request: &api::AccountEmail,
    ) -> Result<(), Error> {
        let user = context.player()?.user_id;
        Ok(self.services.accounts.link_email(user, &request.email, &request.password).await?)
    }

    pub(super) async fn unlink_device(
        &self,
        context: &Context,
        request: &api::AccountDevice,
    ) -> Result<(), Error> {
        Ok(self.services.accounts.unlink_device(context.player()?.user_id, &request.id).await?)
    }

    pub(super) async fn unlink_custom(
        &self,
        context: &Context,
        request: &api::AccountCustom,
    ) -> Result<(), Error> {
        Ok(self.services.accounts.unlink_custom(context.player()?.user_id, &request.id).await?)
    }

    pub(super) async fn unlink_email(
        &self,
        context: &Context,
        request: &api::AccountEmail,
    ) -> Result<(), Error> {
        Ok(self.services.accounts.unlink_email(context.player()?.user_id, &request.email).await?)
    }
}
