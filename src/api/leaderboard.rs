//! Leaderboards: their records, for those who play.

use kakera_proto::api;
use serde_json::Value;

use super::{Api, Context};
use crate::{
    error::Error,
    ids::UserId,
    leaderboards::{Authority, LeaderboardError, Listing, Operator, Submission},
};

/// Most records of a page.
const LIMIT_MAX: i32 = 1000;

/// Most records of a page around an owner.
const AROUND_LIMIT_MAX: u32 = 100;

impl Api {
    pub(super) async fn write_leaderboard_record(
        &self,
        context: &Context,
        request: &api::WriteLeaderboardRecordRequest,
    ) -> Result<api::LeaderboardRecord, Error> {
        named(&request.leaderboard_id, "Invalid leaderboard ID.")?;
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
        let boards = &self.services.leaderboards;
        Ok(boards.write(&request.leaderboard_id, Authority::Player, submission).await?)
    }

    pub(super) async fn delete_leaderboard_record(
        &self,
        context: &Context,
        request: &api::DeleteLeaderboardRecordRequest,
    ) -> Result<(), Error> {
        let id = named(&request.leaderboard_id, "Invalid leaderboard ID.")?;
        let owner = context.player()?.user_id;
        Ok(self.services.leaderboards.delete_record(id, Authority::Player, owner).await?)
    }

    pub(super) async fn list_leaderboard_records(
        &self,
        _: &Context,
        request: &api::ListLeaderboardRecordsRequest,
    ) -> Result<api::LeaderboardRecordList, Error> {
        let id = named(&request.leaderboard_id, "Invalid leaderboard ID.")?;
        let limit = match request.limit {
            Some(limit) => Some(page_limit(limit, LIMIT_MAX)?),
            None if request.owner_ids.is_empty() || !request.cursor.is_empty() => Some(1),
            None => None,
        };
        let listing = Listing {
            limit,
            cursor: cursor(&request.cursor),
            owners: owners(&request.owner_ids)?,
            expiry: request.expiry.unwrap_or(0),
        };
        Ok(self.services.leaderboards.records(id, listing).await?)
    }

    pub(super) async fn list_leaderboard_records_around_owner(
        &self,
        _: &Context,
        request: &api::ListLeaderboardRecordsAroundOwnerRequest,
    ) -> Result<api::LeaderboardRecordList, Error> {
        let id = named(&request.leaderboard_id, "Invalid leaderboard ID.")?;
        let limit = around_limit(request.limit, 1)?;
        let owner = owner(&request.owner_id)?;
        let listing = around(&request.cursor, request.expiry);
        Ok(self.services.leaderboards.around(id, owner, limit, listing).await?)
    }
}

/// The id, if there is one.
pub(super) fn named<'a>(id: &'a str, otherwise: &'static str) -> Result<&'a str, Error> {
    if id.is_empty() { Err(Error::invalid(otherwise)) } else { Ok(id) }
}

pub(super) fn no_score() -> Error {
    Error::invalid("Invalid input, record score value is required.")
}

/// Metadata, which may be absent, must be a JSON object.
pub(super) fn metadata(text: &str) -> Result<String, Error> {
    match serde_json::from_str(text) {
        _ if text.is_empty() => Ok(String::new()),
        Ok(Value::Object(_)) => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(Error::invalid("Metadata value must be JSON, if provided.")),
    }
}

/// The operator that counts instead of the board's own, if one does.
pub(super) fn operator(number: i32) -> Result<Option<Operator>, Error> {
    match api::Operator::try_from(number) {
        Ok(api::Operator::NoOverride) => Ok(None),
        Ok(api::Operator::Best) => Ok(Some(Operator::Best)),
        Ok(api::Operator::Set) => Ok(Some(Operator::Set)),
        Ok(api::Operator::Increment) => Ok(Some(Operator::Increment)),
        Ok(api::Operator::Decrement) => Ok(Some(Operator::Decrement)),
        Err(_) => Err(Error::from(LeaderboardError::Invalid("invalid operator".into()))),
    }
}

pub(super) fn page_limit(limit: i32, max: i32) -> Result<u32, Error> {
    let limit = Some(limit).filter(|limit| (1..=max).contains(limit));
    limit.and_then(|limit| u32::try_from(limit).ok()).ok_or_else(|| {
        Error::invalid(format!("Invalid limit - limit must be between 1 and {max}."))
    })
}

pub(super) fn around_limit(limit: Option<u32>, default: u32) -> Result<u32, Error> {
    let limit = limit.unwrap_or(default);
    if (1..=AROUND_LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Error::invalid("Invalid limit - limit must be between 1 and 100."))
}

pub(super) fn owners(ids: &[String]) -> Result<Vec<UserId>, Error> {
    let owners = ids.iter().map(|id| id.parse()).collect::<Result<_, _>>();
    owners.map_err(|_| Error::invalid("One or more owner IDs are invalid."))
}

/// Around whom to list.
pub(super) fn owner(id: &str) -> Result<UserId, Error> {
    let id = named(id, "Owner ID must be provided for a haystack query.")?;
    id.parse().map_err(|_| Error::invalid("Invalid owner ID provided."))
}

pub(super) fn cursor(cursor: &str) -> Option<String> {
    (!cursor.is_empty()).then(|| cursor.to_owned())
}

/// What to list around an owner.
pub(super) fn around(text: &str, expiry: Option<i64>) -> Listing {
    Listing { cursor: cursor(text), expiry: expiry.unwrap_or(0), ..Listing::default() }
}
