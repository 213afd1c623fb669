//! One field of a schedule: a list of values, ranges and steps.

use super::{CronError, days::weekday_number};

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) min: u16,
    pub(super) max: u16,
    value: fn(&str) -> Option<u16>,
    /// Whether it names days.
    of_days: bool,
}

pub(super) const SECOND: Kind =
    Kind { name: "second", min: 0, max: 59, value: number, of_days: false };
pub(super) const MINUTE: Kind =
    Kind { name: "minute", min: 0, max: 59, value: number, of_days: false };
pub(super) const HOUR: Kind = Kind { name: "hour", min: 0, max: 23, value: number, of_days: false };
pub(super) const DAY_OF_MONTH: Kind =
    Kind { name: "day-of-month", min: 1, max: 31, value: number, of_days: true };
pub(super) const MONTH: Kind =
    Kind { name: "month", min: 1, max: 12, value: month, of_days: false };
pub(super) const DAY_OF_WEEK: Kind =
    Kind { name: "day-of-week", min: 0, max: 7, value: weekday, of_days: true };
pub(super) const YEAR: Kind =
    Kind { name: "year", min: 1970, max: 2099, value: number, of_days: false };

/// One element of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    /// `*` or `?`.
    All,
    /// From the first to the last, each so many after the one before.
    Steps(u16, u16, u16),
    /// Something that only this field may know.
    Other(&'a str),
}

impl Kind {
    /// The elements of the field, in lower case.
    pub(super) fn entries<'a>(&self, field: &'a str) -> Result<Vec<Entry<'a>>, CronError> {
        let parts = field.split(',').filter(|part| !part.is_empty());
        let entries: Vec<Entry<'a>> =
            parts.map(|part| self.entry(part)).collect::<Result<_, _>>()?;
        if entries.is_empty() { Err(self.fault(field)) } else { Ok(entries) }
    }

    pub(super) fn value(&self, text: &str) -> Option<u16> {
        (self.value)(text).filter(|value| (self.min..=self.max).contains(value))
    }

    pub(super) fn fault(&self, entry: &str) -> CronError {
        CronError::Field { field: self.name, entry: entry.chars().take(64).collect() }
    }

    fn entry<'a>(&self, part: &'a str) -> Result<Entry<'a>, CronError> {
        if part == "*" || part == "?" {
            return Ok(Entry::All);
        }
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => {
                let step = number(step).filter(|step| (1..=self.max).contains(step));
                (range, Some(step.ok_or_else(|| self.fault(part))?))
            }
        };
        // Weekdays count to 7, which is Sunday once more; `*` and open ends stop before it.
        let end = if self.max == 7 { 6 } else { self.max };
        let bounds = match (range, range.split_once('-')) {
            ("*", _) if step.is_some() => Some((self.min, end)),
            (_, Some((first, last))) => self.value(first).zip(self.value(last)),
            (_, None) => {
                self.value(range).map(|first| (first, step.map_or(first, |_| end.max(first))))
            }
        };
        match bounds {
            Some((first, last)) if first <= last => {
                Ok(Entry::Steps(first, last, step.unwrap_or(1)))
            }
            // Nothing lies in a range that runs backwards: days may be none at all, and the reference has
            // always taken such a schedule for one that never comes.
            Some((first, last)) if self.of_days => Ok(Entry::Steps(first, last, step.unwrap_or(1))),
            Some(_) => Err(self.fault(part)),
            None => Ok(Entry::Other(part)),
        }
    }
}

/// The set of a list of plain entries; its bits count from `base`.
pub(super) fn set(kind: &Kind, entries: &[Entry<'_>], base: u16) -> Result<[u64; 3], CronError> {
    let mut set = [0; 3];
    for entry in entries {
        let (first, last, step) = match *entry {
            Entry::All => (kind.min, kind.max, 1),
            Entry::Steps(first, last, step) => (first, last, step),
            Entry::Other(part) => return Err(kind.fault(part)),
        };
        for value in (first..=last).step_by(usize::from(step)) {
            let index = usize::from(value - base);
            if let Some(word) = set.get_mut(index / 64) {
                *word |= 1 << (index % 64);
            }
        }
    }
    Ok(set)
}

fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn month(text: &str) -> Option<u16> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let named = MONTHS.iter().position(|long| *long == text || long.get(..3) == Some(text));
    named.map(|index| index as u16 + 1).or_else(|| number(text))
}

fn weekday(text: &str) -> Option<u16> {
    weekday_number(text).map(u16::from).or_else(|| number(text))
}
