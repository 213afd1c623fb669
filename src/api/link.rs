//! Linking and unlinking what an account signs in with.

use kakera_proto::api;

use super::{Api, Context};
use crate::{error::Error, store::users::ExternalId};

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

    pub(super) async fn unlink_apple(
        &self,
        context: &Context,
        request: &api::AccountApple,
    ) -> Result<(), Error> {
        self.unlink_third_party(context, ExternalId::Apple, request.token.is_empty()).await
    }

    pub(super) async fn unlink_facebook(
        &self,
        context: &Context,
        request: &api::AccountFacebook,
    ) -> Result<(), Error> {
        self.unlink_third_party(context, ExternalId::Facebook, request.token.is_empty()).await
    }

    pub(super) async fn unlink_facebook_instant_game(
        &self,
        context: &Context,
        request: &api::AccountFacebookInstantGame,
    ) -> Result<(), Error> {
        self.unlink_third_party(
            context,
            ExternalId::FacebookInstantGame,
            request.signed_player_info.is_empty(),
        )
        .await
    }

    pub(super) async fn unlink_google(
        &self,
        context: &Context,
        request: &api::AccountGoogle,
    ) -> Result<(), Error> {
        self.unlink_third_party(context, ExternalId::Google, request.token.is_empty()).await
    }

    pub(super) async fn unlink_steam(
        &self,
        context: &Context,
        request: &api::AccountSteam,
    ) -> Result<(), Error> {
        self.unlink_third_party(context, ExternalId::Steam, request.token.is_empty()).await
    }

    pub(super) async fn unlink_game_center(
        &self,
        context: &Context,
        request: &api::AccountGameCenter,
    ) -> Result<(), Error> {
        let whichever = *request == api::AccountGameCenter::default();
        self.unlink_third_party(context, ExternalId::GameCenter, whichever).await
    }

    /// Who shows nothing unlinks whichever id the account has. What is shown must be verified by the
    /// third party to name an id, which is not built.
    async fn unlink_third_party(
        &self,
        context: &Context,
        kind: ExternalId,
        whichever: bool,
    ) -> Result<(), Error> {
        let user = context.player()?.user_id;
        if !whichever {
            return Err(Error::unimplemented("Verifying a third party's token"));
        }
        Ok(self.services.accounts.unlink_external(user, kind).await?)
    }
}
