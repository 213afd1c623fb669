//! One clause: what it asks of a field, and how much that weighs.

use std::ops::RangeInclusive;

use regex::Regex;

use super::{
    Document, EXPRESSION_SIZE_MAX, LOOKED_INTO_LEN_MAX,
    document::{Places, Value},
    glob,
};

#[derive(Clone, Debug)]
pub(super) struct Clause {
    pub(super) field: Box<str>,
    pub(super) test: Test,
    pub(super) boost: f64,
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    /// This text.
    Text(Box<str>),
    /// This number, or the text that it is written as.
    Number { text: Box<str>, place: i64 },
    /// A number or a date of these.
    Between(Places),
    /// A text with up to so many letters wrong, missing, added, or swapped with the next.
    Like { text: Box<str>, distance_max: usize },
    /// A text of this pattern.
    Glob(Box<str>),
    /// Any value at all.
    Present,
    /// A text that is this expression from its start to its end.
    Expression(Regex),
}

/// A value that a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term<'a> {
    pub field: &'a str,
    /// The text to have, if any will do.
    pub text: Option<&'a str>,
    /// The place of the number or date to have, if any will do.
    pub place: Option<i64>,
}

/// An expression that texts are compared with as wholes; `None` where it is none, or too large.
pub(super) fn expression(pattern: &str) -> Option<Regex> {
    let compile = |pattern: &str| {
        regex::RegexBuilder::new(pattern)
            .size_limit(EXPRESSION_SIZE_MAX)
            .dfa_size_limit(EXPRESSION_SIZE_MAX)
            .nest_limit(64)
            .build()
            .ok()
    };
    // By itself first: what is around it must not lend it a parenthesis.
    compile(pattern)?;
    compile(&format!(r"\A(?:{pattern})\z"))
}

impl Clause {
    /// What the clause adds to the score of a document; `None` where the document does not fit.
    pub(super) fn score(&self, document: &Document) -> Option<f64> {
        let mut values = document.values(&self.field);
        let weight = values.find_map(|value| self.test.weight(value))?;
        // Texts weigh by the square of their boost, as games that came to rely on it expect.
        Some(match self.test {
            Test::Text(_) | Test::Like { .. } => weight * self.boost * self.boost,
            Test::Number { .. }
            | Test::Between(_)
            | Test::Glob(_)
            | Test::Present
            | Test::Expression(_) => weight * self.boost,
        })
    }

    /// Whether it adds the same to all that fit.
    pub(super) fn is_flat(&self) -> bool {
        !matches!(self.test, Test::Like { .. })
    }

    /// What a document must hold to fit, where that is one thing.
    pub(super) fn term(&self) -> Option<Term<'_>> {
        let field = &*self.field;
        match &self.test {
            Test::Text(text) => Some(Term { field, text: Some(text), place: None }),
            Test::Number { text, place } => {
                Some(Term { field, text: Some(text), place: Some(*place) })
            }
            Test::Between(_)
            | Test::Like { .. }
            | Test::Glob(_)
            | Test::Present
            | Test::Expression(_) => None,
        }
    }
}

impl Test {
    /// How well a value fits, 1 at best; `None` where it does not.
    fn weight(&self, value: &Value) -> Option<f64> {
        let fits = match (self, value) {
            (Self::Text(wanted) | Self::Number { text: wanted, .. }, Value::Text(text)) => {
                wanted == text
            }
            (Self::Number { place: wanted, .. }, Value::Ordered(place)) => wanted == place,
            (Self::Between(places), Value::Ordered(place)) => places.contains(place),
            (Self::Like { text: wanted, distance_max }, Value::Text(text)) => {
                return likeness(wanted, text, *distance_max);
            }
            (Self::Glob(pattern), Value::Text(text)) => {
                text.len() <= LOOKED_INTO_LEN_MAX && glob::matches(pattern, text)
            }
            (Self::Expression(expression), Value::Text(text)) => {
                text.len() <= LOOKED_INTO_LEN_MAX && expression.is_match(text)
            }
            (Self::Present, Value::Text(_) | Value::Ordered(_)) => true,
            (Self::Between(_), Value::Text(_))
            | (
                Self::Text(_) | Self::Like { .. } | Self::Glob(_) | Self::Expression(_),
                Value::Ordered(_),
            ) => false,
        };
        fits.then_some(1.0)
    }
}

/// How alike two texts are that differ by no more than `distance_max` edits.
fn likeness(wanted: &str, text: &str, distance_max: usize) -> Option<f64> {
    if wanted == text {
        return Some(1.0);
    }
    // An edit changes the length by one letter, of four bytes at most.
    if text.len() > LOOKED_INTO_LEN_MAX || wanted.len().abs_diff(text.len()) > 4 * distance_max {
        return None;
    }
    let (wanted_len, text_len) = (wanted.chars().count(), text.chars().count());
    if wanted_len.abs_diff(text_len) > distance_max {
        return None;
    }
    let distance = strsim::osa_distance(wanted, text);
    let shorter = wanted_len.min(text_len).max(1);
    (distance <= distance_max).then(|| 1.0 - distance as f64 / shorter as f64)
}

/// Every place above or below one.
pub(super) fn side(of: i64, above: bool, included: bool) -> Places {
    let next = if included { Some(of) } else { of.checked_add(if above { 1 } else { -1 }) };
    match (next, above) {
        (Some(from), true) => from..=i64::MAX,
        (Some(to), false) => i64::MIN..=to,
        // Nothing is beyond the last.
        #[allow(clippy::reversed_empty_ranges)]
        (None, _) => RangeInclusive::new(1, 0),
    }
}
