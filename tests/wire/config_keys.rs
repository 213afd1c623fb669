//! Compares the table of configuration keys with the reference server's, as data:
//! `cargo run --example config-keys -- FOLDER`, where FOLDER holds `config.json`.
//!
//! Every key there must exist here with the same path, type and default, and refuse what the reference
//! refuses; every key here that is not there must be declared as ours. It fails when there is no such
//! file, and is a check of what we claim, not a part of building or testing.

use std::{collections::HashSet, path::Path, process::ExitCode};

use kakera::config::{self, Key, Value, keys};
use serde_json::Value as Json;

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: config-keys FOLDER");
        return ExitCode::FAILURE;
    };
    match differences(Path::new(&folder)) {
        Ok((compared, differences)) if differences.is_empty() => {
            println!("{compared} keys and rules agree");
            ExitCode::SUCCESS
        }
        Ok((_, differences)) => {
            for difference in &differences {
                eprintln!("{difference}");
            }
            eprintln!("{} differences", differences.len());
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("cannot compare: {why}");
            ExitCode::FAILURE
        }
    }
}

fn differences(folder: &Path) -> Result<(usize, Vec<String>), String> {
    let file = folder.join("config.json");
    let text =
        std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let reference: Json = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let list = |pointer: &str| -> Result<&Vec<Json>, String> {
        reference.pointer(pointer).and_then(Json::as_array).ok_or(format!("{pointer} is missing"))
    };
    let (theirs, rules) = (list("/keys")?, list("/rules/startup_fatal")?);
    if theirs.len() < 100 || rules.len() < 30 {
        return Err(format!(
            "only {} keys and {} rules: the file is not whole",
            theirs.len(),
            rules.len()
        ));
    }

    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for key in theirs {
        let flag = key["flag"].as_str().ok_or("a key has no flag")?;
        if key["only_for"].is_string() {
            continue; // A flag of `migrate`, which the command line knows by itself.
        }
        seen.insert(flag.to_owned());
        match config::find(flag) {
            Some(ours) => found.extend(difference(ours, key)),
            None => found.push(format!("{flag}: missing")),
        }
    }
    for key in keys().filter(|key| !seen.contains(key.path) && !key.rule.ours) {
        found.push(format!(
            "{}: the reference has no such key, and it is not declared as ours",
            key.path
        ));
    }
    for key in keys().filter(|key| seen.contains(key.path) && key.rule.ours) {
        found.push(format!("{}: declared as ours, but the reference has it", key.path));
    }
    for rule in rules {
        let path = rule["key"].as_str().ok_or("a rule has no key")?;
        let condition = rule["fatal_if"].as_str().ok_or("a rule has no condition")?;
        found.extend(missing_rule(path, condition)?);
    }
    Ok((theirs.len() + rules.len(), found))
}

fn difference(ours: &Key, theirs: &Json) -> Option<String> {
    let yaml: Vec<_> = theirs["yaml"].as_array()?.iter().filter_map(Json::as_str).collect();
    if yaml.join(".") != ours.path {
        return Some(format!(
            "{}: stands at {} in the reference's YAML",
            ours.path,
            yaml.join(".")
        ));
    }
    if theirs["type"] != ours.kind.name() {
        return Some(format!("{}: type {}, not {}", ours.path, ours.kind.name(), theirs["type"]));
    }
    let here = std::env::current_dir().unwrap_or_default().to_string_lossy().into_owned();
    let default = match ours.default_value() {
        Value::Bool(value) => Json::from(value),
        Value::Int(value) => Json::from(value),
        Value::Text(text) => Json::from(text.replace(&here, "<working directory>")),
        Value::List(list) => Json::from(list),
    };
    (theirs["default"] != default)
        .then(|| format!("{}: default {default}, not {}", ours.path, theirs["default"]))
}

fn missing_rule(path: &str, condition: &str) -> Result<Option<String>, String> {
    let Some(key) = config::find(path) else { return Ok(Some(format!("{path}: missing"))) };
    let holds = match condition.strip_prefix("< ") {
        Some(number) => {
            key.rule.min >= number.parse().map_err(|_| format!("{path}: odd rule {condition}"))?
        }
        None if condition == "empty" => key.rule.required,
        None => return Err(format!("{path}: odd rule {condition}")),
    };
    Ok((!holds).then(|| format!("{path}: must refuse {condition}")))
}
