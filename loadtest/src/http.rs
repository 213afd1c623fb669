//! One keep-alive HTTP/1.1 connection, and the calls that scenarios make over it.

use anyhow::{Context, Result, bail};
use base64::Engine;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::options::Options;

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

impl Http {
    pub async fn open(options: &Options) -> Result<Self> {
        let stream = TcpStream::connect(options.target)
            .await
            .with_context(|| format!("cannot connect to {}", options.target))?;
        stream.set_nodelay(true)?;
        let credentials = base64::prelude::BASE64_STANDARD.encode(format!("{}:", options.key));
        Ok(Self {
            stream,
            host: options.target.to_string(),
            basic: format!("Basic {credentials}"),
            request: Vec::new(),
            reply: Vec::new(),
        })
    }

    /// Signs in a device, making its account when there is none.
    pub async fn device(&mut self, device: &str) -> Result<Reply<'_>> {
        let body = format!("{{\"id\":\"{device}\"}}");
        let authorization = self.basic.clone();
        self.send("POST", "/v2/account/authenticate/device?create=true", &authorization, &body)
            .await
    }

    /// Signs in a device and gives its token.
    pub async fn token(&mut self, device: &str) -> Result<String> {
        let reply = self.device(device).await?;
        if reply.status != 200 {
            bail!("sign-in answered {}: {}", reply.status, String::from_utf8_lossy(reply.body));
        }
        Ok(serde_json::from_slice::<SignedIn>(reply.body)?.token)
    }

    pub async fn account(&mut self, bearer: &str) -> Result<Reply<'_>> {
        self.send("GET", "/v2/account", bearer, "").await
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        authorization: &str,
        body: &str,
    ) -> Result<Reply<'_>> {
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
                bail!("the server closed the connection");
            }
            if let Some((status, from, to)) = complete(&self.reply)? {
                return Ok(Reply { status, body: &self.reply[from..to] });
            }
        }
    }
}

/// The status and the body's bounds once the whole answer is there.
fn complete(reply: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(reply)? else { return Ok(None) };
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .context("the answer has no content-length")?;
    let length: usize = std::str::from_utf8(length.value)?.trim().parse()?;
    let status = response.code.context("the answer has no status")?;
    Ok((reply.len() >= head + length).then_some((status, head, head + length)))
}
