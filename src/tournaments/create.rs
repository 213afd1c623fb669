//! Creating and deleting tournaments.

use std::rc::Rc;

use super::{TournamentError, Tournaments};
use crate::{
    leaderboards::{Board, Cron, Operator, SortOrder, board::ANY_SIZE, service},
    store::{
        Timestamp,
        leaderboards::{NewBoard, definitions},
    },
};

/// A tournament to be created. Times are Unix seconds; 0 leaves what it stands for to the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTournament {
    pub id: String,
    pub authoritative: bool,
    pub sort_order: SortOrder,
    pub operator: Operator,
    /// How long each period takes scores.
    pub duration_sec: i32,
    /// Empty for a single period.
    pub reset_schedule: String,
    /// A JSON object, or empty.
    pub metadata: String,
    pub title: String,
    pub description: String,
    /// 0 to 127.
    pub category: i32,
    /// 0 is now.
    pub start_time: i64,
    /// 0 is never.
    pub end_time: i64,
    /// 0 is any.
    pub max_size: i32,
    /// 0 is what the table says: a million.
    pub max_num_score: i32,
    pub join_required: bool,
    pub enable_ranks: bool,
}

impl Tournaments {
    /// Creates a tournament and says whether it did; one of this id stays as it is.
    pub async fn create(&self, new: NewTournament) -> Result<(Rc<Board>, bool), TournamentError> {
        check(&new)?;
        let time = |seconds: i64| (seconds > 0).then(|| Timestamp::from_unix_sec(seconds));
        let board = NewBoard {
            id: new.id,
            authoritative: new.authoritative,
            sort_order: new.sort_order,
            operator: new.operator,
            reset_schedule: service::schedule(new.reset_schedule)?,
            metadata: service::metadata(new.metadata)?,
            enable_ranks: new.enable_ranks,
            tournament: Some(definitions::NewTournament {
                title: new.title,
                description: new.description,
                category: new.category,
                duration_sec: new.duration_sec,
                start_time: time(new.start_time),
                end_time: time(new.end_time),
                join_required: new.join_required,
                max_size: if new.max_size == 0 { ANY_SIZE } else { new.max_size },
                max_num_score: (new.max_num_score > 0).then_some(new.max_num_score),
            }),
        };
        let (board, created) = self.boards.create_board(board).await?;
        if board.is_tournament() {
            return Ok((board, created));
        }
        let why = "cannot create tournament as leaderboard is already in use";
        Err(TournamentError::Invalid(why.into()))
    }

    /// Deletes a tournament with all its records. False when there is none.
    pub async fn delete(&self, id: &str) -> Result<bool, TournamentError> {
        match self.find(id).await {
            Ok(_) => Ok(self.boards.delete(id).await?),
            Err(TournamentError::NotFound) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Does without ranks from now on.
    pub async fn disable_ranks(&self, id: &str) -> Result<(), TournamentError> {
        self.find(id).await?;
        Ok(self.boards.disable_ranks(id).await?)
    }
}

fn check(new: &NewTournament) -> Result<(), TournamentError> {
    let refuse = |why: &'static str| Err(TournamentError::Invalid(why.into()));
    if new.start_time < 0 {
        return refuse("tournament start time must be a unix UTC time in the future");
    }
    if new.duration_sec <= 0 {
        return refuse("tournament duration must be greater than zero");
    }
    if new.max_size < 0 {
        return refuse("tournament max must be greater than zero");
    }
    if new.max_num_score < 0 {
        return refuse("tournament m num score must be greater than zero");
    }
    if !(0..128).contains(&new.category) {
        return refuse("tournament category must be 0-127");
    }
    if new.end_time < 0 || (new.end_time > 0 && new.end_time < new.start_time) {
        return refuse("tournament end time cannot be before start time");
    }
    // Who cannot be read is refused where it is written.
    let first_reset =
        Cron::parse(&new.reset_schedule).ok().and_then(|cron| cron.next(new.start_time));
    if new.end_time > 0 && first_reset.is_some_and(|first| new.end_time <= first) {
        return refuse(
            "tournament end time cannot be before first reset schedule - either increase end time \
             or change/disable reset schedule",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> NewTournament {
        NewTournament {
            id: "t".to_owned(),
            authoritative: false,
            sort_order: SortOrder::Descending,
            operator: Operator::Best,
            duration_sec: 60,
            reset_schedule: "@daily".to_owned(),
            metadata: String::new(),
            title: String::new(),
            description: String::new(),
            category: 0,
            start_time: 1_700_000_000,
            end_time: 1_700_100_000,
            max_size: 0,
            max_num_score: 0,
            join_required: false,
            enable_ranks: true,
        }
    }

    #[test]
    fn what_cannot_be_a_tournament_is_refused() {
        assert!(check(&valid()).is_ok());
        for (broken, why) in [
            (NewTournament { start_time: -1, ..valid() }, "start time must"),
            (NewTournament { duration_sec: 0, ..valid() }, "duration"),
            (NewTournament { max_size: -1, ..valid() }, "max must"),
            (NewTournament { max_num_score: -1, ..valid() }, "num score"),
            (NewTournament { category: 128, ..valid() }, "category"),
            (NewTournament { end_time: 1_699_999_999, ..valid() }, "before start time"),
            (NewTournament { end_time: 1_700_000_001, ..valid() }, "first reset"),
        ] {
            let said = check(&broken).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
    }
}
