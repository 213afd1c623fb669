//! One keep-alive HTTP/1.1 connection, and the calls that scenarios make over it.

use std::{net::SocketAddr, ops::Range};

use anyhow::{Context, Result, bail};
use base64::Engine;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{chunked, connect, trouble::Trouble};

/// Requests go one at a time.
#[derive(Debug)]
pub struct Http {
    stream: TcpStream,
    host: String,
    basic: String,
    request: Vec<u8>,
    reply: Vec<u8>,
}

/// An answer; its body lives until the next request.
#[derive(Debug)]
pub struct Reply<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

#[derive(Debug, Deserialize)]
pub struct SignedIn {
    pub token: String,
}

/// A request's line and body; its authorization is the server key's or a player's.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub body: &'a str,
}

impl Http {
    pub async fn open(target: SocketAddr, key: &str) -> Result<Self> {
        let stream = connect(target, None).await?;
        let credentials = base64::prelude::BASE64_STANDARD.encode(format!("{key}:"));
        Ok(Self {
            stream,
            host: target.to_string(),
            basic: format!("Basic {credentials}"),
            request: Vec::new(),
            reply: Vec::new(),
        })
    }

    /// Signs in a device, making its account when there is none.
    pub async fn device(&mut self, device: &str) -> Result<Reply<'_>> {
        let body = format!("{{\"id\":\"{device}\"}}");
        let authorization = self.basic.clone();
        let path = "/v2/account/authenticate/device?create=true";
        self.send(&authorization, Request { method: "POST", path, body: &body }).await
    }

    /// Signs in a device and gives its token.
    pub async fn token(&mut self, device: &str) -> Result<String> {
        let reply = self.device(device).await?;
        if reply.status != 200 {
            bail!(Trouble::answered("sign-in", reply.status, reply.body));
        }
        Ok(serde_json::from_slice::<SignedIn>(reply.body)?.token)
    }

    pub async fn account(&mut self, bearer: &str) -> Result<Reply<'_>> {
        self.get(bearer, "/v2/account").await
    }

    pub async fn get(&mut self, bearer: &str, path: &str) -> Result<Reply<'_>> {
        self.send(bearer, Request { method: "GET", path, body: "" }).await
    }

    /// Sends a request with this `authorization` header and waits for the whole answer.
    pub async fn send(&mut self, authorization: &str, request: Request<'_>) -> Result<Reply<'_>> {
        let Request { method, path, body } = request;
        self.request.clear();
        self.request.extend_from_slice(
            format!(
                "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: {authorization}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                self.host,
                body.len()
            )
            .as_bytes(),
        );
        self.stream.write_all(&self.request).await?;
        self.reply.clear();
        loop {
            if self.stream.read_buf(&mut self.reply).await? == 0 {
                bail!(Trouble::Closed);
            }
            match complete(&self.reply)? {
                Some((status, Body::At(range))) => {
                    return Ok(Reply { status, body: &self.reply[range] });
                }
                Some((status, Body::Joined(body))) => {
                    self.reply = body;
                    return Ok(Reply { status, body: &self.reply });
                }
                None => {}
            }
        }
    }
}

enum Body {
    At(Range<usize>),
    Joined(Vec<u8>),
}

/// The status and the body once the whole answer is there.
fn complete(reply: &[u8]) -> Result<Option<(u16, Body)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(reply) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => bail!(Trouble::Strange),
    };
    let status = response.code.context("the answer has no status")?;
    let header =
        |name: &str| response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    if let Some(length) = header("content-length") {
        let length: usize = std::str::from_utf8(length.value)?.trim().parse()?;
        let is_whole = reply.len() >= head + length;
        return Ok(is_whole.then_some((status, Body::At(head..head + length))));
    }
    if header("transfer-encoding").is_some_and(|coding| coding.value == b"chunked") {
        return Ok(chunked::decode(&reply[head..])?.map(|body| (status, Body::Joined(body))));
    }
    bail!("the answer says nothing of its length")
}
