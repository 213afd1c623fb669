//! Reads command-line flags: `--key value`, `--key=value`, and the same with one dash.

use super::{
    error::{ConfigError, Source},
    key::{self, Key},
    value::{Kind, Value, parse_bool},
};

/// Reads all arguments. A list's values are collected in order; of other keys the last one wins.
pub(super) fn read(args: &[String]) -> Result<Vec<(&'static Key, Value)>, ConfigError> {
    let mut values: Vec<(&'static Key, Value)> = Vec::new();
    let mut args = args.iter().peekable();
    while let Some(arg) = args.next() {
        let name = arg
            .strip_prefix("--")
            .or_else(|| arg.strip_prefix('-'))
            .filter(|name| !name.is_empty())
            .ok_or_else(|| ConfigError::StrayArgument(arg.clone()))?;
        let (name, inline) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (name, None),
        };
        let source = || Source::Flag(name.to_owned());
        let key = key::find(name).ok_or_else(|| ConfigError::unknown(source(), name))?;
        let text = match (inline, key.kind) {
            (Some(text), _) => text,
            // A bool needs no value: `--session.single_socket` turns it on.
            (None, Kind::Bool) => {
                args.next_if(|next| parse_bool(next).is_some()).map_or("true", String::as_str)
            }
            (None, _) => {
                args.next().ok_or_else(|| ConfigError::MissingValue { flag: name.to_owned() })?
            }
        };
        let value =
            key.kind.parse(text).map_err(|misfit| ConfigError::misfit(source(), key, misfit))?;
        let earlier = values.iter_mut().find(|(earlier, _)| earlier.path == key.path);
        match (earlier, value) {
            (Some((_, Value::List(list))), Value::List(more)) => list.extend(more),
            (Some((_, earlier)), value) => *earlier = value,
            (None, value) => values.push((key, value)),
        }
    }
    Ok(values)
}
