use proptest::prelude::*;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::*;

fn at(text: &str) -> i64 {
    OffsetDateTime::parse(text, &Rfc3339).unwrap().unix_timestamp()
}

fn next(cron: &str, after: &str) -> String {
    show(Cron::parse(cron).unwrap().next(at(after)))
}

fn last(cron: &str, before: &str) -> String {
    show(Cron::parse(cron).unwrap().last(at(before)))
}

fn show(time: Option<i64>) -> String {
    let Some(time) = time else { return "never".to_owned() };
    OffsetDateTime::from_unix_timestamp(time).unwrap().format(&Rfc3339).unwrap()
}

#[test]
fn the_next_time_comes_after_and_the_last_one_before() {
    for (cron, from, after, before) in [
        ("0 12 * * *", "2024-05-05T12:00:00Z", "2024-05-06T12:00:00Z", "2024-05-04T12:00:00Z"),
        ("0 12 * * *", "2024-05-05T12:00:01Z", "2024-05-06T12:00:00Z", "2024-05-05T12:00:00Z"),
        ("*/15 * * * *", "2024-12-31T23:59:59Z", "2025-01-01T00:00:00Z", "2024-12-31T23:45:00Z"),
        ("0 0 29 2 *", "2023-01-01T00:00:00Z", "2024-02-29T00:00:00Z", "2020-02-29T00:00:00Z"),
        ("0 0 * * 1", "2024-05-05T00:00:00Z", "2024-05-06T00:00:00Z", "2024-04-29T00:00:00Z"),
        ("0 0 13 * 5", "2024-09-07T00:00:00Z", "2024-09-13T00:00:00Z", "2024-09-06T00:00:00Z"),
        ("0 0 L * *", "2024-02-10T00:00:00Z", "2024-02-29T00:00:00Z", "2024-01-31T00:00:00Z"),
        ("0 0 LW * *", "2024-06-10T00:00:00Z", "2024-06-28T00:00:00Z", "2024-05-31T00:00:00Z"),
        ("0 0 1W * *", "2024-05-15T00:00:00Z", "2024-06-03T00:00:00Z", "2024-05-01T00:00:00Z"),
        ("0 0 * * 5L", "2024-05-15T00:00:00Z", "2024-05-31T00:00:00Z", "2024-04-26T00:00:00Z"),
        ("0 0 * * 5#3", "2024-05-15T00:00:00Z", "2024-05-17T00:00:00Z", "2024-04-19T00:00:00Z"),
        ("30 4 1 jan mon", "2024-01-01T04:30:00Z", "2024-01-08T04:30:00Z", "2023-01-30T04:30:00Z"),
        ("@weekly", "2024-05-15T00:00:00Z", "2024-05-19T00:00:00Z", "2024-05-12T00:00:00Z"),
        ("@yearly", "2024-05-15T00:00:00Z", "2025-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        (
            "10,40 * * * * * *",
            "2024-05-15T00:00:20Z",
            "2024-05-15T00:00:40Z",
            "2024-05-15T00:00:10Z",
        ),
        ("0 0 1 1 * 2030", "2024-05-15T00:00:00Z", "2030-01-01T00:00:00Z", "never"),
        ("0 0 * * 5-7", "2024-05-11T00:00:00Z", "2024-05-12T00:00:00Z", "2024-05-10T00:00:00Z"),
        ("0 0 30 2 *", "2024-05-11T00:00:00Z", "never", "never"),
    ] {
        assert_eq!(next(cron, from), after, "after {from}: {cron}");
        assert_eq!(last(cron, from), before, "before {from}: {cron}");
    }
}

#[test]
fn what_is_no_schedule_is_refused() {
    for text in [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "*/60 * * * *",
        "1- * * * *",
        "-1 * * * *",
        "20-5 * * * *",
        "a * * * *",
        ", * * * *",
        "* * * foo *",
        "* * 40w * *",
        "* * * * 5#6",
        "* * * * 5#0",
        "* * * * #",
        "* * * * * 1969",
        "l * * * *",
        "5// * * * *",
        "@never",
    ] {
        assert!(Cron::parse(text).is_err(), "{text}");
    }
}

#[test]
fn days_that_run_backwards_never_come() {
    for text in ["0 0 * * sat-mon", "0 0 * * 6-1", "0 0 20-5 * *"] {
        let never = Cron::parse(text).unwrap();
        assert_eq!((never.next(1_700_000_000), never.last(1_700_000_000)), (None, None), "{text}");
    }
    let some = Cron::parse("0 0 * * 5-1,3").unwrap();
    assert_eq!(some, Cron::parse("0 0 * * 3").unwrap());
}

/// Says of a second whether a schedule of plain lists names it, field by field.
fn names(fields: &[Vec<u8>; 5], time: i64) -> bool {
    let time = OffsetDateTime::from_unix_timestamp(time).unwrap();
    let [minutes, hours, days, months, weekdays] = fields;
    let day = days.contains(&time.day());
    let weekday = weekdays.contains(&time.weekday().number_days_from_sunday());
    let either = match (days.is_empty(), weekdays.is_empty()) {
        (true, true) => true,
        (false, true) => day,
        (true, false) => weekday,
        (false, false) => day || weekday,
    };
    time.second() == 0
        && (minutes.is_empty() || minutes.contains(&time.minute()))
        && (hours.is_empty() || hours.contains(&time.hour()))
        && (months.is_empty() || months.contains(&u8::from(time.month())))
        && either
}

fn written(fields: &[Vec<u8>; 5]) -> String {
    let list = |values: &Vec<u8>| match values.as_slice() {
        [] => "*".to_owned(),
        values => values.iter().map(u8::to_string).collect::<Vec<_>>().join(","),
    };
    fields.each_ref().map(list).join(" ")
}

fn lists() -> impl Strategy<Value = [Vec<u8>; 5]> {
    let list =
        |range: std::ops::RangeInclusive<u8>, most| proptest::collection::vec(range, 0..most);
    (list(0..=59, 3), list(0..=23, 3), list(1..=31, 3), list(1..=12, 4), list(0..=6, 3))
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn next_and_last_find_what_a_walk_over_all_minutes_finds(
        fields in lists(),
        start in 0i64..4_000_000_000,
    ) {
        let cron = Cron::parse(&written(&fields)).unwrap();
        const MINUTES: i64 = 60 * 24 * 40;
        let first = start.div_euclid(60) * 60;
        let later = (1..MINUTES).map(|n| first + n * 60).find(|time| names(&fields, *time));
        let found = cron.next(start).filter(|time| *time < first + MINUTES * 60);
        prop_assert_eq!(found, later);
        let from = first - i64::from(first == start) * 60;
        let earlier = (0..MINUTES).map(|n| from - n * 60).find(|time| names(&fields, *time));
        let found = cron.last(start).filter(|time| *time > from - MINUTES * 60);
        prop_assert_eq!(found, earlier.filter(|time| *time >= 0));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}|([0-9*,/?LW#-]{0,5} ?){4,8}") {
        if let Ok(cron) = Cron::parse(&text) {
            cron.next(1_700_000_000);
            cron.last(1_700_000_000);
        }
    }
}
