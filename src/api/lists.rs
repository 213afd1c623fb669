//! Matches, parties and the matchmaker, as those see them who look for company.

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

    pub(super) async fn get_matchmaker_stats(
        &self,
        _: &Context,
        (): &(),
    ) -> Result<api::MatchmakerStats, Error> {
        Ok(self.services.lists.matchmaker.stats().await?)
    }

    pub(super) async fn list_parties(
        &self,
        _: &Context,
        request: &api::ListPartiesRequest,
    ) -> Result<api::PartyList, Error> {
        Ok(self.services.lists.parties.list(request).await?)
    }
}
