//! Shows the configuration to people: as YAML for `check`, as a list of flags for `--help`.

use std::fmt::Write;

use super::{
    error::Source,
    key::{self, Usage},
    load::Loaded,
    value::Value,
};

/// The effective configuration as YAML, secrets hidden, with a comment where a value is not a default.
pub fn effective_yaml(loaded: &Loaded) -> String {
    let mut out = String::new();
    let mut open: Vec<&str> = Vec::new();
    for key in key::keys() {
        let mut parts: Vec<&str> = key.path.split('.').collect();
        let Some(leaf) = parts.pop() else { continue };
        let shared = open.iter().zip(&parts).take_while(|(a, b)| a == b).count();
        for (depth, section) in parts.iter().enumerate().skip(shared) {
            let _ = writeln!(out, "{}{section}:", "  ".repeat(depth));
        }
        let comment = match loaded.origin(key) {
            Source::Default => String::new(),
            origin => format!("  # {origin}"),
        };
        let value = yaml(&key.shown(&loaded.config));
        let _ = writeln!(out, "{}{leaf}: {value}{comment}", "  ".repeat(parts.len()));
        open = parts;
    }
    out
}

/// A value on one line. JSON is YAML, and leaves no doubt about what is text.
fn yaml(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Text(text) => quoted(text),
        Value::List(list) => {
            let entries: Vec<_> = list.iter().map(|entry| quoted(entry)).collect();
            format!("[{}]", entries.join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Every key with its type, default, environment variable and meaning.
pub fn help() -> String {
    let mut out = String::new();
    for key in key::keys() {
        let default = match key.default_value() {
            _ if key.path == "data_dir" => "./data".to_owned(),
            value => yaml(&value),
        };
        let _ = writeln!(
            out,
            "  --{} {} (default {default}, {})",
            key.path,
            key.kind.name(),
            key.env_name()
        );
        let mut doc = key.doc().to_owned();
        if !key.choices.is_empty() {
            let _ = write!(doc, " One of {}.", key.choices.join(", "));
        }
        let _ = match key.rule.usage {
            Usage::Used => Ok(()),
            Usage::Ignored(why) => write!(doc, " Accepted, without effect: {why}."),
            Usage::NotBuilt(what) => write!(doc, " Without effect until {what} is built."),
            Usage::Deprecated(instead) => write!(doc, " Deprecated: use {instead}."),
        };
        let _ = writeln!(out, "        {doc}");
    }
    out
}
