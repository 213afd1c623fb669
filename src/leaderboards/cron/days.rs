//! Which days of a month a schedule names.

use time::{Date, Month, Weekday};

/// The two fields that name days. Bit `n` of a set is day, or weekday from Sunday, `n`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Days {
    /// `None` where any day of the month will do.
    pub(super) of_month: Option<OfMonth>,
    /// `None` where any weekday will do.
    pub(super) of_week: Option<OfWeek>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OfMonth {
    pub(super) days: u64,
    /// The workdays that are nearest to these days.
    pub(super) workdays: u64,
    pub(super) last: bool,
    pub(super) last_workday: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OfWeek {
    pub(super) weekdays: u64,
    /// The last one of the month.
    pub(super) last: u64,
    /// The first to the fifth one of the month: a set of weekdays each.
    pub(super) nth: [u64; 5],
}

impl Days {
    /// The days of a month: bit `n` is day `n`.
    pub(super) fn of(&self, year: i32, month: Month) -> u32 {
        let length = month.length(year);
        let all = (u32::MAX >> (31 - length)) & !1;
        let Ok(first) = Date::from_calendar_date(year, month, 1) else { return 0 };
        let first = first.weekday().number_days_from_sunday();
        let weekday = |day: u8| (first + day - 1) % 7;
        let days = match (&self.of_month, &self.of_week) {
            (None, None) => all,
            (Some(month), None) => month.days(length, weekday),
            (None, Some(week)) => week.days(length, weekday),
            (Some(month), Some(week)) => month.days(length, weekday) | week.days(length, weekday),
        };
        days & all
    }
}

impl OfMonth {
    fn days(&self, length: u8, weekday: impl Fn(u8) -> u8) -> u32 {
        let workday = |day: u8| match weekday(day) {
            // Never into another month.
            0 if day == length => day - 2,
            0 => day + 1,
            6 if day == 1 => day + 2,
            6 => day - 1,
            _ => day,
        };
        let mut days = self.days as u32;
        for day in (1..=length).filter(|day| self.workdays & (1 << day) != 0) {
            days |= 1 << workday(day);
        }
        if self.last {
            days |= 1 << length;
        }
        if self.last_workday {
            days |= 1 << workday(length);
        }
        days
    }
}

impl OfWeek {
    fn days(&self, length: u8, weekday: impl Fn(u8) -> u8) -> u32 {
        let named = |day: u8| {
            let weekday = 1_u64 << weekday(day);
            let nth = self.nth.get(usize::from((day - 1) / 7)).copied().unwrap_or(0);
            let last = if day + 7 > length { self.last } else { 0 };
            (self.weekdays | nth | last) & weekday != 0
        };
        (1..=length).filter(|day| named(*day)).fold(0, |days, day| days | 1 << day)
    }
}

/// A weekday by its number, where Sunday is 0 and 7.
pub(super) fn weekday_number(name: &str) -> Option<u8> {
    const DAYS: [(&str, Weekday); 7] = [
        ("sunday", Weekday::Sunday),
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
    ];
    DAYS.iter()
        .find(|(long, _)| *long == name || long.get(..3) == Some(name))
        .map(|(_, day)| day.number_days_from_sunday())
}
