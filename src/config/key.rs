//! The table of keys. Flags, environment names, YAML reading, `check` and help all come from it.

use super::{
    Config,
    value::{Kind, Misfit, Value},
};

/// One key of the configuration, as declared in its section.
pub struct Key {
    /// The dotted name: the flag, and the path in YAML.
    pub path: &'static str,
    pub kind: Kind,
    /// Whether its values stay out of messages.
    pub secret: bool,
    /// The words it takes, where it takes only some.
    pub choices: &'static [&'static str],
    /// What it sets, with unit and bounds.
    pub(super) doc: &'static str,
    pub rule: Rule,
    pub(super) default: fn() -> Value,
    pub(super) value: fn(&Config) -> Value,
    pub(super) shown: fn(&Config) -> Value,
    pub(super) set: fn(&mut Config, Value) -> Result<(), Misfit>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("path", &self.path)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// The environment variable that sets it.
    pub fn env_name(&self) -> String {
        format!("{ENV_PREFIX}{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    pub fn doc(&self) -> &'static str {
        self.doc.trim()
    }

    /// The value when no source gives one.
    pub fn default_value(&self) -> Value {
        (self.default)()
    }

    /// The value as people may see it: secrets are hidden.
    pub fn shown(&self, config: &Config) -> Value {
        (self.shown)(config)
    }
}

/// What every environment variable of ours begins with.
pub const ENV_PREFIX: &str = "KAKERA_";

/// What a key's value must be, and what it means here.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub min: i64,
    pub max: i64,
    pub required: bool,
    /// The default is known to everyone, so it must not be used in production.
    pub public_default: bool,
    pub usage: Usage,
    /// Not a key of the reference server.
    pub ours: bool,
}

impl Rule {
    pub(super) const NONE: Self = Self {
        min: 0,
        max: i64::MAX,
        required: false,
        public_default: false,
        usage: Usage::Used,
        ours: false,
    };

    pub(super) const fn at_least(self, min: i64) -> Self {
        Self { min, ..self }
    }

    pub(super) const fn at_most(self, max: i64) -> Self {
        Self { max, ..self }
    }

    pub(super) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) const fn public_default(self) -> Self {
        Self { public_default: true, ..self }
    }

    pub(super) const fn ignored(self, why: &'static str) -> Self {
        Self { usage: Usage::Ignored(why), ..self }
    }

    pub(super) const fn not_built(self, what: &'static str) -> Self {
        Self { usage: Usage::NotBuilt(what), ..self }
    }

    pub(super) const fn deprecated(self, instead: &'static str) -> Self {
        Self { usage: Usage::Deprecated(instead), ..self }
    }

    pub(super) const fn ours(self) -> Self {
        Self { ours: true, ..self }
    }
}

/// Whether setting the key has an effect. Whatever has none is accepted with a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    Used,
    /// It has no meaning in this server, and this says why.
    Ignored(&'static str),
    /// What it configures is not built yet.
    NotBuilt(&'static str),
    /// It works, but another key replaces it.
    Deprecated(&'static str),
}

/// Every key, in the order of help and `check`.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    super::sections::ALL.iter().flat_map(|section| section.iter())
}

/// The key of that dotted name.
pub fn find(path: &str) -> Option<&'static Key> {
    keys().find(|key| key.path == path)
}

/// Whether some key lies below that path, as `socket` and `social.steam` do.
pub(super) fn is_section(path: &str) -> bool {
    keys().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The valid name most like a wrong one, if any is like it at all.
pub(super) fn nearest(wrong: &str) -> Option<&'static str> {
    let leaf = wrong.rsplit('.').next().unwrap_or(wrong);
    let likeness = |path: &str| {
        // A right key in the wrong section is near as well.
        let same_leaf = path.rsplit('.').next() == Some(leaf);
        strsim::jaro_winkler(wrong, path).max(if same_leaf { 0.95 } else { 0.0 })
    };
    // Of two that are as near, the one declared first is the more likely one.
    keys()
        .map(|key| (likeness(key.path), key.path))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .filter(|(score, _)| *score > 0.75)
        .map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn flags_and_environment_names_are_unique() {
        let (mut paths, mut variables) = (HashSet::new(), HashSet::new());
        for key in keys() {
            assert!(paths.insert(key.path), "{} is declared twice", key.path);
            assert!(variables.insert(key.env_name()), "{} names two keys", key.env_name());
            assert!(key.doc().len() > 10, "{} says too little", key.path);
        }
    }

    #[test]
    fn every_default_obeys_its_own_rule() {
        for key in keys() {
            let default = key.default_value();
            if let Value::Int(number) = default {
                assert!((key.rule.min..=key.rule.max).contains(&number), "{}", key.path);
            }
            if let (true, Value::Text(text)) = (key.rule.required, default) {
                assert!(!text.is_empty(), "{}", key.path);
            }
        }
    }

    #[test]
    fn a_misspelt_key_finds_the_one_meant() {
        assert_eq!(nearest("socket.sever_key"), Some("socket.server_key"));
        assert_eq!(nearest("server_key"), Some("socket.server_key"));
        assert_eq!(nearest("sesion.token_expiry_sec"), Some("session.token_expiry_sec"));
        assert_eq!(nearest("zzzz"), None);
    }
}
