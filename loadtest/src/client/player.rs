//! A signed-in player with an open socket.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};
use base64::Engine;
use kakera_proto::realtime::{Envelope, Error, envelope::Message};
use serde::Deserialize;

use super::{
    http::Http,
    socket::{Opening, Socket},
};
use crate::{alarm, options::Options};

/// How long before its end a session token is taken as over.
const RENEWAL_MARGIN: Duration = Duration::from_secs(15);

/// What a player signs in with and is known by.
#[derive(Debug)]
pub struct Account {
    pub user_id: String,
    device: String,
    token: RefCell<String>,
    renew_at: Cell<SystemTime>,
}

#[derive(Debug, Deserialize)]
struct Claims {
    uid: String,
    /// Seconds since the epoch.
    exp: u64,
}

impl Account {
    /// Signs in over a new connection; makes the account when there is none.
    pub async fn sign_in(options: &Options, device: &str) -> Result<Self> {
        let mut http = Http::open(options.target.address(), &options.key).await?;
        let token = http.token(device).await?;
        Self::of(device, token)
    }

    /// The account that a session token speaks for.
    pub fn of(device: &str, token: String) -> Result<Self> {
        let payload = token.split('.').nth(1).context("the session token is no JWT")?;
        let claims: Claims = serde_json::from_slice(
            &base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('='))?,
        )?;
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(claims.exp);
        Ok(Self {
            user_id: claims.uid,
            device: device.to_owned(),
            token: RefCell::new(token),
            renew_at: Cell::new(end - RENEWAL_MARGIN),
        })
    }

    /// Signs in again when the session token is nearly over.
    pub async fn renew(&self, options: &Options) -> Result<()> {
        if SystemTime::now() < self.renew_at.get() {
            return Ok(());
        }
        let renewed = Self::sign_in(options, &self.device).await?;
        self.token.swap(&renewed.token);
        self.renew_at.swap(&renewed.renew_at);
        Ok(())
    }

    pub fn token(&self) -> String {
        self.token.borrow().clone()
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token.borrow())
    }

    pub async fn connect(&self, options: &Options, appear_online: bool) -> Result<Player> {
        let token = self.token();
        let opening = Opening {
            target: options.target.address(),
            format: options.format,
            token: &token,
            appear_online,
            receive_bytes: None,
        };
        Ok(Player::over(Socket::open(opening).await?))
    }
}

/// A player's socket, on which questions are told apart by their `cid`.
#[derive(Debug)]
pub struct Player {
    pub socket: Socket,
    asked: u64,
}

impl Player {
    pub fn over(socket: Socket) -> Self {
        Self { socket, asked: 0 }
    }

    /// Sends a request and waits for the reply with its `cid`, passing over what else comes. A reply may
    /// be empty: a bare acknowledgement.
    pub async fn ask(&mut self, message: Message) -> Result<Result<Option<Message>, Error>> {
        self.asked += 1;
        let cid = self.asked.to_string();
        self.socket.send(&cid, message).await?;
        loop {
            let Envelope { cid: answered, message } = self.socket.next().await?;
            if answered == cid {
                return Ok(match message {
                    Some(Message::Error(error)) => Err(error),
                    other => Ok(other),
                });
            }
        }
    }

    /// Asks what the server may not refuse.
    pub async fn expect(&mut self, message: Message) -> Result<Option<Message>> {
        self.ask(message).await?.map_err(|error| anyhow::anyhow!(refusal(&error)))
    }

    /// Joins a room and gives its channel's id.
    pub async fn join(&mut self, join: Message) -> Result<String> {
        match self.expect(join).await? {
            Some(Message::Channel(channel)) => Ok(channel.id),
            other => anyhow::bail!("joining a channel answered {other:?}"),
        }
    }

    /// Creates or joins a match and gives its id.
    pub async fn enter_match(&mut self, message: Message) -> Result<String> {
        match self.expect(message).await? {
            Some(Message::Match(joined)) => Ok(joined.match_id),
            other => anyhow::bail!("entering a match answered {other:?}"),
        }
    }

    /// Takes in what comes until then, to the millisecond.
    pub async fn listen_until(&mut self, until: Instant, each: impl FnMut(&[u8])) -> Result<()> {
        match tokio::time::timeout_at(until.into(), self.listen(each)).await {
            Err(_time_is_up) => Ok(()),
            Ok(error) => Err(error),
        }
    }

    /// Takes in what comes until something is due, to the microsecond.
    pub async fn listen_until_due(&mut self, due: Instant, each: impl FnMut(&[u8])) -> Result<()> {
        let (mut listen, mut alarm) = (pin!(self.listen(each)), pin!(alarm::until(due)));
        poll_fn(|cx| match listen.as_mut().poll(cx) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => alarm.as_mut().poll(cx).map(Ok),
        })
        .await
    }

    /// Takes in what comes until that fails.
    async fn listen(&mut self, mut each: impl FnMut(&[u8])) -> anyhow::Error {
        loop {
            if let Err(error) = self.socket.drain(&mut each).await {
                return error;
            }
        }
    }
}

/// How a refusal counts: by code and message, which the server words alike for everybody.
pub fn refusal(error: &Error) -> String {
    format!("refused with {}: {}", error.code, error.message)
}
