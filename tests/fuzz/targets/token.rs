//! A bearer token from a stranger: nothing that we did not sign is let in.
#![no_main]

use kakera::auth::token::Tokens;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static TOKENS: Tokens = Tokens::new(("a key", 60), ("another", 3600)).expect("the keys are keys");
}

fuzz_target!(|data: &str| {
    TOKENS.with(|tokens| {
        assert!(tokens.verify_session(data, 0).is_none());
        assert!(tokens.verify_refresh(data, 0).is_none());
    });
});
