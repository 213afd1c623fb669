//! Tournaments, for those who play.

use kakera_proto::api;

use super::{
    Api, Context,
    leaderboard::{
        around, around_limit, cursor, metadata, named, no_score, operator, owner, owners,
        page_limit,
    },
};
use crate::{
    error::Error,
    leaderboards::{Authority, Listing, Submission},
    tournaments::Filter,
};

/// Most entries of a page.
const LIMIT_MAX: i32 = 100;

/// Records of a page where nothing is said.
const RECORDS_DEFAULT: u32 = 10;

/// Tournaments, or records around an owner, where nothing is said.
const PAGE_DEFAULT: u32 = 100;

/// Categories go up to here.
const CATEGORY_MAX: u32 = 127;

impl Api {
    pub(super) async fn join_tournament(
        &self,
        context: &Context,
        request: &api::JoinTournamentRequest,
    ) -> Result<(), Error> {
        let player = context.player()?;
        let tournaments = &self.services.tournaments;
        Ok(tournaments.join(&request.tournament_id, player.user_id, &player.username).await?)
    }

    pub(super) async fn write_tournament_record(
        &self,
        context: &Context,
        request: &api::WriteTournamentRecordRequest,
    ) -> Result<api::LeaderboardRecord, Error> {
        let id = named(&request.tournament_id, "Tournament ID must be provided.")?;
        let record = request.record.as_ref().ok_or_else(no_score)?;
        let player = context.player()?;
        let submission = Submission {
            owner: player.user_id,
            username: player.username.clone(),
            score: record.score,
            subscore: record.subscore,
            metadata: metadata(&record.metadata)?,
            operator: operator(record.operator)?,
        };
        Ok(self.services.tournaments.write(id, Authority::Player, submission).await?)
    }

    pub(super) async fn delete_tournament_record(
        &self,
        context: &Context,
        request: &api::DeleteTournamentRecordRequest,
    ) -> Result<(), Error> {
        let id = named(&request.tournament_id, "Invalid tournament ID.")?;
        let owner = context.player()?.user_id;
        Ok(self.services.tournaments.delete_record(id, Authority::Player, owner).await?)
    }

    pub(super) async fn list_tournaments(
        &self,
        _: &Context,
        request: &api::ListTournamentsRequest,
    ) -> Result<api::TournamentList, Error> {
        let first = request.category_start.unwrap_or(0);
        let last = request.category_end.unwrap_or(CATEGORY_MAX);
        if last > CATEGORY_MAX {
            return Err(Error::invalid("Tournament category end must be >=0 and <128."));
        }
        if request.category_end.is_some() && last < first {
            let why = "Tournament category end must be greater than category start.";
            return Err(Error::invalid(why));
        }
        let (start, end) = (request.start_time.map(i64::from), request.end_time.map(i64::from));
        if end.is_some_and(|end| end != 0 && end < start.unwrap_or(-1)) {
            let why = "Tournament end time must be greater than start time.";
            return Err(Error::invalid(why));
        }
        let limit = request.limit.unwrap_or(PAGE_DEFAULT as i32);
        let limit = page_limit(limit, LIMIT_MAX)
            .map_err(|_| Error::invalid("Limit must be between 1 and 100."))?;
        let categories = first.min(CATEGORY_MAX + 1) as i32..=last as i32;
        let filter = Filter { categories, start, end };
        let cursor = cursor(&request.cursor);
        Ok(self.services.tournaments.list(&filter, limit as usize, cursor.as_deref()).await?)
    }

    pub(super) async fn list_tournament_records(
        &self,
        _: &Context,
        request: &api::ListTournamentRecordsRequest,
    ) -> Result<api::TournamentRecordList, Error> {
        let id = named(&request.tournament_id, "Tournament ID must be provided")?;
        let owners = owners(&request.owner_ids)?;
        let limit = match request.limit {
            Some(limit) => Some(page_limit(limit, LIMIT_MAX)?),
            None if owners.is_empty() || request.cursor.is_empty() => Some(RECORDS_DEFAULT),
            None => None,
        };
        let (cursor, expiry) = (cursor(&request.cursor), request.expiry.unwrap_or(0));
        let listing = Listing { limit, cursor, owners, expiry };
        Ok(self.services.tournaments.records(id, listing).await?)
    }

    pub(super) async fn list_tournament_records_around_owner(
        &self,
        _: &Context,
        request: &api::ListTournamentRecordsAroundOwnerRequest,
    ) -> Result<api::TournamentRecordList, Error> {
        let id = named(&request.tournament_id, "Invalid tournament ID.")?;
        let limit = around_limit(request.limit, PAGE_DEFAULT)?;
        let owner = owner(&request.owner_id)?;
        let listing = around(&request.cursor, request.expiry);
        Ok(self.services.tournaments.around(id, owner, limit, listing).await?)
    }
}
