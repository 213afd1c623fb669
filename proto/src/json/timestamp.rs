//! RFC 3339 timestamps in UTC, from year 1 to 9999, as protobuf's JSON wants them.

use std::io::Write as _;

/// 0001-01-01T00:00:00Z, in Unix seconds.
const SECONDS_MIN: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z, in Unix seconds.
const SECONDS_MAX: i64 = 253_402_300_799;
const DAY: i64 = 86_400;

/// Unix seconds and nanoseconds of a timestamp; `None` if it is not one.
pub(crate) fn parse(text: &str) -> Option<(i64, i32)> {
    let bytes = text.as_bytes();
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        m0,
        m1,
        b'-',
        d0,
        d1,
        b'T',
        h0,
        h1,
        b':',
        n0,
        n1,
        b':',
        s0,
        s1,
        rest @ ..,
    ] = bytes
    else {
        return None;
    };
    let year = number(&[*y0, *y1, *y2, *y3])?;
    let (month, day) = (number(&[*m0, *m1])?, number(&[*d0, *d1])?);
    let (hour, minute, second) = (number(&[*h0, *h1])?, number(&[*n0, *n1])?, number(&[*s0, *s1])?);
    if !(1..=12).contains(&month)
        || !(1..=days_in_month(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }

    let (nanos, zone) = match rest {
        [b'.', rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (fraction, zone) = rest.split_at_checked(digits)?;
            if !(1..=9).contains(&digits) {
                return None;
            }
            (number(fraction)? * 10_i64.pow(9 - digits as u32), zone)
        }
        zone => (0, zone),
    };
    let offset = match zone {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let (hours, minutes) = (number(&[*h0, *h1])?, number(&[*m0, *m1])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };

    let seconds =
        days_from_epoch(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    (SECONDS_MIN..=SECONDS_MAX).contains(&seconds).then_some((seconds, nanos as i32))
}

/// Writes a timestamp between quotes, with 0, 3, 6 or 9 digits of fraction. What lies outside the years
/// that the format has is written as the nearest that it has.
pub(super) fn write(out: &mut Vec<u8>, seconds: i64, nanos: i32) {
    let seconds = seconds.clamp(SECONDS_MIN, SECONDS_MAX);
    let nanos = nanos.clamp(0, 999_999_999);
    let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = date(days);
    let mut text = *b"\"0000-00-00T00:00:00";
    digits(&mut text, 1, 4, year);
    digits(&mut text, 6, 2, month);
    digits(&mut text, 9, 2, day);
    digits(&mut text, 12, 2, rest / 3600);
    digits(&mut text, 15, 2, rest / 60 % 60);
    digits(&mut text, 18, 2, rest % 60);
    out.extend_from_slice(&text);
    let result = match nanos {
        0 => Ok(()),
        nanos if nanos % 1_000_000 == 0 => write!(out, ".{:03}", nanos / 1_000_000),
        nanos if nanos % 1_000 == 0 => write!(out, ".{:06}", nanos / 1_000),
        nanos => write!(out, ".{nanos:09}"),
    };
    debug_assert!(result.is_ok(), "writing to memory does not fail");
    out.extend_from_slice(b"Z\"");
}

fn digits(text: &mut [u8; 20], at: usize, count: usize, mut value: i64) {
    for slot in text.iter_mut().skip(at).take(count).rev() {
        *slot = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'))
    })
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that
/// the leap day is a year's last: <https://howardhinnant.github.io/date_algorithms.html>.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_epoch`].
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(seconds: i64, nanos: i32) -> String {
        let mut out = Vec::new();
        write(&mut out, seconds, nanos);
        String::from_utf8(out).unwrap().trim_matches('"').to_owned()
    }

    #[test]
    fn whole_seconds_have_no_fraction_and_others_groups_of_three() {
        assert_eq!(written(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(written(1_700_000_000, 500_000_000), "2023-11-14T22:13:20.500Z");
        assert_eq!(written(1_700_000_000, 1_000), "2023-11-14T22:13:20.000001Z");
        assert_eq!(written(1_700_000_000, 1), "2023-11-14T22:13:20.000000001Z");
    }

    #[test]
    fn every_day_of_the_calendar_reads_back() {
        for day in (SECONDS_MIN / DAY..=SECONDS_MAX / DAY).step_by(7) {
            let seconds = day * DAY + 12_345;
            assert_eq!(parse(&written(seconds, 0)), Some((seconds, 0)));
        }
    }

    #[test]
    fn leap_days_and_zones_are_counted() {
        assert_eq!(parse("2000-02-29T00:00:00Z"), Some((951_782_400, 0)));
        assert_eq!(parse("1972-01-01T01:30:00+01:30"), Some((63_072_000, 0)));
        assert_eq!(parse("1969-12-31T23:59:59.25Z"), Some((-1, 250_000_000)));
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:00:60Z",
            "2023-01-01 00:00:00Z",
            "2023-01-01T00:00:00",
            "2023-01-01T00:00:00.Z",
            "2023-01-01T00:00:00.0000000001Z",
            "2023-01-01T00:00:00z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "+023-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_the_format_cannot_say_is_clamped() {
        assert_eq!(written(i64::MIN, 0), "0001-01-01T00:00:00Z");
        assert_eq!(written(i64::MAX, -1), "9999-12-31T23:59:59Z");
    }
}
