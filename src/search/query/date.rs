//! Points in time, as documents and queries write them.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A date as a property may have it: RFC 3339, or without its zone, or without its time of day. In
/// nanoseconds since 1970.
pub(super) fn read(text: &str) -> Option<i64> {
    let dashes = text.as_bytes().get(4) == Some(&b'-') && text.as_bytes().get(7) == Some(&b'-');
    if !dashes || text.len() > 64 {
        return None;
    }
    rfc3339(text).or_else(|| {
        let whole = match text.len() {
            10 => format!("{text}T00:00:00Z"),
            _ => format!("{}Z", text.replacen(' ', "T", 1)),
        };
        rfc3339(&whole)
    })
}

/// A date as a query writes it.
pub(super) fn rfc3339(text: &str) -> Option<i64> {
    let read = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(read.unix_timestamp_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_ways_that_people_write_them() {
        let day = 1_767_312_000_000_000_000;
        assert_eq!(read("2026-01-02"), Some(day));
        assert_eq!(read("2026-01-02T00:00:01Z"), Some(day + 1_000_000_000));
        assert_eq!(read("2026-01-02T01:00:00+01:00"), Some(day));
        assert_eq!(read("2026-01-02 00:00:00"), Some(day));
        assert_eq!(read("2026-01-02T00:00:00.5"), Some(day + 500_000_000));
        for wrong in
            ["", "2026", "2026-13-02", "2026-01-02T", "soon-ish-now", "9999-01-01", "2026-01-é"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
