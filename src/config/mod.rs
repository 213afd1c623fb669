//! The configuration: a tree of typed values, read from YAML files, environment and flags.
//!
//! Each key is declared once, in `sections/`, with its type, default, meaning and rule; the names of
//! flags and variables, the reading of YAML, `kakera check` and `--help` follow from that. Names, types
//! and defaults are those of the Nakama 3.40 server where it has the key.
//!
//! ```text
//! flags > KAKERA_… variables > files (later > earlier) > profile of the host > defaults
//! ```

mod environment;
mod error;
mod flags;
mod key;
mod load;
mod rules;
mod sections;
mod show;
#[cfg(test)]
mod tests;
mod types;
mod value;
mod yaml;

use std::path::Path;

pub use error::{ConfigError, Source, Violation};
pub use key::{ENV_PREFIX, Key, Rule, Usage, find, keys};
pub use load::{Loaded, Sources, Warning, load};
pub use sections::*;
pub use show::{effective_yaml, help};
pub use types::{
    DatabaseAddress, DatabaseDriver, Environment, ExtraHeaders, HIDDEN, LogFormat, LogLevel,
    SatoriCacheMode, Secret, SocketProtocol,
};
pub use value::{Kind, Value};

impl Default for Config {
    fn default() -> Self {
        let mut config = Self::declared();
        config.fill_paths();
        config
    }
}

impl Config {
    /// Puts what follows from the data folder into the paths that are empty.
    fn fill_paths(&mut self) {
        let data = Path::new(&self.data_dir);
        for (path, name) in
            [(&mut self.database.path, "kakera.db"), (&mut self.runtime.path, "modules")]
        {
            if path.is_empty() {
                *path = data.join(name).to_string_lossy().into_owned();
            }
        }
    }
}
