//! Reads YAML into the tree, walking along the table of keys.
//!
//! Text is taken as written (`password: 0123` is `"0123"`), an empty value leaves the key as it was (an
//! empty list empties it), and a list replaces the list of an earlier source.

use std::{collections::HashSet, fmt, path::Path};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{
    error::{ConfigError, Source},
    key::{self, Key},
    value::{Kind, Misfit, Value, parse_bool, parse_int},
};

/// Reads the text of one file. Values come in the order in which they stand there.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<(&'static Key, Value)>, ConfigError> {
    let mut walk = Walk::default();
    let result = Section { path: String::new(), walk: &mut walk }
        .deserialize(serde_norway::Deserializer::from_str(text));
    let Err(error) = result else { return Ok(walk.values) };
    let source_of = match error.location() {
        Some(location) => Source::Line(path.to_owned(), location.line()),
        None => Source::File(path.to_owned()),
    };
    Err(match walk.fault {
        Some(Fault::Unknown(key)) => ConfigError::unknown(source_of, &key),
        Some(Fault::Twice(key)) => ConfigError::DuplicateKey { source_of, key },
        Some(Fault::NotSection(key)) => ConfigError::WrongType {
            source_of,
            key,
            wanted: "keys below it".to_owned(),
            got: "a single value".to_owned(),
        },
        Some(Fault::Misfit(key, misfit)) => ConfigError::misfit(source_of, key, misfit),
        None => ConfigError::Yaml { source_of, why: error.to_string() },
    })
}

/// What the walk has found. Serde's errors are text, so the fault itself waits here.
#[derive(Default)]
struct Walk {
    values: Vec<(&'static Key, Value)>,
    fault: Option<Fault>,
}

enum Fault {
    Unknown(String),
    Twice(String),
    NotSection(String),
    Misfit(&'static Key, Misfit),
}

impl Walk {
    fn fail<E: de::Error>(&mut self, fault: Fault) -> E {
        self.fault = Some(fault);
        E::custom("")
    }
}

/// A mapping of the tree, the root included.
struct Section<'a> {
    path: String,
    walk: &'a mut Walk,
}

impl<'de> DeserializeSeed<'de> for Section<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Section<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys and their values")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(()) // An empty file or section sets nothing.
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        let Self { path: section, walk } = self;
        while let Some(path) =
            map.next_key_seed(Name { section: &section, seen: &mut seen, walk })?
        {
            match key::find(&path) {
                Some(key) => {
                    if let Some(value) = map.next_value_seed(Leaf { key, walk })? {
                        walk.values.push((key, value));
                    }
                }
                None => map.next_value_seed(Section { path, walk })?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.not_a_section())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Err(self.not_a_section())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Err(self.not_a_section())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Err(self.not_a_section())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Err(self.not_a_section())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Err(self.not_a_section())
    }
}

impl Section<'_> {
    fn not_a_section<E: de::Error>(self) -> E {
        let path = if self.path.is_empty() { "the file" } else { &self.path };
        self.walk.fail(Fault::NotSection(path.to_owned()))
    }
}

/// A name in a mapping: yields the dotted path of a key or of a section.
struct Name<'a> {
    section: &'a str,
    seen: &'a mut HashSet<String>,
    walk: &'a mut Walk,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a key")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<String, E> {
        let dot = if self.section.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{name}", self.section);
        // A dotted name at the root would be a second way to write a key; the reference has none.
        let known = !name.contains('.') && (key::find(&path).is_some() || key::is_section(&path));
        if !known {
            return Err(self.walk.fail(Fault::Unknown(path)));
        }
        if !self.seen.insert(path.clone()) {
            return Err(self.walk.fail(Fault::Twice(path)));
        }
        Ok(path)
    }
}

/// The value of a key. `None` leaves the key as it was.
struct Leaf<'a> {
    key: &'static Key,
    walk: &'a mut Walk,
}

impl<'de> DeserializeSeed<'de> for Leaf<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Leaf<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(self.key.kind.is_list().then(|| Value::List(Vec::new())))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let Self { key, walk } = self;
        let result = match key.kind {
            Kind::Text => deserializer.deserialize_str(Scalar(Kind::Text)),
            Kind::Bool | Kind::Int | Kind::Int64 => deserializer.deserialize_any(Scalar(key.kind)),
            Kind::TextList | Kind::NumberList => deserializer.deserialize_any(List),
        };
        result.map(Some).inspect_err(|error: &D::Error| {
            let text = error.to_string();
            // Serde words a wrong type like this; everything else is broken YAML.
            if let Some((_, got)) = text.split_once("invalid type: ") {
                let got = got.split(", expected").next().unwrap_or(got).to_owned();
                walk.fault = Some(Fault::Misfit(key, Misfit { wanted: wanted(key.kind), got }));
            }
        })
    }
}

fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Text => "a string",
        Kind::Bool => "a bool",
        Kind::Int | Kind::Int64 => "a whole number",
        Kind::TextList | Kind::NumberList => "a list",
    }
    .to_owned()
}

struct Scalar(Kind);

impl Visitor<'_> for Scalar {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&wanted(self.0))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        match self.0 {
            Kind::Bool => Ok(Value::Bool(value)),
            _ => Err(E::invalid_type(de::Unexpected::Bool(value), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        match self.0 {
            Kind::Int | Kind::Int64 => Ok(Value::Int(value)),
            _ => Err(E::invalid_type(de::Unexpected::Signed(value), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Err(E::invalid_type(de::Unexpected::Unsigned(value), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        // `1e6` and `5.0` are whole numbers to the reference as well.
        let whole = value.fract() == 0.0 && value.abs() < 9e15;
        match self.0 {
            Kind::Int | Kind::Int64 if whole => Ok(Value::Int(value as i64)),
            _ => Err(E::invalid_type(de::Unexpected::Float(value), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        let value = match self.0 {
            Kind::Text => Some(Value::Text(text.to_owned())),
            // YAML 1.1 words such as `yes`, and numbers that a template has put into quotes.
            Kind::Bool => parse_bool(text).map(Value::Bool),
            Kind::Int | Kind::Int64 => parse_int(text).map(Value::Int),
            Kind::TextList | Kind::NumberList => None,
        };
        value.ok_or_else(|| E::invalid_type(de::Unexpected::Str(text), &self))
    }
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element_seed(Entry)? {
            list.push(entry);
        }
        Ok(Value::List(list))
    }
}

/// An entry of a list: any scalar, as written.
struct Entry;

impl<'de> DeserializeSeed<'de> for Entry {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Entry {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("entries of a list")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}
