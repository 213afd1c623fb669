//! A bearer token from a stranger: nothing that we did not sign is let in.
#![no_main]

use kakera::auth::token::Tokens;
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

fuzz_target!(|data: &str| {
    static TOKENS: OnceLock<Tokens> = OnceLock::new();
    let tokens = TOKENS.get_or_init(|| Tokens::new(("a key", 60), ("another", 3600)).expect("keys"));
    assert!(tokens.verify_session(data, 0).is_none());
    assert!(tokens.verify_refresh(data, 0).is_none());
});
