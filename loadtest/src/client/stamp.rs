//! Marks in a message that tell when it was due, found where they lie without decoding the message.

use std::time::{Duration, Instant};

use memchr::memmem::Finder;

/// The marks are made of base64's alphabet, so that match data carries them in JSON as they are.
const MARK: &[u8] = b"due+";
/// Nanoseconds since the origin, enough for a day.
const DIGITS: usize = 14;
const LEN: usize = MARK.len() + DIGITS;

/// Writes and finds marks that count from one origin.
#[derive(Clone, Debug)]
pub struct Stamp {
    origin: Instant,
    finder: Finder<'static>,
}

impl Stamp {
    pub fn new(origin: Instant) -> Self {
        Self { origin, finder: Finder::new(MARK) }
    }

    fn mark(&self, due: Instant) -> String {
        let nanos = due.saturating_duration_since(self.origin).as_nanos();
        format!("due+{nanos:0DIGITS$}")
    }

    /// A JSON object of `size` bytes, or as many as the mark needs, for chat.
    pub fn content(&self, due: Instant, size: usize) -> String {
        let mut content = format!("{{\"t\":\"{}", self.mark(due));
        // `"}` ends the content.
        while content.len() + 2 < size {
            content.push('x');
        }
        content.push_str("\"}");
        content
    }

    /// `size` bytes whose form on the wire holds the mark: the bytes themselves, or their base64.
    pub fn data(&self, due: Instant, size: usize, is_base64: bool) -> Vec<u8> {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let mut text = self.mark(due);
        if !is_base64 {
            let mut bytes = text.into_bytes();
            bytes.resize(size.max(LEN), b'.');
            return bytes;
        }
        while text.len() < size / 3 * 4 || !text.len().is_multiple_of(4) {
            text.push('A');
        }
        let mut bytes = BASE64_STANDARD.decode(&text).unwrap_or_default();
        bytes.resize(bytes.len().max(size), 0);
        bytes
    }

    /// When the message of this payload was due; nothing for payloads without a mark.
    pub fn due(&self, payload: &[u8]) -> Option<Instant> {
        let at = self.finder.find(payload)? + MARK.len();
        let digits = std::str::from_utf8(payload.get(at..at + DIGITS)?).ok()?;
        Some(self.origin + Duration::from_nanos(digits.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{codec::Format, envelopes};

    #[test]
    fn a_mark_is_found_in_every_form_of_a_message() {
        let stamp = Stamp::new(Instant::now());
        let due = stamp.origin + Duration::from_nanos(1_234_567_891);
        for format in [Format::Json, Format::Protobuf] {
            let data = stamp.data(due, 32, format == Format::Json);
            assert_eq!(data.len(), 32);
            let payload = format.encode("", envelopes::match_data("id", data));
            assert_eq!(stamp.due(&payload), Some(due), "{format:?}");
            let content = stamp.content(due, 64);
            assert_eq!(content.len(), 64);
            let payload = format.encode("", envelopes::channel_message("id", content));
            assert_eq!(stamp.due(&payload), Some(due), "{format:?}");
        }
        assert_eq!(stamp.due(b"{\"channel_message_ack\":{}}"), None);
    }
}
