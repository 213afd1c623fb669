//! `kakera check`: is the configuration valid, and what does it amount to?

use kakera::config::{self, Loaded};

pub(super) fn run(loaded: &Loaded) {
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    print!("{}", config::effective_yaml(loaded));
}
