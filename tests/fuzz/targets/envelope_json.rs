//! What a JSON socket is sent. What is read must survive being written and read again.
#![no_main]

use kakera_proto::{
    json::{self, Unknown, Unset},
    realtime::Envelope,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(envelope) = json::from_slice::<Envelope>(data, Unknown::Refuse) {
        let written = json::to_vec(&envelope, Unset::Omit);
        let again = json::from_slice::<Envelope>(&written, Unknown::Refuse).expect("what was written reads");
        // Written twice rather than compared: NaN differs from itself.
        assert_eq!(written, json::to_vec(&again, Unset::Omit));
    }
});
