//! What a board is, and what its times are.

use std::sync::Arc;

use super::{Cron, Operator, SortOrder, cron::CronError};
use crate::store::{Timestamp, leaderboards::BoardRecord};

/// Places of a tournament that has as many as one likes.
pub const ANY_SIZE: i32 = i32::MAX;

/// When a board is reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub text: Box<str>,
    pub cron: Cron,
}

/// A leaderboard or a tournament. All times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    pub id: Arc<str>,
    pub authoritative: bool,
    pub sort_order: SortOrder,
    pub operator: Operator,
    pub schedule: Option<Schedule>,
    /// A JSON object.
    pub metadata: Box<str>,
    pub created: Timestamp,
    pub category: i32,
    pub title: Box<str>,
    pub description: Box<str>,
    /// How long a period takes scores; 0 where this is no tournament.
    pub duration_sec: i64,
    pub start: i64,
    /// 0 where it never ends.
    pub end: i64,
    pub join_required: bool,
    pub max_size: i32,
    pub max_num_score: i32,
    pub enable_ranks: bool,
}

/// The period of a tournament that runs, or comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// It takes scores from here on.
    pub start: i64,
    /// And no more from here on.
    pub end: i64,
    /// Its records are those with this time of expiry; 0 where they never expire.
    pub expiry: i64,
}

impl Board {
    /// # Errors
    /// When its schedule is none.
    pub fn read(record: &BoardRecord) -> Result<Self, CronError> {
        let schedule = match record.reset_schedule.as_deref() {
            None | Some("") => None,
            Some(text) => Some(Schedule { text: text.into(), cron: Cron::parse(text)? }),
        };
        Ok(Self {
            id: record.id.as_str().into(),
            authoritative: record.authoritative,
            sort_order: record.sort_order,
            operator: record.operator,
            schedule,
            metadata: record.metadata.as_str().into(),
            created: record.create_time,
            category: record.category,
            title: record.title.as_str().into(),
            description: record.description.as_str().into(),
            duration_sec: record.duration_sec.max(0).into(),
            start: record.start_time.unix_sec(),
            end: record.end_time.unix_sec().max(0),
            join_required: record.join_required,
            max_size: record.max_size,
            max_num_score: record.max_num_score,
            enable_ranks: record.enable_ranks,
        })
    }

    pub fn is_tournament(&self) -> bool {
        self.duration_sec > 0
    }

    /// Whether its places are counted.
    pub fn has_max_size(&self) -> bool {
        self.max_size != ANY_SIZE
    }

    /// Whether a tournament is over for good.
    pub fn has_ended(&self, now: i64) -> bool {
        self.end > 0 && self.end <= now
    }

    /// When the scores that are written now expire; 0 is never.
    pub fn expiry(&self, now: i64) -> i64 {
        if self.is_tournament() { self.period(now).expiry } else { self.next_reset(now) }
    }

    /// The next reset of a leaderboard; 0 where there is none.
    pub fn next_reset(&self, now: i64) -> i64 {
        self.next_after(now).unwrap_or(0)
    }

    /// The reset before now; 0 where there was none, or the board has not begun.
    pub fn previous_reset(&self, now: i64) -> i64 {
        let begins = if self.is_tournament() { self.start } else { self.created.unix_sec() };
        let last = self.schedule.as_ref().and_then(|schedule| schedule.cron.last(now));
        if begins > now { 0 } else { last.unwrap_or(0) }
    }

    /// The period of a tournament at a time: the one that runs, or the next.
    pub fn period(&self, now: i64) -> Period {
        let Some(Schedule { cron, .. }) = &self.schedule else {
            let end = self.start.saturating_add(self.duration_sec);
            let end = if self.end > 0 { end.min(self.end) } else { end };
            return Period { start: self.start, end, expiry: self.end };
        };
        let begun = if now < self.start {
            cron.next(self.start)
        } else if cron.is_at(now) {
            Some(now)
        } else {
            cron.last(now)
        };
        let mut period = self.period_from(begun.unwrap_or(self.start));
        if self.start > period.end {
            // It begins between two periods of its schedule.
            period = self.period_from(cron.next(self.start).unwrap_or(self.start));
        } else if self.start > period.start {
            period.start = self.start;
        }
        if self.end > 0 && (period.expiry > self.end || period.expiry == 0) {
            period.expiry = self.end;
            period.end = period.end.min(self.end);
        }
        period
    }

    fn period_from(&self, start: i64) -> Period {
        let end = start.saturating_add(self.duration_sec);
        match self.next_after(start) {
            // One period ends at the latest where the next begins.
            Some(expiry) => Period { start, end: end.min(expiry), expiry },
            None => Period { start, end, expiry: 0 },
        }
    }

    fn next_after(&self, time: i64) -> Option<i64> {
        self.schedule.as_ref()?.cron.next(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    /// A midnight.
    const T: i64 = 1_700_006_400;

    fn board(schedule: Option<&str>, duration_sec: i32, start: i64, end: i64) -> Board {
        Board::read(&BoardRecord {
            id: "b".to_owned(),
            authoritative: false,
            sort_order: SortOrder::Descending,
            operator: Operator::Best,
            reset_schedule: schedule.map(str::to_owned),
            metadata: "{}".to_owned(),
            create_time: Timestamp::from_unix_sec(T),
            category: 0,
            description: String::new(),
            duration_sec,
            end_time: Timestamp::from_unix_sec(end),
            join_required: false,
            max_size: ANY_SIZE,
            max_num_score: 1,
            title: String::new(),
            start_time: Timestamp::from_unix_sec(start),
            enable_ranks: true,
            size: 0,
        })
        .unwrap()
    }

    fn period(start: i64, end: i64, expiry: i64) -> Period {
        Period { start, end, expiry }
    }

    #[test]
    fn a_leaderboard_expires_at_its_next_reset_or_never() {
        assert_eq!(board(None, 0, T, 0).expiry(T), 0);
        let daily = board(Some("@daily"), 0, T, 0);
        assert_eq!(daily.expiry(T), T + DAY);
        assert_eq!(daily.expiry(T - 1), T);
        assert_eq!(daily.previous_reset(T), T - DAY);
        assert_eq!(daily.previous_reset(T - 1), 0, "it was not there yet");
    }

    #[test]
    fn a_tournament_without_a_schedule_has_one_period() {
        let endless = board(None, HOUR as i32, T, 0);
        assert_eq!(endless.period(T - 5), period(T, T + HOUR, 0));
        let ending = board(None, HOUR as i32, T, T + 600);
        assert_eq!(ending.period(T + 5), period(T, T + 600, T + 600));
        assert!(ending.has_ended(T + 600) && !ending.has_ended(T + 599));
    }

    #[test]
    fn a_tournament_with_a_schedule_goes_from_reset_to_reset() {
        let daily = board(Some("0 12 * * *"), HOUR as i32, T, 0);
        let noon = T + 12 * HOUR;
        // Before the first noon its first period is yet to come, although the schedule had one before.
        assert_eq!(daily.period(T - DAY), period(noon, noon + HOUR, noon + DAY));
        assert_eq!(daily.period(T + 5), period(noon, noon + HOUR, noon + DAY));
        assert_eq!(daily.period(noon), period(noon, noon + HOUR, noon + DAY));
        assert_eq!(daily.period(noon + 2 * HOUR), period(noon, noon + HOUR, noon + DAY));
        assert_eq!(daily.period(noon + DAY), period(noon + DAY, noon + DAY + HOUR, noon + 2 * DAY));
    }

    #[test]
    fn a_period_is_cut_by_the_next_reset_by_the_start_and_by_the_end() {
        let long = board(Some("@daily"), 2 * DAY as i32, T, 0);
        assert_eq!(long.period(T + 5), period(T, T + DAY, T + DAY));
        let late = board(Some("@daily"), DAY as i32, T + HOUR, 0);
        assert_eq!(late.period(T + 2 * HOUR), period(T + HOUR, T + DAY, T + DAY));
        let ending = board(Some("@daily"), DAY as i32, T, T + HOUR);
        assert_eq!(ending.period(T + 5), period(T, T + HOUR, T + HOUR));
    }

    #[test]
    fn a_schedule_that_is_none_is_refused() {
        let mut record = BoardRecord { reset_schedule: Some("whenever".to_owned()), ..raw() };
        assert!(Board::read(&record).is_err());
        record.reset_schedule = Some(String::new());
        assert_eq!(Board::read(&record).unwrap().schedule, None);
    }

    fn raw() -> BoardRecord {
        BoardRecord {
            id: "b".to_owned(),
            authoritative: true,
            sort_order: SortOrder::Ascending,
            operator: Operator::Set,
            reset_schedule: None,
            metadata: "{}".to_owned(),
            create_time: Timestamp::EPOCH,
            category: 0,
            description: String::new(),
            duration_sec: 0,
            end_time: Timestamp::EPOCH,
            join_required: false,
            max_size: 1,
            max_num_score: 1,
            title: String::new(),
            start_time: Timestamp::EPOCH,
            enable_ranks: true,
            size: 0,
        }
    }
}
