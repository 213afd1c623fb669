//! A client WebSocket that costs the generator little: one read takes in many frames, and a frame is
//! looked at where it lies.
//!
//! Waiting may be broken off anywhere: what was read stays in the buffer, and what is still to be written
//! goes out with the next frame.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, bail};
use kakera_proto::realtime::{Envelope, envelope};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{codec::Format, connect, trouble::Trouble};

const OPCODE_TEXT: u8 = 1;
const OPCODE_BINARY: u8 = 2;
const OPCODE_CLOSE: u8 = 8;
const OPCODE_PING: u8 = 9;
const OPCODE_PONG: u8 = 10;

const LENGTH_IN_2_BYTES: u8 = 126;
const LENGTH_IN_8_BYTES: u8 = 127;

/// How long a connection that was cut off may take to show its end.
const CUT_OFF_TIME_MAX: Duration = Duration::from_secs(1);

/// Bytes that a read takes in at least, if they are there: many frames that left together.
const READ_LEN: usize = 4096;

/// Close code 1000, "normal closure".
const NORMAL_CLOSURE: [u8; 2] = 1000_u16.to_be_bytes();

/// A fixed mask: RFC 6455 asks clients to mask, and only browsers need it to be unpredictable.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// How a socket is opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    pub target: SocketAddr,
    pub format: Format,
    pub token: &'a str,
    /// Whether the player appears online at once.
    pub appear_online: bool,
    /// Bounds the kernel's receive buffer.
    pub receive_bytes: Option<u32>,
}

/// An open socket of a signed-in player.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    format: Format,
    input: Vec<u8>,
    consumed: usize,
    output: Vec<u8>,
    written: usize,
}

impl Socket {
    pub async fn open(opening: Opening<'_>) -> Result<Self> {
        let Opening { target, format, token, appear_online, receive_bytes } = opening;
        let mut stream = connect(target, receive_bytes).await?;
        let head = format!(
            "GET /ws?lang=en&status={appear_online}&format={}&token={token} HTTP/1.1\r\n\
             host: {target}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: a2FrZXJhLWxvYWR0ZXN0IQ==\r\n\r\n",
            format.name(),
        );
        stream.write_all(head.as_bytes()).await?;
        let mut input = Vec::new();
        let consumed = loop {
            if stream.read_buf(&mut input).await? == 0 {
                bail!(Trouble::Closed);
            }
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut response = httparse::Response::new(&mut headers);
            let Ok(head) = response.parse(&input) else { bail!(Trouble::Strange) };
            if let httparse::Status::Complete(head) = head {
                match response.code {
                    Some(101) => break head,
                    Some(status) => {
                        let body = input.get(head..).unwrap_or_default();
                        bail!(Trouble::answered("the handshake", status, body))
                    }
                    None => bail!(Trouble::Strange),
                }
            }
        };
        Ok(Self { stream, format, input, consumed, output: Vec::new(), written: 0 })
    }

    pub async fn send(&mut self, cid: &str, message: envelope::Message) -> Result<()> {
        let payload = self.format.encode(cid, message);
        self.send_payload(&payload).await
    }

    /// Sends an envelope that is already encoded.
    pub async fn send_payload(&mut self, payload: &[u8]) -> Result<()> {
        self.queue_payload(payload);
        self.flush().await
    }

    /// Puts an encoded envelope beside what leaves with the next flush.
    pub fn queue_payload(&mut self, payload: &[u8]) {
        let opcode = match self.format {
            Format::Json => OPCODE_TEXT,
            Format::Protobuf => OPCODE_BINARY,
        };
        self.queue_frame(opcode, payload);
    }

    /// Sends bytes that need not be a frame.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.output.extend_from_slice(bytes);
        self.flush().await
    }

    pub async fn flush(&mut self) -> Result<()> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]).await? {
                0 => bail!("the connection takes no more"),
                count => self.written += count,
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// The next envelope. WebSocket pings are answered on the way.
    pub async fn next(&mut self) -> Result<Envelope> {
        loop {
            match self.take_frame() {
                Some((OPCODE_TEXT | OPCODE_BINARY, from, to)) => {
                    return self.format.decode(&self.input[from..to]);
                }
                Some((opcode, from, to)) => self.control(opcode, from, to).await?,
                None => self.fill().await?,
            }
        }
    }

    /// Waits for data and hands every complete message's payload to `each`. Cheap: nothing is decoded.
    pub async fn drain(&mut self, mut each: impl FnMut(&[u8])) -> Result<()> {
        loop {
            let mut is_seen = false;
            while let Some((opcode, from, to)) = self.take_frame() {
                if matches!(opcode, OPCODE_TEXT | OPCODE_BINARY) {
                    is_seen = true;
                    each(&self.input[from..to]);
                } else {
                    self.control(opcode, from, to).await?;
                }
            }
            if is_seen {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// Says goodbye and waits until the server has closed too.
    pub async fn close(mut self) -> Result<()> {
        self.queue_frame(OPCODE_CLOSE, &NORMAL_CLOSURE);
        self.flush().await?;
        loop {
            self.input.clear();
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Drops the connection without a word: with a reset, or with a bare end of the stream.
    pub fn crash(self, with_reset: bool) {
        if with_reset {
            // Failing to set the option leaves a bare end of the stream, which is a crash too.
            let _ = self.stream.set_zero_linger();
        }
    }

    /// Reads what is left and tells whether the connection's end follows within a second.
    pub async fn was_cut_off(mut self) -> bool {
        let read_to_end = async {
            loop {
                self.input.clear();
                if !matches!(self.stream.read_buf(&mut self.input).await, Ok(1..)) {
                    return;
                }
            }
        };
        tokio::time::timeout(CUT_OFF_TIME_MAX, read_to_end).await.is_ok()
    }

    async fn control(&mut self, opcode: u8, from: usize, to: usize) -> Result<()> {
        match opcode {
            OPCODE_PING => {
                let payload = self.input[from..to].to_vec();
                self.queue_frame(OPCODE_PONG, &payload);
                self.flush().await
            }
            OPCODE_CLOSE => bail!(closed(&self.input[from..to])),
            _ => Ok(()),
        }
    }

    fn queue_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.output.push(0x80 | opcode);
        match payload.len() {
            length @ 0..126 => self.output.push(0x80 | length as u8),
            length @ 126..65_536 => {
                self.output.push(0x80 | LENGTH_IN_2_BYTES);
                self.output.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                self.output.push(0x80 | LENGTH_IN_8_BYTES);
                self.output.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        self.output.extend_from_slice(&MASK);
        let mask = MASK.iter().cycle();
        self.output.extend(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    }

    async fn fill(&mut self) -> Result<()> {
        self.input.drain(..self.consumed);
        self.consumed = 0;
        self.input.reserve(READ_LEN);
        if self.stream.read_buf(&mut self.input).await? == 0 {
            bail!("the server ended the connection without a word");
        }
        Ok(())
    }

    /// The opcode and the payload's bounds of the next complete frame.
    fn take_frame(&mut self) -> Option<(u8, usize, usize)> {
        let bytes = self.input.get(self.consumed..)?;
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (length, header) = match second & 0x7f {
            LENGTH_IN_2_BYTES => {
                (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4)
            }
            LENGTH_IN_8_BYTES => {
                (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10)
            }
            short => (usize::from(short), 2),
        };
        if bytes.len() < header + length {
            return None;
        }
        let from = self.consumed + header;
        self.consumed = from + length;
        Some((first & 0x0f, from, from + length))
    }
}

/// What the server said when it closed: RFC 6455 puts a code and a reason into the frame.
fn closed(payload: &[u8]) -> String {
    match payload {
        [high, low, reason @ ..] => format!(
            "the server closed the socket: {} {}",
            u16::from_be_bytes([*high, *low]),
            String::from_utf8_lossy(reason)
        ),
        _ => "the server closed the socket".to_owned(),
    }
}

/// The other end of a socket, in tests.
#[cfg(test)]
pub mod pretended {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    /// A socket, and the other end of its connection after the handshake.
    pub async fn opened() -> (Socket, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = listener.local_addr().unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut head).await.unwrap();
            }
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await.unwrap();
            stream
        };
        let (token, format) = ("t", Format::Json);
        let opening = Opening { target, format, token, appear_online: false, receive_bytes: None };
        let (socket, stream) = tokio::join!(Socket::open(opening), serve);
        (socket.unwrap(), stream)
    }

    /// Sends each of the first `count` messages back as it came, unmasked, and is silent afterwards. Messages are
    /// shorter than 64 KiB. Ends with the connection, or when it has fallen silent.
    pub async fn repeat(mut stream: TcpStream, count: usize) -> TcpStream {
        let mut input = Vec::new();
        for _ in 0..count {
            let (header, length) = loop {
                let short = input.get(1).map(|second: &u8| usize::from(second & 0x7f));
                let frame = match short {
                    Some(126) => input
                        .get(2..4)
                        .map(|length| (8, usize::from(u16::from_be_bytes([length[0], length[1]])))),
                    Some(short) => Some((6, short)),
                    None => None,
                };
                match frame {
                    Some((header, length)) if input.len() >= header + length => {
                        break (header, length);
                    }
                    _ if matches!(stream.read_buf(&mut input).await, Ok(1..)) => {}
                    _ => return stream,
                }
            };
            let mut reply = input[..header - MASK.len()].to_vec();
            reply[1] &= 0x7f;
            let payload = input[header..header + length].iter().zip(MASK.iter().cycle());
            reply.extend(payload.map(|(byte, mask)| byte ^ mask));
            input.drain(..header + length);
            if stream.write_all(&reply).await.is_err() {
                return stream;
            }
        }
        stream
    }
}

#[cfg(test)]
mod tests {
    use super::{pretended::opened, *};

    #[tokio::test]
    async fn frames_that_come_in_pieces_are_handed_out_whole() {
        let (mut socket, mut server) = opened().await;
        let long = vec![b'x'; 300];
        let mut bytes = vec![0x81, 2, b'h', b'i', 0x81, 126, 1, 44];
        bytes.extend_from_slice(&long);
        let serve = async {
            for piece in bytes.chunks(7) {
                server.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let mut seen = Vec::new();
        let read = async {
            while seen.len() < 2 {
                socket.drain(|payload| seen.push(payload.to_vec())).await.unwrap();
            }
        };
        tokio::join!(serve, read);
        assert_eq!(seen, [b"hi".to_vec(), long]);
    }

    #[tokio::test]
    async fn a_ping_is_answered_with_its_payload_and_a_close_ends_the_socket() {
        let (mut socket, mut server) = opened().await;
        server.write_all(&[0x89, 1, b'p', 0x88, 4, 3, 232, b'b', b'y']).await.unwrap();
        let error = socket.drain(|_| {}).await.unwrap_err();
        assert_eq!(error.to_string(), "the server closed the socket: 1000 by");
        let mut pong = [0; 7];
        server.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong[..2], [0x8a, 0x81], "a masked pong of one byte");
        assert_eq!(pong[6] ^ pong[2], b'p');
    }
}
