//! What can be wrong with a configuration, and where it stands.

use std::{fmt, path::PathBuf};

use super::{key, value::Misfit};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Default,
    File(PathBuf),
    /// A place in a file; lines count from 1.
    Line(PathBuf, usize),
    Variable(String),
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Line(path, line) => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// Why the configuration cannot be used. No message holds the value of a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{source_of}: there is no key {key:?}{}", suggestion(key, *.nearest))]
    UnknownKey { source_of: Source, key: String, nearest: Option<&'static str> },

    #[error("{source_of}: {key} takes {wanted}, not {got}")]
    WrongType { source_of: Source, key: String, wanted: String, got: String },

    #[error("{source_of}: {key} is given twice")]
    DuplicateKey { source_of: Source, key: String },

    #[error("{source_of}: {why}")]
    Yaml { source_of: Source, why: String },

    #[error("cannot read {path}: {why}")]
    Unreadable { path: PathBuf, why: String },

    #[error("profile: {0}")]
    NoProfile(String),

    #[error("flag --{flag} needs a value")]
    MissingValue { flag: String },

    #[error("unexpected argument {0:?}; flags begin with a dash")]
    StrayArgument(String),

    #[error("the environment variable {0} is not UTF-8")]
    NotText(String),

    /// All rules that the merged configuration breaks.
    #[error("{}", list(.0))]
    Rules(Vec<Violation>),
}

/// A rule that the merged configuration breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The keys it is about, and where their values come from.
    pub keys: Vec<(&'static str, Source)>,
    pub why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, source)) in self.keys.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{key} ({source})")?;
        }
        write!(f, ": {}", self.why)
    }
}

impl ConfigError {
    pub(super) fn unknown(source_of: Source, key: &str) -> Self {
        Self::UnknownKey { source_of, key: key.to_owned(), nearest: key::nearest(key) }
    }

    pub(super) fn misfit(source_of: Source, key: &key::Key, misfit: Misfit) -> Self {
        let got = if key.secret { "what is given".to_owned() } else { misfit.got };
        Self::WrongType { source_of, key: key.path.to_owned(), wanted: misfit.wanted, got }
    }
}

fn suggestion(key: &str, nearest: Option<&'static str>) -> String {
    match nearest {
        Some(nearest) if nearest == key => {
            format!("; write it nested, as {}", nearest.replace('.', ": "))
        }
        Some(nearest) => format!("; the nearest one is {nearest}"),
        None => String::new(),
    }
}

fn list(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
