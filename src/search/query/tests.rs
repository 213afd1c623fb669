use proptest::prelude::*;

use super::*;

fn document() -> Document {
    let mut document = Document::default();
    document.put_text("properties.mode", "ranked");
    document.put_text("properties.region", "eu west");
    document.put_text("properties.level", "12");
    document.put_text("properties.since", "2026-03-04T05:06:07Z");
    document.put_number("properties.rank", 10.0);
    document.put_number("properties.skill", -2.5);
    document.put_number("max_count", 4.0);
    document
}

fn score(query: &str) -> Option<f64> {
    Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}")).score(&document())
}

fn matches(query: &str) -> bool {
    score(query).is_some()
}

#[test]
fn a_clause_fits_what_it_names() {
    for query in [
        "*",
        "properties.mode:ranked",
        "+properties.mode:ranked",
        r"properties.region:eu\ west",
        "properties.region:\"eu west\"",
        "properties.level:12",
        "properties.rank:10",
        "properties.rank:10.0",
        "properties.rank:>=10",
        "properties.rank:<=10",
        "properties.rank:>9.5 properties.rank:<0",
        "+properties.rank:>9.5 +properties.rank:<10.5",
        "properties.skill:-2.5",
        "properties.skill:>-3",
        "properties.skill:<=-2.5",
        "properties.since:>\"2026-03-04T05:06:06Z\"",
        "properties.since:<=\"2026-03-04T06:06:07+01:00\"",
        "properties.since:\"2026-03-04T05:06:07Z\"",
        "properties.mode:r*d",
        "properties.mode:rank?d",
        "properties.rank:*",
        "properties.mode:/ran.*/",
        "properties.mode:/(casual|ranked)/",
        "properties.mode:ranked~1",
        "properties.mode:rankde~1",
        "properties.mode:rnkd~2",
        "-properties.mode:casual",
        "-properties.mode:casual properties.rank:10",
        "+properties.rank:10 properties.mode:casual",
        "max_count:4",
    ] {
        assert!(matches(query), "{query}");
    }
}

#[test]
fn a_clause_does_not_fit_what_it_does_not_name() {
    for query in [
        "ranked",
        "properties.mode:casual",
        "properties.mode:rank",
        "mode:ranked",
        "properties.region:eu west",
        "properties.rank:>10",
        "properties.rank:<10",
        "properties.level:>1",
        "properties.mode:>1",
        "properties.rank:1*",
        "properties.nothing:*",
        "properties.mode:/rank/",
        "properties.mode:/an/",
        "properties.mode:rankd~0",
        "properties.mode:rnkd~1",
        "-properties.mode:ranked",
        "-properties.mode:ranked properties.rank:10",
        "+properties.mode:casual properties.rank:10",
        "properties.since:>\"2026-03-04T05:06:07Z\"",
    ] {
        assert!(!matches(query), "{query}");
    }
}

#[test]
fn a_clause_that_cannot_be_carried_out_matches_nothing() {
    for query in [
        "properties.mode:/(/",
        "properties.mode:ranked properties.mode:/a{1000}{1000}/",
        "properties.mode:/a)|(ranked/",
        "-properties.mode:x~3",
        "properties.mode:ranked~-1",
    ] {
        assert!(!matches(query), "{query}");
    }
}

#[test]
fn what_is_no_query_is_refused() {
    let refused = |query: &str| Query::parse(query).map(|_| ()).unwrap_err();
    for (query, why) in [
        ("", QueryError::Empty),
        ("  ", QueryError::Empty),
        ("+", QueryError::Incomplete),
        ("a:", QueryError::Incomplete),
        (":a", QueryError::Incomplete),
        ("a:-b", QueryError::Incomplete),
        ("a:>b", QueryError::Incomplete),
        ("a:>=", QueryError::Incomplete),
        ("^2", QueryError::Incomplete),
        ("a^2^3", QueryError::Number),
        ("\"a\"~1", QueryError::Incomplete),
        ("5:a", QueryError::Incomplete),
        ("a^b", QueryError::Number),
        ("a~b", QueryError::Number),
        ("a:>\"soon\"", QueryError::Date),
        ("a:\"b", QueryError::Quote),
    ] {
        assert_eq!(refused(query), why, "{query}");
    }
    let many = |one: &str, count: usize| [one].repeat(count).join(" ");
    assert_eq!(refused(&many("a", CLAUSES_MAX + 1)), QueryError::TooManyClauses);
    assert_eq!(refused(&many("/a/", EXPRESSIONS_MAX + 1)), QueryError::TooManyExpressions);
    assert_eq!(refused(&"a".repeat(QUERY_LEN_MAX + 1)), QueryError::TooLong);
    assert!(Query::parse(&many("a", CLAUSES_MAX)).is_ok());
    assert!(Query::parse(&many("/a/", EXPRESSIONS_MAX)).is_ok());
    let digits = "9".repeat(400);
    assert_eq!(refused(&format!("a:{digits}")), QueryError::Number);
}

#[test]
fn clauses_that_fit_add_to_the_score() {
    assert_eq!(score("*"), Some(1.0));
    assert_eq!(score("properties.mode:ranked"), Some(1.0));
    assert_eq!(score("properties.mode:ranked^3"), Some(9.0));
    assert_eq!(score("properties.rank:>1^3"), Some(3.0));
    assert_eq!(score("+properties.mode:ranked properties.rank:10^2"), Some(3.0));
    assert_eq!(score("+properties.mode:ranked properties.rank:11^2"), Some(1.0));
    assert_eq!(score("-properties.mode:casual"), Some(0.0));
    assert_eq!(score("properties.mode:rankde~1"), Some(1.0 - 1.0 / 6.0));
}

#[test]
fn flat_queries_and_terms_are_told() {
    let flat = |query: &str| Query::parse(query).unwrap().is_flat();
    for query in ["*", "a:b", "+a:b +c:>1 -d:e", "-a:b", "a:b*"] {
        assert!(flat(query), "{query}");
    }
    for query in ["a:b c:d", "+a:b c:d", "a:b~1"] {
        assert!(!flat(query), "{query}");
    }
    let terms = |query: &str| Query::parse(query).unwrap().terms().count();
    assert_eq!(terms("+a:b +c:5 +d:>1 e:f -g:h"), 2);
    assert_eq!(terms("a:b"), 1);
    assert_eq!(terms("a:b c:d"), 0);
    assert_eq!(terms("*"), 0);
}

#[test]
fn a_text_that_is_too_long_is_not_looked_into() {
    let mut document = Document::default();
    document.put_text("a", &"x".repeat(LOOKED_INTO_LEN_MAX + 1));
    for query in ["a:x*x", "a:/x+/"] {
        assert!(!Query::parse(query).unwrap().matches(&document), "{query}");
    }
    assert!(Query::parse("a:*").unwrap().matches(&document));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_query_or_refused(text in "[-+a-c:><=\"~^*?/\\\\ 0-9.é()]{0,40}") {
        if let Ok(query) = Query::parse(&text) {
            let document = document();
            let matches = query.matches(&document);
            prop_assert!(query.score(&document).is_none_or(f64::is_finite));
            if matches {
                // An index that looks for one of the terms finds the document.
                for term in query.terms() {
                    let held = document.terms().any(|has| {
                        has.field == term.field
                            && (has.text.is_some() && has.text == term.text
                                || has.place.is_some() && has.place == term.place)
                    });
                    prop_assert!(held, "{text:?} matches without {term:?}");
                }
            }
        }
    }

    #[test]
    fn every_text_can_be_asked_for_exactly(value in ".{0,30}") {
        let mut escaped = String::new();
        for letter in value.chars() {
            if "+-=&|><!(){}[]^\"~*?:\\/ ".contains(letter) {
                escaped.push('\\');
            }
            escaped.push(letter);
        }
        let mut document = Document::default();
        document.put_text("a", &value);
        let query = Query::parse(&format!("+a:\"{escaped}\"")).unwrap();
        prop_assert!(query.matches(&document));
        document = Document::default();
        document.put_text("a", &format!("{value}x"));
        prop_assert!(!query.matches(&document));
    }
}
