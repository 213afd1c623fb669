//! Signing in.

use kakera_proto::api;

use super::{Api, Context};
use crate::{
    auth::{AuthError, SignedIn, token::Vars},
    error::Error,
};

impl Api {
    pub(super) async fn authenticate_device(
        &self,
        _: &Context,
        request: &api::AuthenticateDeviceRequest,
    ) -> Result<api::Session, Error> {
        let account = request.account.as_ref();
        let id = account.map_or("", |account| &account.id);
        let create = request.create.unwrap_or(true);
        let who = self.services.sign_in.device(id, &request.username, create).await?;
        self.signed_in(&who, account.map(|account| &account.vars)).await
    }

    pub(super) async fn authenticate_custom(
        &self,
        _: &Context,
        request: &api::AuthenticateCustomRequest,
    ) -> Result<api::Session, Error> {
        let account = request.account.as_ref();
        let id = account.map_or("", |account| &account.id);
        let create = request.create.unwrap_or(true);
        let who = self.services.sign_in.custom(id, &request.username, create).await?;
        self.signed_in(&who, account.map(|account| &account.vars)).await
    }

    pub(super) async fn authenticate_email(
        &self,
        _: &Context,
        request: &api::AuthenticateEmailRequest,
    ) -> Result<api::Session, Error> {
        let account = request
            .account
            .as_ref()
            .ok_or(AuthError::Invalid("Email address and password is required."))?;
        let create = request.create.unwrap_or(true);
        let who = self
            .services
            .sign_in
            .email(&account.email, &account.password, &request.username, create)
            .await?;
        self.signed_in(&who, Some(&account.vars)).await
    }

    async fn signed_in(&self, who: &SignedIn, vars: Option<&Vars>) -> Result<api::Session, Error> {
        let tokens = self.services.sessions.open(who, vars.cloned().unwrap_or_default()).await?;
        Ok(api::Session {
            created: who.created,
            token: tokens.session,
            refresh_token: tokens.refresh,
        })
    }
}
