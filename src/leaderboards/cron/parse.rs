//! Reads a schedule.

use super::{
    Cron, FIRST_YEAR,
    days::{Days, OfMonth, OfWeek},
    field::{self, Entry, Kind},
};

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    #[error("a schedule needs at least five fields")]
    MissingFields,
    #[error("the {field} field cannot hold '{entry}'")]
    Field { field: &'static str, entry: String },
}

const ALIASES: [(&str, &str); 6] = [
    ("@yearly", "0 0 0 1 1 * *"),
    ("@annually", "0 0 0 1 1 * *"),
    ("@monthly", "0 0 0 1 * * *"),
    ("@weekly", "0 0 0 * * 0 *"),
    ("@daily", "0 0 0 * * * *"),
    ("@hourly", "0 0 * * * * *"),
];

pub(super) fn parse(text: &str) -> Result<Cron, CronError> {
    let spelled = ALIASES
        .iter()
        .fold(text.to_owned(), |text, (alias, fields)| text.replace(alias, fields))
        .to_lowercase();
    // Whatever stands after the seventh is ignored.
    let mut fields: Vec<&str> = spelled.split_whitespace().take(7).collect();
    let second = if fields.len() == 7 { fields.remove(0) } else { "0" };
    let &[minute, hour, day, month, weekday, ref year @ ..] = fields.as_slice() else {
        return Err(CronError::MissingFields);
    };
    let year = year.first().copied().unwrap_or("*");
    Ok(Cron {
        seconds: plain(&field::SECOND, second)?[0],
        minutes: plain(&field::MINUTE, minute)?[0],
        hours: plain(&field::HOUR, hour)?[0],
        days: Days { of_month: of_month(day)?, of_week: of_week(weekday)? },
        months: plain(&field::MONTH, month)?[0],
        years: {
            let entries = field::YEAR.entries(year)?;
            field::set(&field::YEAR, &entries, FIRST_YEAR as u16)?
        },
    })
}

fn plain(kind: &Kind, text: &str) -> Result<[u64; 3], CronError> {
    field::set(kind, &kind.entries(text)?, 0)
}

fn of_month(text: &str) -> Result<Option<OfMonth>, CronError> {
    let kind = &field::DAY_OF_MONTH;
    let entries = kind.entries(text)?;
    let mut days = OfMonth::default();
    for entry in &entries {
        match *entry {
            Entry::Other("l") => days.last = true,
            Entry::Other("lw") => days.last_workday = true,
            Entry::Other(part) => {
                let day = part.strip_suffix('w').and_then(|day| kind.value(day));
                days.workdays |= 1 << day.ok_or_else(|| kind.fault(part))?;
            }
            Entry::All | Entry::Steps(..) => days.days |= field::set(kind, &[*entry], 0)?[0],
        }
    }
    Ok((!entries.contains(&Entry::All)).then_some(days))
}

fn of_week(text: &str) -> Result<Option<OfWeek>, CronError> {
    let kind = &field::DAY_OF_WEEK;
    let entries = kind.entries(text)?;
    let mut days = OfWeek::default();
    for entry in &entries {
        match *entry {
            Entry::Other(part) => {
                let fault = || kind.fault(part);
                let weekday = |text| kind.value(text).map(|day| 1_u64 << (day % 7));
                if let Some(last) = part.strip_suffix('l') {
                    days.last |= weekday(last).ok_or_else(fault)?;
                } else {
                    let (day, nth) = part.split_once('#').ok_or_else(fault)?;
                    let nth = nth.parse::<usize>().ok().and_then(|nth| nth.checked_sub(1));
                    let week = nth.and_then(|nth| days.nth.get_mut(nth)).ok_or_else(fault)?;
                    *week |= weekday(day).ok_or_else(fault)?;
                }
            }
            Entry::All | Entry::Steps(..) => {
                let [set, ..] = field::set(kind, &[*entry], 0)?;
                days.weekdays |= (set & 0x7f) | (set >> 7 & 1);
            }
        }
    }
    Ok((!entries.contains(&Entry::All)).then_some(days))
}
