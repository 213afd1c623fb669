//! When a leaderboard is reset: schedules in cron's syntax, as leaderboards have always been written.
//!
//! Five fields: minute, hour, day of month, month, day of week. A sixth is the year (1970 to 2099); with
//! seven, the first is the second. A field lists values, ranges and steps (`*`, `?`, `5`, `1-5`, `*/2`,
//! `5/2`, `1-9/2`); months and weekdays have names. A day of month may be `L` (the last), `LW` (the last
//! workday) or `15W` (the nearest workday in the month); a weekday may be `5L` (the last Friday) or `5#3`
//! (the third Friday). Where both kinds of day are restricted, either is enough. `@daily` and its like
//! stand for what they say. All times are UTC.

mod days;
mod field;
mod parse;
#[cfg(test)]
mod tests;

use days::Days;
pub use parse::CronError;
use time::{Date, Month, OffsetDateTime};

const SECONDS_A_DAY: i64 = 24 * 60 * 60;
const FIRST_YEAR: i32 = 1970;
const LAST_YEAR: i32 = 2099;

/// A set of the years, months, days and times at which something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: Days,
    months: u64,
    /// From [`FIRST_YEAR`] on.
    years: [u64; 3],
}

impl Cron {
    /// # Errors
    /// [`CronError`] says which field is at fault.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        parse::parse(text)
    }

    /// The first time after `after`, in Unix seconds. `None` when there is none before the year 2100.
    pub fn next(&self, after: i64) -> Option<i64> {
        let from = OffsetDateTime::from_unix_timestamp(after.checked_add(1)?).ok()?;
        let mut date = from.date();
        if date.year() < FIRST_YEAR {
            date = Date::from_calendar_date(FIRST_YEAR, Month::January, 1).ok()?;
        } else if self.has_day(date)
            && let Some(second) = self.time_from(second_of_day(from))
        {
            return Some(midnight(date) + second);
        } else {
            date = date.next_day()?;
        }
        let second = self.time_from(0)?;
        while date.year() <= LAST_YEAR {
            if !has_year(&self.years, date.year()) {
                date = Date::from_calendar_date(date.year() + 1, Month::January, 1).ok()?;
            } else if self.months & bit(u8::from(date.month())) == 0 {
                date = first_of_next_month(date)?;
            } else {
                let later = self.days.of(date.year(), date.month()) >> date.day() << date.day();
                if later != 0 {
                    let day = date.replace_day(later.trailing_zeros() as u8).ok()?;
                    return Some(midnight(day) + second);
                }
                date = first_of_next_month(date)?;
            }
        }
        None
    }

    /// The last time before `before`, in Unix seconds. `None` when there is none since 1970.
    pub fn last(&self, before: i64) -> Option<i64> {
        let from = OffsetDateTime::from_unix_timestamp(before.checked_sub(1)?).ok()?;
        let mut date = from.date();
        if date.year() > LAST_YEAR {
            date = Date::from_calendar_date(LAST_YEAR, Month::December, 31).ok()?;
        } else if self.has_day(date)
            && let Some(second) = self.time_until(second_of_day(from))
        {
            return Some(midnight(date) + second);
        } else {
            date = date.previous_day()?;
        }
        let second = self.time_until(SECONDS_A_DAY - 1)?;
        while date.year() >= FIRST_YEAR {
            if !has_year(&self.years, date.year()) {
                date = Date::from_calendar_date(date.year() - 1, Month::December, 31).ok()?;
            } else if self.months & bit(u8::from(date.month())) == 0 {
                date = date.replace_day(1).ok()?.previous_day()?;
            } else {
                let until = u32::MAX >> (31 - date.day());
                let earlier = self.days.of(date.year(), date.month()) & until;
                if earlier != 0 {
                    let day = date.replace_day(31 - earlier.leading_zeros() as u8).ok()?;
                    return Some(midnight(day) + second);
                }
                date = date.replace_day(1).ok()?.previous_day()?;
            }
        }
        None
    }

    /// Whether it happens at this second.
    pub fn is_at(&self, time: i64) -> bool {
        time.checked_sub(1).and_then(|before| self.next(before)) == Some(time)
    }

    fn has_day(&self, date: Date) -> bool {
        has_year(&self.years, date.year())
            && self.months & bit(u8::from(date.month())) != 0
            && self.days.of(date.year(), date.month()) & (1 << date.day()) != 0
    }

    /// The first time of a day that is not before a second of the day.
    fn time_from(&self, second: i64) -> Option<i64> {
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let from = |set: u64, least: i64| {
            let later = set.checked_shr(least as u32).unwrap_or(0);
            (later != 0).then(|| least + i64::from(later.trailing_zeros()))
        };
        let first = |set| from(set, 0);
        let time = |h: i64, m: i64, s: i64| h * 3600 + m * 60 + s;
        if self.hours & bit(hour as u8) != 0 {
            if self.minutes & bit(minute as u8) != 0
                && let Some(s) = from(self.seconds, second)
            {
                return Some(time(hour, minute, s));
            }
            if let Some(m) = from(self.minutes, minute + 1) {
                return Some(time(hour, m, first(self.seconds)?));
            }
        }
        Some(time(from(self.hours, hour + 1)?, first(self.minutes)?, first(self.seconds)?))
    }

    /// The last time of a day that is not after a second of the day.
    fn time_until(&self, second: i64) -> Option<i64> {
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let until = |set: u64, most: i64| {
            let shift = u32::try_from(63 - most).ok().filter(|_| most >= 0)?;
            let earlier = set & (u64::MAX >> shift);
            (earlier != 0).then(|| 63 - i64::from(earlier.leading_zeros()))
        };
        let last = |set| until(set, 63);
        let time = |h: i64, m: i64, s: i64| h * 3600 + m * 60 + s;
        if self.hours & bit(hour as u8) != 0 {
            if self.minutes & bit(minute as u8) != 0
                && let Some(s) = until(self.seconds, second)
            {
                return Some(time(hour, minute, s));
            }
            if let Some(m) = until(self.minutes, minute - 1) {
                return Some(time(hour, m, last(self.seconds)?));
            }
        }
        Some(time(until(self.hours, hour - 1)?, last(self.minutes)?, last(self.seconds)?))
    }
}

fn bit(value: u8) -> u64 {
    1_u64.checked_shl(u32::from(value)).unwrap_or(0)
}

fn has_year(years: &[u64; 3], year: i32) -> bool {
    let Ok(index) = usize::try_from(year - FIRST_YEAR) else { return false };
    years.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
}

fn second_of_day(time: OffsetDateTime) -> i64 {
    time.unix_timestamp().rem_euclid(SECONDS_A_DAY)
}

fn midnight(date: Date) -> i64 {
    date.midnight().assume_utc().unix_timestamp()
}

fn first_of_next_month(date: Date) -> Option<Date> {
    let (year, month) = match date.month() {
        Month::December => (date.year() + 1, Month::January),
        month => (date.year(), month.next()),
    };
    Date::from_calendar_date(year, month, 1).ok()
}
