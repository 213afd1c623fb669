//! What is sent to a stream, encoded at most once per format and framed for the socket.

use std::sync::OnceLock;

use kakera_proto::{json, realtime::Envelope, table::Described};
use prost::Message;

use crate::net::WireFrame;

/// How a session's socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Text frames of proto3 JSON.
    Json,
    /// Binary frames of protobuf.
    Protobuf,
}

/// Which formats the recipients of a message speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Formats {
    pub json: bool,
    pub protobuf: bool,
}

impl Formats {
    pub fn any(self) -> bool {
        self.json || self.protobuf
    }

    /// Adds what is in `other`.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { json: self.json || other.json, protobuf: self.protobuf || other.protobuf }
    }
}

impl From<Format> for Formats {
    fn from(format: Format) -> Self {
        Self { json: format == Format::Json, protobuf: format == Format::Protobuf }
    }
}

/// Whole WebSocket frames of one message, shared by all its recipients on all shards.
#[derive(Clone, Default)]
pub struct Outgoing {
    json: Option<WireFrame>,
    protobuf: Option<WireFrame>,
}

impl Outgoing {
    /// Encodes the envelope for the formats that are asked for. JSON is translated from the protobuf
    /// encoding, so the envelope itself is walked once.
    pub fn encode(envelope: &Envelope, formats: Formats) -> Self {
        if !formats.any() {
            return Self::default();
        }
        let encoded = envelope.encode_to_vec();
        Self {
            json: formats.json.then(|| json_frame(&encoded)),
            protobuf: formats.protobuf.then(|| WireFrame::binary(&encoded)),
        }
    }

    /// The frame for a recipient, if somebody of that format was expected.
    pub fn get(&self, format: Format) -> Option<&WireFrame> {
        match format {
            Format::Json => self.json.as_ref(),
            Format::Protobuf => self.protobuf.as_ref(),
        }
    }
}

/// A message whose recipients' formats are not known where it is sent: the first shard that needs a
/// format encodes it for all.
pub struct LazyFrames {
    encoded: Vec<u8>,
    json: OnceLock<WireFrame>,
    protobuf: OnceLock<WireFrame>,
}

impl LazyFrames {
    pub fn new(envelope: &Envelope) -> Self {
        Self { encoded: envelope.encode_to_vec(), json: OnceLock::new(), protobuf: OnceLock::new() }
    }

    /// The frame for a recipient.
    pub fn get(&self, format: Format) -> &WireFrame {
        match format {
            Format::Json => self.json.get_or_init(|| json_frame(&self.encoded)),
            Format::Protobuf => self.protobuf.get_or_init(|| WireFrame::binary(&self.encoded)),
        }
    }
}

/// Encodes and frames one envelope for one session.
pub fn frame(envelope: &Envelope, format: Format) -> WireFrame {
    let encoded = envelope.encode_to_vec();
    match format {
        Format::Json => json_frame(&encoded),
        Format::Protobuf => WireFrame::binary(&encoded),
    }
}

fn json_frame(encoded: &[u8]) -> WireFrame {
    let mut text = Vec::with_capacity(encoded.len() + encoded.len() / 2 + 32);
    let written = json::append_encoded(&mut text, Envelope::MESSAGE, encoded, json::Unset::Omit);
    debug_assert!(written.is_ok(), "what prost wrote can be read");
    WireFrame::text(&text)
}
