//! What a query is asked about.

use std::{cmp::Ordering, ops::RangeInclusive};

use super::date;

/// Fields and their values. A field may have several.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// By name.
    fields: Vec<(Box<str>, Value)>,
}

/// One value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(Box<str>),
    /// A number or a point in time, by its place among all of them.
    Ordered(i64),
}

impl Document {
    /// Adds a text, which is a date too if it reads as one.
    pub fn put_text(&mut self, field: &str, text: &str) {
        self.put(field, Value::Text(text.into()));
        if let Some(nanos) = date::read(text) {
            self.put(field, Value::Ordered(nanos));
        }
    }

    pub fn put_number(&mut self, field: &str, number: f64) {
        self.put(field, Value::Ordered(place(number)));
    }

    fn put(&mut self, field: &str, value: Value) {
        let at = self.fields.partition_point(|(name, _)| **name <= *field);
        self.fields.insert(at, (field.into(), value));
    }

    /// The values of a field. Takes time by the logarithm of the fields.
    pub(super) fn values(&self, field: &str) -> impl Iterator<Item = &Value> {
        let from = self.fields.partition_point(|(name, _)| (**name).cmp(field) == Ordering::Less);
        let fields = self.fields.get(from..).unwrap_or_default().iter();
        fields.take_while(move |(name, _)| **name == *field).map(|(_, value)| value)
    }

    /// Every value as a [`super::Term`] names it.
    pub fn terms(&self) -> impl Iterator<Item = super::Term<'_>> {
        self.fields.iter().map(|(field, value)| match value {
            Value::Text(text) => super::Term { field, text: Some(text), place: None },
            Value::Ordered(place) => super::Term { field, text: None, place: Some(*place) },
        })
    }
}

/// The place of a number among all numbers: the greater one has the greater place.
pub(super) fn place(number: f64) -> i64 {
    // Zero is one number, whichever sign it has.
    let bits = (number + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// Every place from one bound to the other.
pub(super) type Places = RangeInclusive<i64>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_are_ordered_as_numbers_are(a: f64, b: f64) {
            if a == 0.0 && b == 0.0 {
                prop_assert_eq!(place(a), place(b));
            } else {
                prop_assert_eq!(place(a).cmp(&place(b)), a.total_cmp(&b));
            }
        }
    }

    #[test]
    fn a_field_has_the_values_that_were_put_there() {
        let mut document = Document::default();
        document.put_text("b", "two");
        document.put_text("a", "one");
        document.put_number("b", 2.0);
        document.put_text("day", "2026-01-02");
        let count = |field: &str| document.values(field).count();
        assert_eq!([count("a"), count("b"), count("day"), count("c"), count("")], [1, 2, 2, 0, 0]);
    }
}
