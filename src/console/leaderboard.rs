//! Leaderboards and tournaments, as operators see them. Only scripts create them.

use kakera_proto::{Timestamp, api, console};

use super::{Console, Operator};
use crate::{
    error::Error,
    ids::UserId,
    leaderboards::{Authority, Board, LeaderboardError, Listing, service::seconds},
};

/// Boards of a page.
const PAGE_LEN: usize = 100;

/// Most records of a page.
const RECORDS_MAX: i32 = 100;

impl Console {
    #[allow(clippy::unused_async)] // Shaped as all handlers are.
    pub(super) async fn list_leaderboards(
        &self,
        _: &Operator,
        request: &console::LeaderboardListRequest,
    ) -> Result<console::LeaderboardList, Error> {
        let cursor = Some(request.cursor.as_str()).filter(|cursor| !cursor.is_empty());
        let boards = &self.services.leaderboards;
        let (page, cursor) = boards.newest(PAGE_LEN, cursor).map_err(|error| match error {
            LeaderboardError::InvalidCursor => Error::invalid(
                "An error occurred while trying to decode leaderboard list request cursor.",
            ),
            other => other.into(),
        })?;
        Ok(console::LeaderboardList {
            leaderboards: page.iter().map(|board| outline(board)).collect(),
            total: i32::try_from(boards.known().borrow().len()).unwrap_or(i32::MAX),
            cursor,
        })
    }

    pub(super) async fn get_leaderboard(
        &self,
        _: &Operator,
        request: &console::LeaderboardRequest,
    ) -> Result<console::Leaderboard, Error> {
        let boards = &self.services.leaderboards;
        let board = boards.find(&request.id).await?.ok_or(LeaderboardError::NotFound)?;
        let (now, created) = (boards.now(), board.created.unix_sec());
        let schedule = board.schedule.as_ref().map(|schedule| &schedule.cron);
        let reset = |time: Option<i64>| seconds(time.unwrap_or(0));
        let mut shown = console::Leaderboard {
            create_time: Some(Timestamp { seconds: created, nanos: 0 }),
            metadata: board.metadata.to_string(),
            next_reset: reset(schedule.and_then(|cron| cron.next(now))),
            prev_reset: reset(schedule.and_then(|cron| cron.last(now)).filter(|_| created <= now)),
            ..outline(&board)
        };
        if board.is_tournament() {
            let ids = [request.id.clone()];
            let tournament = self.services.tournaments.get(&ids).await?.pop();
            let tournament = tournament.ok_or(LeaderboardError::NotFound)?;
            shown.start_time = tournament.start_time;
            shown.end_time = tournament.end_time;
            shown.duration = tournament.duration;
            shown.start_active = tournament.start_active;
            shown.end_active = tournament.end_active;
            shown.join_required = tournament.join_required;
            shown.title = tournament.title;
            shown.description = tournament.description;
            shown.category = tournament.category;
            shown.size = tournament.size;
            shown.max_size = tournament.max_size;
            shown.max_num_score = tournament.max_num_score;
        }
        Ok(shown)
    }

    pub(super) async fn delete_leaderboard(
        &self,
        _: &Operator,
        request: &console::LeaderboardRequest,
    ) -> Result<(), Error> {
        // One that is not there is deleted.
        self.services.leaderboards.delete(&request.id).await?;
        Ok(())
    }

    pub(super) async fn list_leaderboard_records(
        &self,
        _: &Operator,
        request: &api::ListLeaderboardRecordsRequest,
    ) -> Result<api::LeaderboardRecordList, Error> {
        let limit = match request.limit {
            Some(limit) => {
                let limit = u32::try_from(limit).ok().filter(|limit| *limit >= 1);
                Some(limit.filter(|limit| *limit <= RECORDS_MAX as u32).ok_or_else(|| {
                    Error::invalid("Invalid limit - limit must be between 1 and 100.")
                })?)
            }
            None if request.owner_ids.is_empty() || !request.cursor.is_empty() => Some(1),
            None => None,
        };
        let owners = request.owner_ids.iter().map(|id| id.parse()).collect::<Result<_, _>>();
        let owners: Vec<UserId> =
            owners.map_err(|_| Error::invalid("One or more owner IDs are invalid."))?;
        let cursor = Some(request.cursor.clone()).filter(|cursor| !cursor.is_empty());
        let listing = Listing { limit, cursor, owners, expiry: request.expiry.unwrap_or(0) };
        Ok(self.services.leaderboards.records(&request.leaderboard_id, listing).await?)
    }

    pub(super) async fn delete_leaderboard_record(
        &self,
        _: &Operator,
        request: &console::DeleteLeaderboardRecordRequest,
    ) -> Result<(), Error> {
        let owner: UserId =
            request.owner_id.parse().map_err(|_| Error::invalid("Invalid owner ID provided."))?;
        let (id, services) = (&request.id, &self.services);
        let board = services.leaderboards.find(id).await?.ok_or(LeaderboardError::NotFound)?;
        if board.is_tournament() {
            return Ok(services.tournaments.delete_record(id, Authority::Server, owner).await?);
        }
        Ok(services.leaderboards.delete_record(id, Authority::Server, owner).await?)
    }
}

/// What a list shows of a board.
fn outline(board: &Board) -> console::Leaderboard {
    let schedule = board.schedule.as_ref();
    console::Leaderboard {
        id: board.id.to_string(),
        sort_order: board.sort_order.number() as u32,
        operator: board.operator.number() as u32,
        reset_schedule: schedule.map(|schedule| schedule.text.to_string()).unwrap_or_default(),
        authoritative: board.authoritative,
        tournament: board.is_tournament(),
        ..Default::default()
    }
}
