//! What a protobuf socket is sent. Every envelope that decodes can be written as JSON.
#![no_main]

use kakera_proto::{
    json::{self, Unknown, Unset},
    realtime::Envelope,
};
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(|data: &[u8]| {
    if let Ok(envelope) = Envelope::decode(data) {
        let written = json::to_vec(&envelope, Unset::Omit);
        let _ = json::from_slice::<Envelope>(&written, Unknown::Refuse);
    }
});
