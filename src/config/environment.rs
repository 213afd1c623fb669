//! Reads `KAKERA_…` environment variables.
//!
//! A list is written as YAML (`[a, b]`) or as one entry a line; a list of numbers also with commas.

use std::ffi::{OsStr, OsString};

use super::{
    error::{ConfigError, Source},
    key::{self, ENV_PREFIX, Key},
    value::{Kind, Value},
};

/// Reads the variables that begin with our prefix; all others are not ours to judge.
pub(super) fn read(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(&'static Key, String, Value)>, ConfigError> {
    let mut values = Vec::new();
    for (name, text) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(ENV_PREFIX)) else {
            continue;
        };
        if is_service_link(name, &text) {
            continue;
        }
        let Some(key) = key::keys().find(|key| key.env_name() == name) else {
            return Err(unknown(name));
        };
        let text = text.to_str().ok_or_else(|| ConfigError::NotText(name.to_owned()))?;
        let value = parse(key.kind, text).map_err(|misfit| {
            ConfigError::misfit(Source::Variable(name.to_owned()), key, misfit)
        })?;
        values.push((key, name.to_owned(), value));
    }
    Ok(values)
}

fn parse(kind: Kind, text: &str) -> Result<Value, super::value::Misfit> {
    if !kind.is_list() {
        return kind.parse(text);
    }
    if text.trim_start().starts_with('[')
        && let Ok(list) = serde_norway::from_str::<Vec<String>>(text)
    {
        return Ok(Value::List(list));
    }
    let comma = kind == Kind::NumberList;
    let entries = text.split(|c| c == '\n' || (comma && c == ',')).map(str::trim);
    Ok(Value::List(entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect()))
}

fn unknown(name: &str) -> ConfigError {
    let nearest = key::keys()
        .map(|key| (strsim::jaro_winkler(name, &key.env_name()), key.path))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(score, _)| *score > 0.85)
        .map(|(_, path)| path);
    ConfigError::UnknownKey {
        source_of: Source::Variable(name.to_owned()),
        key: name.trim_start_matches(ENV_PREFIX).to_ascii_lowercase(),
        nearest,
    }
}

/// Kubernetes tells every container where services are: a service named `kakera` or `kakera-console`
/// yields `KAKERA_SERVICE_HOST`, `KAKERA_CONSOLE_PORT=tcp://…` and the like, which nobody wrote.
fn is_service_link(name: &str, text: &OsStr) -> bool {
    let is_address = text
        .to_str()
        .is_some_and(|text| ["tcp://", "udp://", "sctp://"].iter().any(|s| text.starts_with(s)));
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && is_address)
        || ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| {
            let link = name.split_once("_PORT_").map_or("", |(_, link)| link);
            link.ends_with(protocol) || link.contains(&format!("{protocol}_"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(name: &str, text: &str) -> Result<Vec<(&'static Key, String, Value)>, ConfigError> {
        read([(OsString::from(name), OsString::from(text))])
    }

    #[test]
    fn lists_are_yaml_or_lines_and_numbers_may_have_commas() {
        let list = |name, text| match read_one(name, text).unwrap().remove(0).2 {
            Value::List(list) => list,
            other => panic!("{other}"),
        };
        assert_eq!(list("KAKERA_RUNTIME_ENV", "[A=1, 'B=x,y']"), ["A=1", "B=x,y"]);
        assert_eq!(list("KAKERA_RUNTIME_ENV", "A=1,2\nB=2\n"), ["A=1,2", "B=2"]);
        assert_eq!(list("KAKERA_CORES", "0, 2"), ["0", "2"]);
        assert_eq!(list("KAKERA_CORES", ""), [""; 0]);
    }

    #[test]
    fn variables_of_others_and_service_links_are_passed_over() {
        for (name, text) in [
            ("PATH", "/bin"),
            ("KAKERA_SERVICE_HOST", "10.0.0.1"),
            ("KAKERA_SERVICE_PORT_GRPC", "7349"),
            ("KAKERA_PORT", "tcp://10.0.0.1:7350"),
            ("KAKERA_PORT_7350_TCP_ADDR", "10.0.0.1"),
            ("KAKERA_CONSOLE_PORT", "tcp://10.0.0.1:7351"),
        ] {
            assert_eq!(read_one(name, text).unwrap().len(), 0, "{name}");
        }
        assert_eq!(read_one("KAKERA_CONSOLE_PORT", "7351").unwrap().len(), 1);
    }

    #[test]
    fn an_unknown_variable_names_the_nearest_key() {
        let error = read_one("KAKERA_SOCKET_SERVERKEY", "x").unwrap_err().to_string();
        assert!(
            error.contains("KAKERA_SOCKET_SERVERKEY") && error.contains("socket.server_key"),
            "{error}"
        );
    }
}
