//! Merges the sources: flags win over the environment, that over files, a later file over an earlier
//! one, and all of them over the defaults.

use std::{collections::HashMap, ffi::OsString, fmt, path::PathBuf};

use kakera_tuning::profile;

use super::{
    Config, environment,
    error::{ConfigError, Source},
    flags,
    key::{self, Key, Usage},
    rules,
    types::DatabaseDriver,
    value::Value,
    yaml,
};

/// What the configuration is read from, so that tests need not touch the process.
#[derive(Debug, Default)]
pub struct Sources {
    /// Arguments after the subcommand.
    pub args: Vec<String>,
    pub variables: Vec<(OsString, OsString)>,
}

impl Sources {
    /// The arguments given, and the environment of this process.
    pub fn of_process(args: Vec<String>) -> Self {
        Self { args, variables: std::env::vars_os().collect() }
    }
}

/// A valid configuration, where its values come from, and what should be said about them.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<Warning>,
    origins: HashMap<&'static str, Source>,
}

impl Loaded {
    /// Where the value of a key comes from.
    pub fn origin(&self, key: &Key) -> &Source {
        self.origins.get(key.path).unwrap_or(&Source::Default)
    }
}

/// Something about a key that the operator should know, though the server starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub key: &'static str,
    pub what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// Reads all sources and checks all rules.
pub fn load(sources: Sources) -> Result<Loaded, ConfigError> {
    let mut merge = Merge { config: Config::declared(), origins: HashMap::new() };
    let flags = flags::read(&sources.args)?;
    let variables = environment::read(sources.variables)?;

    let mut files = Vec::new();
    for path in file_names(&flags, &variables) {
        files.push(File::read(PathBuf::from(path))?);
    }
    if let Some(name) = profile_name(&flags, &variables, &files) {
        let text =
            profile::load(&name).map_err(|error| ConfigError::NoProfile(error.to_string()))?;
        merge.take_file(File::parse(PathBuf::from(name), &text)?)?;
    }
    for file in files {
        merge.take_file(file)?;
    }
    for (key, name, value) in variables {
        merge.take(key, value, Source::Variable(name))?;
    }
    for (key, value) in flags {
        merge.take(key, value, Source::Flag(key.path.to_owned()))?;
    }
    merge.finish()
}

/// The files to read: those that the flags name, else those that the environment names.
fn file_names(
    flags: &[(&'static Key, Value)],
    variables: &[(&'static Key, String, Value)],
) -> Vec<String> {
    let in_flags = flags.iter().map(|(key, value)| (key, value));
    let in_variables = variables.iter().map(|(key, _, value)| (key, value));
    in_flags
        .chain(in_variables)
        .find_map(|(key, value)| match value {
            Value::List(files) if key.path == "config" => Some(files.clone()),
            _ => None,
        })
        .unwrap_or_default()
}

/// The profile that the strongest source names, if one does.
fn profile_name(
    flags: &[(&'static Key, Value)],
    variables: &[(&'static Key, String, Value)],
    files: &[File],
) -> Option<String> {
    let in_flags = flags.iter().map(|(key, value)| (key, value));
    let in_variables = variables.iter().map(|(key, _, value)| (key, value));
    let in_files =
        files.iter().rev().flat_map(|file| &file.values).map(|(key, value)| (key, value));
    in_flags.chain(in_variables).chain(in_files).find_map(|(key, value)| match value {
        Value::Text(name) if key.path == "profile" && !name.is_empty() => Some(name.clone()),
        _ => None,
    })
}

/// What a file says.
struct File {
    path: PathBuf,
    values: Vec<(&'static Key, Value)>,
}

impl File {
    fn read(path: PathBuf) -> Result<Self, ConfigError> {
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) => Err(ConfigError::Unreadable { path, why: error.to_string() }),
        }
    }

    fn parse(path: PathBuf, text: &str) -> Result<Self, ConfigError> {
        let values = yaml::read(&path, text)?;
        Ok(Self { path, values })
    }
}

struct Merge {
    config: Config,
    origins: HashMap<&'static str, Source>,
}

impl Merge {
    fn take_file(&mut self, file: File) -> Result<(), ConfigError> {
        for (key, value) in file.values {
            self.take(key, value, Source::File(file.path.clone()))?;
        }
        Ok(())
    }

    fn take(&mut self, key: &'static Key, value: Value, source: Source) -> Result<(), ConfigError> {
        (key.set)(&mut self.config, value)
            .map_err(|misfit| ConfigError::misfit(source.clone(), key, misfit))?;
        self.origins.insert(key.path, source);
        Ok(())
    }

    fn finish(mut self) -> Result<Loaded, ConfigError> {
        let is_given = |key: &str| self.origins.contains_key(key);
        if is_given("database.address") && !is_given("database.driver") {
            self.config.database.driver = DatabaseDriver::Postgres;
        }
        let origin = |key: &str| self.origins.get(key).cloned().unwrap_or(Source::Default);
        let broken = rules::broken(&self.config, origin);
        if !broken.is_empty() {
            return Err(ConfigError::Rules(broken));
        }
        let mut warnings = rules::doubts(&self.config);
        warnings.extend(key::keys().filter(|key| is_given(key.path)).filter_map(without_effect));
        warnings.sort_by_key(|warning| warning.key);
        self.config.fill_paths();
        Ok(Loaded { config: self.config, warnings, origins: self.origins })
    }
}

fn without_effect(key: &'static Key) -> Option<Warning> {
    let what = match key.rule.usage {
        Usage::Used => return None,
        Usage::Ignored(why) => format!("has no meaning here: {why}"),
        Usage::NotBuilt(what) => format!("has no effect yet: {what} is not built"),
        Usage::Deprecated(instead) => format!("is deprecated, use {instead}"),
    };
    Some(Warning { key: key.path, what })
}
