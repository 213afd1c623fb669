//! A client WebSocket that costs the generator little: one read takes in many frames, and a frame is
//! looked at where it lies.

use anyhow::{Context, Result, bail};
use kakera_proto::realtime::{Envelope, envelope};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::options::{Format, Options};

const OPCODE_TEXT: u8 = 1;
const OPCODE_BINARY: u8 = 2;
const OPCODE_CLOSE: u8 = 8;
const OPCODE_PING: u8 = 9;
const OPCODE_PONG: u8 = 10;

const LENGTH_IN_2_BYTES: u8 = 126;
const LENGTH_IN_8_BYTES: u8 = 127;

/// A fixed mask: RFC 6455 asks clients to mask, and only browsers need it to be unpredictable.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// An open socket of a signed-in player.
#[derive(Debug)]
pub struct Socket {
    pub reader: Reader,
    pub writer: Writer,
}

#[derive(Debug)]
pub struct Reader {
    half: OwnedReadHalf,
    format: Format,
    buffer: Vec<u8>,
    consumed: usize,
}

#[derive(Debug)]
pub struct Writer {
    half: OwnedWriteHalf,
    format: Format,
    buffer: Vec<u8>,
}

impl Socket {
    pub async fn open(options: &Options, token: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(options.target).await?;
        stream.set_nodelay(true)?;
        let head = format!(
            "GET /ws?lang=en&status=false&format={}&token={token} HTTP/1.1\r\nhost: {}\r\n\
             upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: a2FrZXJhLWxvYWR0ZXN0IQ==\r\n\r\n",
            options.format.name(),
            options.target
        );
        stream.write_all(head.as_bytes()).await?;
        let mut buffer = Vec::new();
        let consumed = loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                bail!("the server closed the connection at the handshake");
            }
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut response = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(head) = response.parse(&buffer)? {
                match response.code {
                    Some(101) => break head,
                    other => bail!("the handshake answered {other:?}"),
                }
            }
        };
        let (read, write) = stream.into_split();
        Ok(Self {
            reader: Reader { half: read, format: options.format, buffer, consumed },
            writer: Writer { half: write, format: options.format, buffer: Vec::new() },
        })
    }

    /// Sends a request and waits for the reply with its `cid`, passing over what else comes.
    pub async fn ask(
        &mut self,
        cid: &str,
        message: envelope::Message,
    ) -> Result<envelope::Message> {
        self.writer.send(cid, message).await?;
        loop {
            let reply = self.reader.next(&mut self.writer).await?;
            if reply.cid == cid {
                return reply.message.context("an empty reply");
            }
        }
    }
}

impl Writer {
    pub async fn send(&mut self, cid: &str, message: envelope::Message) -> Result<()> {
        let payload = self.format.encode(cid, message);
        self.send_payload(&payload).await
    }

    /// Sends an envelope that is already encoded.
    pub async fn send_payload(&mut self, payload: &[u8]) -> Result<()> {
        let opcode = match self.format {
            Format::Json => OPCODE_TEXT,
            Format::Protobuf => OPCODE_BINARY,
        };
        self.frame(opcode, payload).await
    }

    async fn frame(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        self.buffer.clear();
        self.buffer.push(0x80 | opcode);
        match payload.len() {
            length @ 0..126 => self.buffer.push(0x80 | length as u8),
            length @ 126..65_536 => {
                self.buffer.push(0x80 | LENGTH_IN_2_BYTES);
                self.buffer.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                self.buffer.push(0x80 | LENGTH_IN_8_BYTES);
                self.buffer.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        self.buffer.extend_from_slice(&MASK);
        let mask = MASK.iter().cycle();
        self.buffer.extend(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        self.half.write_all(&self.buffer).await?;
        Ok(())
    }
}

impl Reader {
    /// The next envelope. WebSocket pings are answered on the way.
    pub async fn next(&mut self, writer: &mut Writer) -> Result<Envelope> {
        loop {
            if let Some((opcode, from, to)) = self.take_frame() {
                match opcode {
                    OPCODE_TEXT | OPCODE_BINARY => {
                        return self.format.decode(&self.buffer[from..to]);
                    }
                    OPCODE_PING => writer.frame(OPCODE_PONG, &self.buffer[from..to]).await?,
                    OPCODE_CLOSE => bail!("the server closed the socket"),
                    _ => {}
                }
            } else {
                self.fill().await?;
            }
        }
    }

    /// Waits for data and hands every complete message's payload to `each`. Cheap: nothing is decoded.
    pub async fn drain(&mut self, writer: &mut Writer, mut each: impl FnMut(&[u8])) -> Result<()> {
        loop {
            let mut seen = false;
            while let Some((opcode, from, to)) = self.take_frame() {
                match opcode {
                    OPCODE_TEXT | OPCODE_BINARY => {
                        seen = true;
                        each(&self.buffer[from..to]);
                    }
                    OPCODE_PING => writer.frame(OPCODE_PONG, &self.buffer[from..to]).await?,
                    OPCODE_CLOSE => bail!("the server closed the socket"),
                    _ => {}
                }
            }
            if seen {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        if self.half.read_buf(&mut self.buffer).await? == 0 {
            bail!("the connection ended");
        }
        Ok(())
    }

    /// The opcode and the payload's bounds of the next complete frame.
    fn take_frame(&mut self) -> Option<(u8, usize, usize)> {
        let bytes = self.buffer.get(self.consumed..)?;
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
