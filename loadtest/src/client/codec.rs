//! Envelopes in the format that the sockets speak.

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use kakera_proto::{
    json::{self, Unknown, Unset},
    realtime::{Envelope, envelope},
};
use prost::Message as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Json,
    Protobuf,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Protobuf => "protobuf",
        }
    }

    pub fn encode(self, cid: &str, message: envelope::Message) -> Vec<u8> {
        let envelope = Envelope { cid: cid.to_owned(), message: Some(message) };
        match self {
            Self::Json => json::to_vec(&envelope, Unset::Omit),
            Self::Protobuf => envelope.encode_to_vec(),
        }
    }

    pub fn decode(self, payload: &[u8]) -> Result<Envelope> {
        match self {
            Self::Json => {
                json::from_slice(payload, Unknown::Ignore).map_err(|error| anyhow!("{error}"))
            }
            Self::Protobuf => Ok(Envelope::decode(payload)?),
        }
    }
}
