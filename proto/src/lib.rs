//! The public Nakama protocol: its messages as prost types, their JSON, and the routes of its calls.
//!
//! The `.proto` files under `proto/` are the source. `build.rs` makes prost types of them and a
//! [`table`] that describes each message; [`json`] translates between JSON and the protobuf encoding
//! by that table, so the same types serve sockets (strict), HTTP (lenient) and the console (complete).

#![forbid(unsafe_code)]

mod invalid;
pub mod json;
pub mod routes;
pub mod table;
mod wire;

pub use invalid::Invalid;
pub use prost_types::{Struct, Timestamp};

/// The compiled `.proto` files, as an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Package `nakama.api`: the request interface.
///
/// `google.protobuf` wrappers are plain `Option`s, `google.protobuf.Empty` is `()`.
#[allow(clippy::all, clippy::pedantic)]
pub mod api {
    include!(concat!(env!("OUT_DIR"), "/nakama.api.rs"));
}

/// Package `nakama.realtime`: what sockets carry, one [`realtime::Envelope`] a message.
#[allow(clippy::all, clippy::pedantic)]
pub mod realtime {
    include!(concat!(env!("OUT_DIR"), "/nakama.realtime.rs"));
}

/// Package `nakama.console`: the console's calls.
#[allow(clippy::all, clippy::pedantic)]
pub mod console {
    include!(concat!(env!("OUT_DIR"), "/nakama.console.rs"));
}
