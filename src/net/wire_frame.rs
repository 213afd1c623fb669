//! A whole WebSocket frame (RFC 6455, section 5.2) from the server to a client.

use bytes::{BufMut, Bytes, BytesMut};

/// An unmasked, final data frame, header and payload. Clones share the bytes, so that a message for many
/// sessions is framed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireFrame(Bytes);

const FINAL_TEXT: u8 = 0x81;
const FINAL_BINARY: u8 = 0x82;
/// The longest header of a frame that is not masked.
const HEADER_LEN_MAX: usize = 10;

impl WireFrame {
    /// A text frame; the payload must be UTF-8.
    pub fn text(payload: &[u8]) -> Self {
        Self::framed(FINAL_TEXT, payload)
    }

    pub fn binary(payload: &[u8]) -> Self {
        Self::framed(FINAL_BINARY, payload)
    }

    fn framed(opcode: u8, payload: &[u8]) -> Self {
        let mut frame = BytesMut::with_capacity(HEADER_LEN_MAX + payload.len());
        frame.put_u8(opcode);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ ..126), _) => frame.put_u8(length),
            (_, Ok(length)) => {
                frame.put_u8(126);
                frame.put_u16(length);
            }
            (_, Err(_)) => {
                frame.put_u8(127);
                frame.put_u64(payload.len() as u64);
            }
        }
        frame.put_slice(payload);
        Self(frame.freeze())
    }

    /// The frame as it goes onto the wire.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// What the frame carries.
    pub fn payload(&self) -> Bytes {
        let header_len = match self.0.get(1) {
            Some(126) => 4,
            Some(127) => HEADER_LEN_MAX,
            Some(_) | None => 2,
        };
        self.0.slice(header_len.min(self.0.len())..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_takes_as_few_bytes_as_the_protocol_asks() {
        for (len, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let payload = vec![7; len];
            let frame = WireFrame::binary(&payload);
            assert_eq!(frame.bytes().len(), len + header);
            assert_eq!(frame.payload(), payload);
        }
        assert_eq!(&WireFrame::text(b"hi").bytes()[..], b"\x81\x02hi");
    }
}
