//! Frames that go out. A server's frames are not masked, so that one serves all recipients.

use bytes::Bytes;

/// Room for the longest head of an unmasked frame.
const HEAD_MAX: usize = 10;
/// Of a control frame (RFC 6455, section 5.5).
pub(super) const CONTROL_MAX: usize = 125;

/// Text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    Text,
    Binary,
}

#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Opcode {
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// A whole message in one frame, head included: framed once, shared by all who get it, on any shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireFrame(Bytes);

impl WireFrame {
    /// Frames a text, by a copy. It must be UTF-8, or clients close the connection.
    pub fn text(payload: &[u8]) -> Self {
        Self::encode(MessageKind::Text, payload.len(), |out| out.extend_from_slice(payload))
    }

    /// Frames bytes, by a copy.
    pub fn binary(payload: &[u8]) -> Self {
        Self::encode(MessageKind::Binary, payload.len(), |out| out.extend_from_slice(payload))
    }

    /// Frames what `encode` appends, without a further copy. `len_hint` is the expected length.
    pub fn encode(kind: MessageKind, len_hint: usize, encode: impl FnOnce(&mut Vec<u8>)) -> Self {
        let opcode = match kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        let mut out = Vec::with_capacity(HEAD_MAX + len_hint);
        out.resize(HEAD_MAX, 0);
        encode(&mut out);
        let (head, len) = head(opcode, out.len().saturating_sub(HEAD_MAX));
        let start = HEAD_MAX - len;
        if let (Some(place), Some(head)) = (out.get_mut(start..HEAD_MAX), head.get(..len)) {
            place.copy_from_slice(head);
        }
        Self(Bytes::from(out).slice(start..))
    }

    /// Length on the wire.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The frame as it goes onto the wire.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// What the frame holds, without its head.
    pub fn payload(&self) -> Bytes {
        let head = match self.0.get(1) {
            Some(127) => 10,
            Some(126) => 4,
            _ => 2,
        };
        self.0.slice(head.min(self.0.len())..)
    }
}

/// The head of an unmasked whole frame and its length.
fn head(opcode: Opcode, len: usize) -> ([u8; HEAD_MAX], usize) {
    let mut head = [0; HEAD_MAX];
    head[0] = 0x80 | opcode as u8;
    let used = if len <= CONTROL_MAX {
        head[1] = len as u8;
        2
    } else if let Ok(len) = u16::try_from(len) {
        head[1] = 126;
        head[2..4].copy_from_slice(&len.to_be_bytes());
        4
    } else {
        head[1] = 127;
        head[2..10].copy_from_slice(&(len as u64).to_be_bytes());
        10
    };
    (head, used)
}

/// A control frame; the payload is cut to what such a frame may hold.
pub(super) fn control(opcode: Opcode, payload: &[u8]) -> ([u8; 2 + CONTROL_MAX], usize) {
    let len = payload.len().min(CONTROL_MAX);
    let mut frame = [0; 2 + CONTROL_MAX];
    frame[0] = 0x80 | opcode as u8;
    frame[1] = len as u8;
    for (to, from) in frame[2..].iter_mut().zip(payload) {
        *to = *from;
    }
    (frame, 2 + len)
}

/// The payload of a close frame; the reason is cut at a character to what fits.
pub(super) fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    let mut end = reason.len().min(CONTROL_MAX - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.get(..end).unwrap_or_default().as_bytes());
    payload
}

/// Masks or unmasks in place; `offset` is how much of the frame came before.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4], offset: usize) {
    let turn = offset % 4;
    let mask = [mask[turn], mask[(turn + 1) % 4], mask[(turn + 2) % 4], mask[(turn + 3) % 4]];
    let word = u32::from_ne_bytes(mask);
    let wide = u64::from(word) << 32 | u64::from(word);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_length_has_its_head() {
        for (len, head_len) in
            [(0, 2), (1, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10), (200_000, 10)]
        {
            let payload = vec![7; len];
            let frame = WireFrame::binary(&payload);
            assert_eq!(frame.len(), head_len + len);
            assert_eq!(frame.payload(), payload);
            let mut cursor = std::io::Cursor::new(frame.bytes());
            let (head, parsed) =
                tungstenite::protocol::frame::FrameHeader::parse(&mut cursor).unwrap().unwrap();
            assert_eq!((parsed as usize, head.is_final, head.mask), (len, true, None));
        }
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let payload = close_payload(1000, &"ß".repeat(100));
        assert_eq!(payload.len(), 124);
        assert!(std::str::from_utf8(&payload[2..]).is_ok());
    }

    proptest! {
        #[test]
        fn masks_apply_the_same_in_any_pieces(
            payload in prop::collection::vec(any::<u8>(), 0..100),
            mask: [u8; 4],
            cut in 0usize..100,
        ) {
            let expected: Vec<u8> =
                payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
            let mut pieces = payload.clone();
            let cut = cut.min(pieces.len());
            let (first, second) = pieces.split_at_mut(cut);
            unmask(first, mask, 0);
            unmask(second, mask, cut);
            prop_assert_eq!(pieces, expected);
        }
    }
}
