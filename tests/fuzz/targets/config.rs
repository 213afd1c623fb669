//! A configuration file of any content: read, or refused with a message.
#![no_main]

use std::io::Write;

use kakera::config::{Sources, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let path = std::env::temp_dir().join(format!("kakera-fuzz-{}.yml", std::process::id()));
    std::fs::File::create(&path).and_then(|mut file| file.write_all(data)).expect("a temporary file");
    let args = vec!["--config".to_owned(), path.display().to_string()];
    if let Err(error) = load(Sources { args, variables: Vec::new() }) {
        assert!(!error.to_string().is_empty());
    }
});
