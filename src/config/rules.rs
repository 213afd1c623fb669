//! What a whole configuration must fulfil, after all sources are merged.

use super::{
    Config,
    error::{Source, Violation},
    key::{self, Key},
    load::Warning,
    value::Value,
};

/// Every rule that the configuration breaks; the server does not start on any.
pub(super) fn broken(config: &Config, origin: impl Fn(&str) -> Source) -> Vec<Violation> {
    let violation = |keys: &[&'static str], why: &str| Violation {
        keys: keys.iter().map(|key| (*key, origin(key))).collect(),
        why: why.to_owned(),
    };
    let of_keys = key::keys()
        .filter_map(|key| Some(violation(&[key.path], &broken_by(key, &(key.value)(config))?)));
    let public = key::keys()
        .filter(|key| config.production && key.secret && has_public_default(key, config))
        .map(|key| violation(&[key.path], "is known to everyone and refused in production"));
    let of_tree = across_keys(config).into_iter().map(|(keys, why)| violation(keys, why));
    of_keys.chain(public).chain(of_tree).collect()
}

/// Doubtful but permitted values.
pub(super) fn doubts(config: &Config) -> Vec<Warning> {
    key::keys()
        .filter(|key| has_public_default(key, config))
        .map(|key| Warning {
            key: key.path,
            what:
                "INSECURE DEFAULT, known to everyone; change it before anyone can reach this server"
                    .to_owned(),
        })
        .collect()
}

fn has_public_default(key: &Key, config: &Config) -> bool {
    key.rule.public_default && (key.value)(config) == key.default_value()
}

fn broken_by(key: &Key, value: &Value) -> Option<String> {
    let rule = key.rule;
    match value {
        Value::Int(number) if *number < rule.min => {
            Some(format!("must be at least {}, not {number}", rule.min))
        }
        Value::Int(number) if *number > rule.max => {
            Some(format!("must be at most {}, not {number}", rule.max))
        }
        Value::Text(text) if rule.required && text.is_empty() => {
            Some("must not be empty".to_owned())
        }
        Value::List(list) if rule.required && list.is_empty() => {
            Some("must have an entry".to_owned())
        }
        _ => None,
    }
}

/// Keys that do not go together, and why.
type Across = (&'static [&'static str], &'static str);

fn across_keys(config: &Config) -> Vec<Across> {
    let Config { session, socket, runtime, satori, .. } = config;
    let satori_parts = [
        !satori.url.is_empty(),
        !satori.api_key_name.is_empty(),
        !satori.api_key.is_empty(),
        !satori.signing_key.is_empty(),
    ];
    let rules: &[(bool, Across)] = &[
        (!(1..=16).contains(&config.name.len()), (&["name"], "must have 1 to 16 characters")),
        (
            session.encryption_key == session.refresh_encryption_key,
            (&["session.encryption_key", "session.refresh_encryption_key"], "must differ"),
        ),
        (
            session.single_match && !session.single_socket,
            (&["session.single_match", "session.single_socket"], "one match needs one socket"),
        ),
        (
            session.single_party && !session.single_socket,
            (&["session.single_party", "session.single_socket"], "one party needs one socket"),
        ),
        (
            socket.ping_period_ms >= socket.pong_wait_ms,
            (
                &["socket.ping_period_ms", "socket.pong_wait_ms"],
                "the first must be less than the second",
            ),
        ),
        (
            socket.ssl_certificate.is_empty() != socket.ssl_private_key.is_empty(),
            (&["socket.ssl_certificate", "socket.ssl_private_key"], "give both or neither"),
        ),
        (
            runtime.effective_lua_min_count() > runtime.effective_lua_max_count(),
            (
                &[
                    "runtime.lua_min_count",
                    "runtime.min_count",
                    "runtime.lua_max_count",
                    "runtime.max_count",
                ],
                "the first must not exceed the second",
            ),
        ),
        (
            runtime.js_min_count > runtime.js_max_count,
            (
                &["runtime.js_min_count", "runtime.js_max_count"],
                "the first must not exceed the second",
            ),
        ),
        (
            runtime.registry_size != 0 && runtime.registry_size < 128,
            (&["runtime.registry_size"], "must be at least 128"),
        ),
        (
            !config.cores.is_empty()
                && config.shards != 0
                && config.cores.len() != usize::from(config.shards),
            (&["shards", "cores"], "there must be one core for each shard"),
        ),
        (
            !is_username(&config.console.username),
            (
                &["console.username"],
                "must have 3 characters or more, and begin and end with a letter or digit",
            ),
        ),
        (
            !matches!(config.mfa.storage_encryption_key.expose().len(), 0 | 32),
            (&["mfa.storage_encryption_key"], "must have 32 bytes"),
        ),
        (
            satori_parts.contains(&true) && satori_parts.contains(&false),
            (
                &["satori.url", "satori.api_key_name", "satori.api_key", "satori.signing_key"],
                "give all of them or none",
            ),
        ),
    ];
    rules.iter().filter(|(is_broken, _)| *is_broken).map(|(_, rule)| *rule).collect()
}

/// At least three characters: a letter or digit at both ends, and one of those, `.` or `_` second.
fn is_username(name: &str) -> bool {
    let bytes = name.as_bytes();
    matches!(bytes, [first, second, .., last] if first.is_ascii_alphanumeric()
        && (second.is_ascii_alphanumeric() || b"._".contains(second))
        && last.is_ascii_alphanumeric())
        && bytes.len() >= 3
}
