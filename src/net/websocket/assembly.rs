//! From bytes of a client to messages (RFC 6455, sections 5 and 7): strict, and in place where a frame
//! arrives whole, so that an idle connection holds no buffer.

use std::{io::Cursor, ops::ControlFlow};

use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{CloseCode, Control, Data, OpCode},
};

use super::{
    MessageRef,
    frame::{CONTROL_MAX, unmask},
};

/// The longest head of a frame.
const HEAD_MAX: usize = 14;
/// What a message's buffer takes at first, whatever its head announces.
const FIRST_RESERVE: usize = 4096;

/// Something whole that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    Message(MessageRef<'a>),
    Ping(&'a [u8]),
    Pong,
    /// 1005 where the peer gave no code.
    Close {
        code: u16,
        reason: &'a str,
    },
}

/// The peer broke the protocol or a bound; the code it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: u16,
    pub what: &'static str,
}

const fn violation(what: &'static str) -> Fault {
    Fault { code: 1002, what }
}

const NOT_TEXT: Fault = Fault { code: 1007, what: "text that is not UTF-8" };
const TOO_BIG: Fault = Fault { code: 1009, what: "message too big" };
/// A close code that was registered after the parser's list was written.
const BAD_GATEWAY: u16 = 1014;
/// Stands for a close without a code.
pub(super) const NO_CODE: u16 = 1005;

/// A connection's place in the stream of frames.
#[derive(Default)]
pub struct Assembly {
    /// Nothing while the stream stands between messages.
    partial: Option<Box<Partial>>,
}

#[derive(Default)]
struct Partial {
    head: [u8; HEAD_MAX],
    head_len: usize,
    frame: Option<Frame>,
    control: Vec<u8>,
    message: Vec<u8>,
    /// The message begun by a frame that was not its last.
    kind: Option<Data>,
    /// Bytes of a text message that are known to be UTF-8.
    valid: usize,
}

/// A frame whose payload is coming in.
#[derive(Clone, Copy)]
struct Frame {
    opcode: OpCode,
    last: bool,
    mask: [u8; 4],
    len: usize,
    seen: usize,
}

impl Assembly {
    /// Takes bytes and hands on what is whole. Stops early, saying how much was used, where `on` breaks.
    /// After a fault nothing more must be fed.
    pub fn feed(
        &mut self,
        input: &mut [u8],
        message_bytes_max: usize,
        mut on: impl FnMut(Incoming<'_>) -> ControlFlow<()>,
    ) -> Result<usize, Fault> {
        let mut used = 0;
        while let Some(rest) = input.get_mut(used..).filter(|rest| !rest.is_empty()) {
            let (step, flow) = match &mut self.partial {
                Some(partial) => partial.step(rest, message_bytes_max, &mut on)?,
                None => match begin(rest, message_bytes_max, &mut on)? {
                    Begun::Whole(step, flow) => (step, flow),
                    Begun::Part => {
                        self.partial = Some(Box::default());
                        continue;
                    }
                },
            };
            used += step;
            if self.partial.as_ref().is_some_and(|partial| partial.is_between_messages()) {
                self.partial = None;
            }
            if flow.is_break() {
                break;
            }
        }
        Ok(used)
    }

    /// Whether the stream stands between messages and holds no memory.
    pub fn is_idle(&self) -> bool {
        self.partial.is_none()
    }
}

enum Begun {
    /// A whole unfragmented frame was used, of this length.
    Whole(usize, ControlFlow<()>),
    /// The frame must be put together.
    Part,
}

/// The usual case: a frame that is there as a whole and is a message by itself.
fn begin(
    input: &mut [u8],
    message_bytes_max: usize,
    on: &mut impl FnMut(Incoming<'_>) -> ControlFlow<()>,
) -> Result<Begun, Fault> {
    let Some((frame, head_len)) = parse(input, None, 0, message_bytes_max)? else {
        return Ok(Begun::Part);
    };
    let end = head_len + frame.len;
    let Some(payload) = input.get_mut(head_len..end).filter(|_| frame.last) else {
        return Ok(Begun::Part);
    };
    unmask(payload, frame.mask, 0);
    let flow = match frame.opcode {
        OpCode::Data(kind) => on(Incoming::Message(message(kind, payload)?)),
        OpCode::Control(kind) => on(control(kind, payload)?),
    };
    Ok(Begun::Whole(end, flow))
}

impl Partial {
    fn is_between_messages(&self) -> bool {
        self.head_len == 0 && self.frame.is_none() && self.kind.is_none()
    }

    /// Uses a part of the input: the rest of a head, or a piece of a payload.
    fn step(
        &mut self,
        input: &mut [u8],
        message_bytes_max: usize,
        on: &mut impl FnMut(Incoming<'_>) -> ControlFlow<()>,
    ) -> Result<(usize, ControlFlow<()>), Fault> {
        let (step, frame) = match self.frame {
            None => {
                let (step, Some(frame)) = self.read_head(input, message_bytes_max)? else {
                    return Ok((input.len(), ControlFlow::Continue(())));
                };
                (step, frame)
            }
            Some(frame) => {
                let piece = input.len().min(frame.len - frame.seen);
                let payload = input.get_mut(..piece).unwrap_or_default();
                unmask(payload, frame.mask, frame.seen);
                self.take(frame, payload)?;
                (piece, Frame { seen: frame.seen + piece, ..frame })
            }
        };
        if frame.seen < frame.len {
            self.frame = Some(frame);
            return Ok((step, ControlFlow::Continue(())));
        }
        self.frame = None;
        Ok((step, self.frame_ends(frame, on)?))
    }

    /// Collects a head that may come in pieces; also says how much of the input it took.
    fn read_head(
        &mut self,
        input: &[u8],
        message_bytes_max: usize,
    ) -> Result<(usize, Option<Frame>), Fault> {
        let before = self.head_len;
        for byte in input {
            let Some(place) = self.head.get_mut(self.head_len) else { break };
            *place = *byte;
            self.head_len += 1;
        }
        let head = self.head.get(..self.head_len).unwrap_or_default();
        let Some((frame, len)) = parse(head, self.kind, self.message.len(), message_bytes_max)?
        else {
            return Ok((input.len(), None));
        };
        self.head_len = 0;
        if let OpCode::Data(kind) = frame.opcode {
            if kind != Data::Continue {
                self.kind = Some(kind);
            }
            self.message.reserve(frame.len.min(FIRST_RESERVE));
        }
        Ok((len - before, Some(frame)))
    }

    fn take(&mut self, frame: Frame, payload: &[u8]) -> Result<(), Fault> {
        match frame.opcode {
            OpCode::Control(_) => self.control.extend_from_slice(payload),
            OpCode::Data(_) => {
                self.message.extend_from_slice(payload);
                if self.kind == Some(Data::Text) {
                    self.check_text()?;
                }
            }
        }
        Ok(())
    }

    /// Checks what is new of a text; a character may still lack its end.
    fn check_text(&mut self) -> Result<(), Fault> {
        match std::str::from_utf8(self.message.get(self.valid..).unwrap_or_default()) {
            Ok(_) => self.valid = self.message.len(),
            Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
            Err(_) => return Err(NOT_TEXT),
        }
        Ok(())
    }

    fn frame_ends(
        &mut self,
        frame: Frame,
        on: &mut impl FnMut(Incoming<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Fault> {
        match frame.opcode {
            OpCode::Control(kind) => {
                let payload = std::mem::take(&mut self.control);
                Ok(on(control(kind, &payload)?))
            }
            OpCode::Data(_) if frame.last => {
                let bytes = std::mem::take(&mut self.message);
                self.valid = 0;
                let kind = self.kind.take().unwrap_or(Data::Binary);
                Ok(on(Incoming::Message(message(kind, &bytes)?)))
            }
            OpCode::Data(_) => Ok(ControlFlow::Continue(())),
        }
    }
}

/// Reads and checks a head; None where it is not whole. `begun` is the message that is being put
/// together and `len` what there is of it.
fn parse(
    input: &[u8],
    begun: Option<Data>,
    len: usize,
    message_bytes_max: usize,
) -> Result<Option<(Frame, usize)>, Fault> {
    let mut cursor = Cursor::new(input);
    let parsed = FrameHeader::parse(&mut cursor).map_err(|_| violation("reserved opcode"))?;
    let Some((head, announced)) = parsed else { return Ok(None) };
    if head.rsv1 || head.rsv2 || head.rsv3 {
        return Err(violation("reserved bits"));
    }
    let Some(mask) = head.mask else { return Err(violation("unmasked frame")) };
    match head.opcode {
        OpCode::Control(_) => {
            if !head.is_final {
                return Err(violation("fragmented control frame"));
            }
            if announced > CONTROL_MAX as u64 {
                return Err(violation("long control frame"));
            }
        }
        OpCode::Data(kind) => {
            if (kind == Data::Continue) != begun.is_some() {
                return Err(violation("fragments out of order"));
            }
            if announced > message_bytes_max.saturating_sub(len) as u64 {
                return Err(TOO_BIG);
            }
        }
    }
    let frame = Frame {
        opcode: head.opcode,
        last: head.is_final,
        mask,
        len: usize::try_from(announced).map_err(|_| TOO_BIG)?,
        seen: 0,
    };
    Ok(Some((frame, cursor.position() as usize)))
}

fn message(kind: Data, payload: &[u8]) -> Result<MessageRef<'_>, Fault> {
    match kind {
        Data::Text => std::str::from_utf8(payload).map(MessageRef::Text).map_err(|_| NOT_TEXT),
        Data::Binary => Ok(MessageRef::Binary(payload)),
        Data::Continue | Data::Reserved(_) => Err(violation("fragments out of order")),
    }
}

fn control(kind: Control, payload: &[u8]) -> Result<Incoming<'_>, Fault> {
    match kind {
        Control::Ping => Ok(Incoming::Ping(payload)),
        Control::Pong => Ok(Incoming::Pong),
        Control::Reserved(_) => Err(violation("reserved opcode")),
        Control::Close => match payload.split_first_chunk::<2>() {
            None if payload.is_empty() => Ok(Incoming::Close { code: NO_CODE, reason: "" }),
            None => Err(violation("half a close code")),
            Some((code, reason)) => {
                let code = u16::from_be_bytes(*code);
                if !CloseCode::from(code).is_allowed() && code != BAD_GATEWAY {
                    return Err(violation("a close code that is not for the wire"));
                }
                let reason = std::str::from_utf8(reason).map_err(|_| NOT_TEXT)?;
                Ok(Incoming::Close { code, reason })
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Seen {
        Text(String),
        Binary(Vec<u8>),
        Ping(Vec<u8>),
        Pong,
        Close(u16, String),
    }

    fn see(incoming: Incoming<'_>) -> Seen {
        match incoming {
            Incoming::Message(MessageRef::Text(text)) => Seen::Text(text.to_owned()),
            Incoming::Message(MessageRef::Binary(bytes)) => Seen::Binary(bytes.to_vec()),
            Incoming::Ping(bytes) => Seen::Ping(bytes.to_vec()),
            Incoming::Pong => Seen::Pong,
            Incoming::Close { code, reason } => Seen::Close(code, reason.to_owned()),
        }
    }

    /// A client's frame, masked. `first` is the whole first byte.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let mut out = vec![first];
        match payload.len() {
            len @ ..=125 => out.push(0x80 | len as u8),
            len @ ..=65_535 => {
                out.push(0x80 | 0x7e);
                out.extend((len as u16).to_be_bytes());
            }
            len => {
                out.push(0x80 | 0x7f);
                out.extend((len as u64).to_be_bytes());
            }
        }
        out.extend(mask);
        let start = out.len();
        out.extend_from_slice(payload);
        unmask(&mut out[start..], mask, 0);
        out
    }

    fn feed_pieces(wire: &[u8], piece: usize, max: usize) -> (Vec<Seen>, Result<bool, Fault>) {
        let mut assembly = Assembly::default();
        let mut seen = Vec::new();
        for piece in wire.chunks(piece) {
            let mut piece = piece.to_vec();
            let fed = assembly.feed(&mut piece, max, |incoming| {
                seen.push(see(incoming));
                ControlFlow::Continue(())
            });
            match fed {
                Ok(used) => assert_eq!(used, piece.len()),
                Err(fault) => return (seen, Err(fault)),
            }
        }
        let idle = assembly.is_idle();
        (seen, Ok(idle))
    }

    #[track_caller]
    fn expect(wire: &[u8], expected: &[Seen]) {
        for piece in [1, 2, 3, 7, wire.len().max(1)] {
            assert_eq!(feed_pieces(wire, piece, 1 << 20), (expected.to_vec(), Ok(true)));
        }
    }

    #[track_caller]
    fn expect_fault(wire: &[u8], code: u16) {
        for piece in [1, 2, 3, 7, wire.len().max(1)] {
            let (_, result) = feed_pieces(wire, piece, 1000);
            assert_eq!(result.map_err(|fault| fault.code), Err(code), "in pieces of {piece}");
        }
    }

    fn text(text: &str) -> Seen {
        Seen::Text(text.to_owned())
    }

    #[test]
    fn whole_messages_of_every_length_class_arrive() {
        for len in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; len];
            expect(&frame(0x82, &payload), &[Seen::Binary(payload.clone())]);
            expect(&frame(0x81, &payload), &[text(&"x".repeat(len))]);
        }
    }

    #[test]
    fn a_ping_between_fragments_is_seen_before_the_message() {
        let wire = [
            frame(0x01, "grü".as_bytes()),
            frame(0x89, b"are you there"),
            frame(0x00, b""),
            frame(0x8a, b""),
            frame(0x80, "ße".as_bytes()),
        ]
        .concat();
        let ping = Seen::Ping(b"are you there".to_vec());
        expect(&wire, &[ping, Seen::Pong, text("grüße")]);
    }

    #[test]
    fn a_character_may_be_split_between_fragments() {
        let smile = "😀".as_bytes();
        let wire = [frame(0x01, &smile[..1]), frame(0x00, &smile[1..3]), frame(0x80, &smile[3..])];
        expect(&wire.concat(), &[text("😀")]);
    }

    #[test]
    fn text_that_is_not_utf8_fails_as_soon_as_it_shows() {
        expect_fault(&frame(0x81, &[0xff]), 1007);
        expect_fault(&frame(0x81, &[0xce]), 1007);
        expect_fault(&[frame(0x01, &[0xce]), frame(0x80, b"")].concat(), 1007);
        // A surrogate, and a character beyond the last: nothing after them is needed.
        expect_fault(&frame(0x01, &[0xed, 0xa0, 0x80]), 1007);
        expect_fault(&frame(0x01, &[0xf4, 0x90]), 1007);
        let whole = frame(0x81, &[b'a', 0xf4, 0x90, 0x80, 0x80, b'b']);
        let (_, early) = feed_pieces(&whole[..9], 1, 1000);
        assert_eq!(early.map_err(|fault| fault.code), Err(1007));
    }

    #[test]
    fn reserved_bits_and_opcodes_and_missing_masks_are_violations() {
        for first in [0xc1, 0xa1, 0x91, 0xc9, 0x83, 0x87, 0x8b, 0x8f] {
            expect_fault(&frame(first, b"x"), 1002);
        }
        expect_fault(&[0x81, 1, b'x'], 1002);
    }

    #[test]
    fn control_frames_are_whole_and_short() {
        expect_fault(&frame(0x09, b"x"), 1002);
        expect_fault(&frame(0x89, &[0; 126]), 1002);
        expect_fault(&frame(0x08, b""), 1002);
        expect(&frame(0x89, &[0; 125]), &[Seen::Ping(vec![0; 125])]);
    }

    #[test]
    fn fragments_out_of_order_are_violations() {
        expect_fault(&frame(0x80, b"x"), 1002);
        expect_fault(&frame(0x00, b"x"), 1002);
        expect_fault(&[frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002);
        expect_fault(&[frame(0x02, b"a"), frame(0x02, b"b")].concat(), 1002);
    }

    #[test]
    fn a_message_over_the_bound_fails_by_its_head() {
        expect_fault(&frame(0x82, &[0; 1001])[..8], 1009);
        expect_fault(&[frame(0x02, &[0; 600]), frame(0x80, &[0; 401])].concat(), 1009);
        let endless = [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        expect_fault(&endless, 1009);
        let wire = [frame(0x02, &[0; 600]), frame(0x80, &[0; 400])].concat();
        assert_eq!(feed_pieces(&wire, 9, 1000).0, [Seen::Binary(vec![0; 1000])]);
    }

    #[test]
    fn close_codes_and_reasons_are_checked() {
        let close =
            |code: u16, reason: &[u8]| frame(0x88, &[&code.to_be_bytes()[..], reason].concat());
        expect(&frame(0x88, b""), &[Seen::Close(1005, String::new())]);
        for code in
            [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1014, 3000, 3999, 4000, 4999]
        {
            expect(&close(code, b"bye"), &[Seen::Close(code, "bye".into())]);
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
            expect_fault(&close(code, b""), 1002);
        }
        expect_fault(&frame(0x88, &[3]), 1002);
        expect_fault(&close(1000, &[0xce, 0xba, 0xff]), 1007);
    }

    #[test]
    fn a_break_leaves_the_rest_unused() {
        let first = frame(0x81, b"one");
        let mut wire = [first.clone(), frame(0x81, b"two")].concat();
        let mut assembly = Assembly::default();
        let used = assembly.feed(&mut wire, 100, |_| ControlFlow::Break(())).unwrap();
        assert_eq!(used, first.len());
        let mut seen = Vec::new();
        let rest = assembly.feed(&mut wire[used..], 100, |incoming| {
            seen.push(see(incoming));
            ControlFlow::Continue(())
        });
        assert_eq!((rest, seen), (Ok(first.len()), vec![text("two")]));
    }

    /// What tungstenite makes of the same bytes, and whether it ended in a fault.
    fn tungstenite_sees(wire: &[u8], max: usize) -> (Vec<Seen>, bool) {
        use tungstenite::{Error, Message, WebSocket, protocol::Role, protocol::WebSocketConfig};
        let config =
            WebSocketConfig::default().max_message_size(Some(max)).max_frame_size(Some(max));
        // Reads what is there; what is written is dropped.
        struct Wire(Cursor<Vec<u8>>);
        impl std::io::Read for Wire {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                match self.0.read(into)? {
                    0 => Err(std::io::ErrorKind::WouldBlock.into()),
                    n => Ok(n),
                }
            }
        }
        impl std::io::Write for Wire {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let wire = Wire(Cursor::new(wire.to_vec()));
        let mut socket = WebSocket::from_raw_socket(wire, Role::Server, Some(config));
        let mut seen = Vec::new();
        loop {
            match socket.read() {
                Ok(Message::Text(text)) => seen.push(Seen::Text(text.as_str().to_owned())),
                Ok(Message::Binary(bytes)) => seen.push(Seen::Binary(bytes.to_vec())),
                Ok(Message::Ping(bytes)) => seen.push(Seen::Ping(bytes.to_vec())),
                Ok(Message::Pong(_)) => seen.push(Seen::Pong),
                Err(Error::Io(_)) => return (seen, false),
                other => return (seen, other.is_err()),
            }
        }
    }

    proptest! {
        #[test]
        fn messages_arrive_whole_however_they_are_fragmented_and_cut(
            messages in prop::collection::vec(
                (any::<bool>(), prop::collection::vec("[a-zäß€😀]{0,40}", 1..5), any::<bool>()),
                0..8,
            ),
            piece in 1usize..200,
        ) {
            let mut wire = Vec::new();
            let mut expected = Vec::new();
            for (is_text, parts, ping) in &messages {
                let opcode = if *is_text { 1 } else { 2 };
                for (i, part) in parts.iter().enumerate() {
                    let last = i + 1 == parts.len();
                    let first = if i == 0 { opcode } else { 0 } | if last { 0x80 } else { 0 };
                    if *ping {
                        wire.extend(frame(0x89, b"p"));
                        expected.push(Seen::Ping(b"p".to_vec()));
                    }
                    wire.extend(frame(first, part.as_bytes()));
                }
                let whole = parts.concat();
                expected.push(if *is_text { Seen::Text(whole) } else { Seen::Binary(whole.into()) });
            }
            prop_assert_eq!(feed_pieces(&wire, piece, 1 << 20), (expected, Ok(true)));
        }

        #[test]
        fn another_implementation_sees_the_same_messages(
            frames in prop::collection::vec(
                (0u8..16, any::<bool>(), prop::collection::vec(
                    prop_oneof![Just(b'a'), Just(0xc3), Just(0xa4), any::<u8>()], 0..140,
                )),
                0..12,
            ),
            piece in 1usize..100,
        ) {
            // Mostly opcodes that exist.
            let opcode = |n: u8| match n {
                0..4 => 0,
                4..8 => 1,
                8..11 => 2,
                11..13 => 9,
                13 => 10,
                other => other,
            };
            let wire: Vec<u8> = frames
                .iter()
                .flat_map(|(n, last, payload)| frame(opcode(*n) | u8::from(*last) << 7, payload))
                .collect();
            let max = 300;
            let (ours, result) = feed_pieces(&wire, piece, max);
            let (theirs, fault) = tungstenite_sees(&wire, max);
            prop_assert_eq!(&ours, &theirs);
            prop_assert_eq!(result.is_err(), fault);
        }

        #[test]
        fn any_bytes_are_taken_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1usize..50,
        ) {
            let whole = feed_pieces(&bytes, 300, 100);
            let pieces = feed_pieces(&bytes, piece, 100);
            prop_assert_eq!(&whole.0, &pieces.0);
            // Early checks may name another fault first; both must fail or none.
            prop_assert_eq!(whole.1.is_err(), pieces.1.is_err());
        }
    }
}
