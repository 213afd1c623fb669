//! Matches and parties, as those who look for company list them.

use kakera_proto::api;

use super::{Api, Context};
use crate::error::Error;

impl Api {
    pub(super) async fn list_matches(
        &self,
        _: &Context,
        request: &api::ListMatchesRequest,
    ) -> Result<api::MatchList, Error> {
        Ok(self.services.lists.matches.list(request).await?)
    }

    pub(super) async fn list_parties(
        &self,
        _: &Context,
        request: &api::ListPartiesRequest,
    ) -> Result<api::PartyList, Error> {
        Ok(self.services.lists.parties.list(request).await?)
    }
}
