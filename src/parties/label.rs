//! What a party says of itself, and what is asked of it.

use serde_json::Value;

use super::PartyError;

/// Longest label, in bytes.
pub const LABEL_LEN_MAX: usize = 2048;

/// A JSON object, as the leader wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    text: Box<str>,
    value: Value,
}

impl Label {
    /// Reads a label; the empty text is the empty object.
    pub fn read(text: &str) -> Result<Self, PartyError> {
        let text = if text.is_empty() { "{}" } else { text };
        if text.len() > LABEL_LEN_MAX {
            return Err(PartyError::LabelTooLong);
        }
        let value: Value = serde_json::from_str(text)
            .map_err(|error| PartyError::Label(error.to_string().into()))?;
        let kind = match &value {
            Value::Object(_) | Value::Null => return Ok(Self { text: text.into(), value }),
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
        };
        let why = format!(
            "json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        );
        Err(PartyError::Label(why.into()))
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a label says anything; a hidden party's must not.
    pub fn is_blank(text: &str) -> bool {
        text.is_empty() || text == "{}"
    }
}

/// What a listing asks of labels: nothing, or that each of some fields has one exact value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<Term>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    path: Vec<String>,
    value: String,
}

/// The query says more than is understood before search is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsearchable;

impl Query {
    /// Reads `*`, nothing, `label.field:value`, or several such terms that each begin with `+`. Whatever
    /// else the query language has is refused.
    pub fn read(text: &str) -> Result<Self, Unsearchable> {
        let text = text.trim();
        if matches!(text, "" | "*") {
            return Ok(Self::default());
        }
        let terms: Vec<&str> = text.split_whitespace().collect();
        // Of several terms, one without the plus may also be missing, which is no exact match.
        if terms.len() > 1 && terms.iter().any(|term| !term.starts_with('+')) {
            return Err(Unsearchable);
        }
        terms.into_iter().map(Term::read).collect::<Result<_, _>>().map(Self)
    }

    pub fn matches(&self, label: &Label) -> bool {
        self.0.iter().all(|term| term.is_in(&label.value, &term.path))
    }
}

impl Term {
    fn read(text: &str) -> Result<Self, Unsearchable> {
        let text = text.strip_prefix('+').unwrap_or(text);
        let (path, value) = text.split_once(':').ok_or(Unsearchable)?;
        let path = path.strip_prefix("label.").ok_or(Unsearchable)?;
        let value = match value.strip_prefix('"') {
            Some(quoted) => quoted.strip_suffix('"').ok_or(Unsearchable)?,
            None => value,
        };
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        // A date is compared as a time, and a minus in front is a number.
        if path.is_empty() || value.is_empty() || !value.chars().all(plain) {
            return Err(Unsearchable);
        }
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(Unsearchable);
        }
        Ok(Self { path, value: value.to_owned() })
    }

    fn is_in(&self, value: &Value, path: &[String]) -> bool {
        match (value, path.split_first()) {
            (Value::Array(items), _) => items.iter().any(|item| self.is_in(item, path)),
            (Value::Object(fields), Some((first, rest))) => {
                fields.get(first).is_some_and(|field| self.is_in(field, rest))
            }
            (Value::String(text), None) => *text == self.value,
            (Value::Number(number), None) => {
                let asked = self.value.parse::<f64>();
                asked.is_ok_and(|asked| number.as_f64() == Some(asked))
            }
            (Value::Bool(flag), None) => self.value == if *flag { "T" } else { "F" },
            (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), Some(_))
            | (Value::Null | Value::Object(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query: &str, label: &str) -> bool {
        Query::read(query).expect(query).matches(&Label::read(label).unwrap())
    }

    #[test]
    fn a_label_is_an_object_of_bounded_length() {
        assert_eq!(Label::read("").unwrap().text(), "{}");
        assert_eq!(Label::read("null").unwrap().text(), "null");
        assert_eq!(Label::read(r#"{ "a": 1 }"#).unwrap().text(), r#"{ "a": 1 }"#);
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(LABEL_LEN_MAX));
        assert_eq!(Label::read(&long), Err(PartyError::LabelTooLong));
        let list = Label::read("[1]").unwrap_err().to_string();
        assert_eq!(
            list,
            "failed to unmarshal party label: json: cannot unmarshal array into Go value of type map[string]interface {}"
        );
        assert!(matches!(Label::read("{a"), Err(PartyError::Label(_))));
    }

    #[test]
    fn a_query_finds_exact_values() {
        let label = r#"{"mode":"ranked","rank":12,"deep":{"a":["x","y"]},"vip":true}"#;
        for query in [
            "",
            "*",
            "label.mode:ranked",
            "+label.mode:ranked +label.rank:12",
            "+label.deep.a:y",
            r#"label.mode:"ranked""#,
            "label.vip:T",
        ] {
            assert!(finds(query, label), "{query}");
        }
        for query in ["label.mode:Ranked", "+label.mode:ranked +label.rank:13", "label.deep:x"] {
            assert!(!finds(query, label), "{query}");
        }
    }

    #[test]
    fn a_query_that_needs_search_is_refused() {
        for query in [
            "ranked",
            "label.mode:rank*",
            "-label.mode:ranked",
            "label.rank:>=3",
            "label.mode:/r.*/",
            "label.mode:ranked label.rank:12",
            "open:T",
            "label.mode:ranked^2",
            "label.:x",
            "label.mode:",
            r#"label.mode:"two words""#,
        ] {
            assert_eq!(Query::read(query), Err(Unsearchable), "{query}");
        }
    }
}
