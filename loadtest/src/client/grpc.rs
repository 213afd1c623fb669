//! Sign-in over gRPC: one HTTP/2 connection, one call at a time.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use base64::Engine;
use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use kakera_proto::api::{AccountDevice, AuthenticateDeviceRequest, Session};
use prost::Message;

use super::{connect, trouble::Trouble};

/// A gRPC message's flag (not compressed) and its length.
const PREFIX_LEN: usize = 5;

pub struct Grpc {
    send: SendRequest<Bytes>,
    authorization: String,
    target: SocketAddr,
}

impl Grpc {
    /// Its connection ends with it.
    pub async fn open(target: SocketAddr, key: &str) -> Result<Self> {
        let stream = connect(target, None).await?;
        let (send, connection) = h2::client::handshake(stream).await?;
        tokio::task::spawn_local(async move {
            // A connection that breaks shows in the call that waits for it.
            let _ = connection.await;
        });
        let credentials = base64::prelude::BASE64_STANDARD.encode(format!("{key}:"));
        Ok(Self { send, authorization: format!("Basic {credentials}"), target })
    }

    /// Signs in a device, making its account when there is none.
    pub async fn device(&mut self, device: &str) -> Result<Session> {
        let request = AuthenticateDeviceRequest {
            account: Some(AccountDevice { id: device.to_owned(), ..AccountDevice::default() }),
            create: Some(true),
            ..AuthenticateDeviceRequest::default()
        };
        let answer = self.call("AuthenticateDevice", &request).await?;
        Ok(Session::decode(answer)?)
    }

    async fn call(&mut self, method: &str, message: &impl Message) -> Result<Bytes> {
        let request =
            http::Request::post(format!("http://{}/nakama.api.Nakama/{method}", self.target))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("authorization", &self.authorization)
                .body(())?;
        let mut frame = BytesMut::with_capacity(PREFIX_LEN + message.encoded_len());
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.encoded_len())?);
        message.encode(&mut frame)?;

        let mut send = self.send.clone().ready().await?;
        let (response, mut body) = send.send_request(request, false)?;
        body.send_data(frame.freeze(), true)?;
        let (head, mut body) = response.await?.into_parts();
        if head.status != 200 {
            bail!(Trouble::answered("sign-in by gRPC", head.status.as_u16(), b""));
        }
        let mut answer = BytesMut::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            answer.extend_from_slice(&chunk);
        }
        // A call that fails before its answer begins says so in the head, else in the trailers.
        let trailers = body.trailers().await?.unwrap_or_default();
        match trailers.get("grpc-status").or_else(|| head.headers.get("grpc-status")) {
            Some(status) if status == "0" => {}
            Some(status) => {
                let text =
                    |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
                let message =
                    trailers.get("grpc-message").or_else(|| head.headers.get("grpc-message"));
                bail!(Trouble::Refused {
                    what: "sign-in",
                    code: text(status),
                    message: message.map(text).unwrap_or_default(),
                })
            }
            None => bail!("no gRPC status"),
        }
        let answer = answer.freeze();
        if answer.len() < PREFIX_LEN {
            bail!("a gRPC answer without its message");
        }
        Ok(answer.slice(PREFIX_LEN..))
    }
}
