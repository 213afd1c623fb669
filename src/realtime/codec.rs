//! From the bytes of a message to an envelope.

use kakera_proto::{
    Invalid,
    json::{self, Unknown},
    realtime::Envelope,
};
use prost::Message as _;

use crate::fanout::Format;

/// What is wrong with a message. The session that sent it is closed.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    #[error("not an envelope in JSON: {0}")]
    Json(#[from] Invalid),
    #[error("not an envelope in protobuf: {0}")]
    Protobuf(#[from] prost::DecodeError),
}

/// Reads one envelope. Strict: JSON with an unknown field is malformed.
pub fn decode(format: Format, payload: &[u8]) -> Result<Envelope, Malformed> {
    Ok(match format {
        Format::Json => json::from_slice(payload, Unknown::Refuse)?,
        Format::Protobuf => Envelope::decode(payload)?,
    })
}

#[cfg(test)]
mod tests {
    use kakera_proto::realtime::{MatchDataSend, Ping, envelope::Message};

    use super::*;

    #[test]
    fn both_formats_read_the_same_envelope() {
        let envelope = Envelope {
            cid: "7".to_owned(),
            message: Some(Message::MatchDataSend(MatchDataSend {
                match_id: "m.".to_owned(),
                op_code: 1 << 40,
                data: b"hello".as_slice().into(),
                ..MatchDataSend::default()
            })),
        };
        let text = br#"{"cid":"7","match_data_send":{"match_id":"m.","op_code":"1099511627776","data":"aGVsbG8="}}"#;
        assert_eq!(decode(Format::Json, text).unwrap(), envelope);
        assert_eq!(decode(Format::Protobuf, &envelope.encode_to_vec()).unwrap(), envelope);
    }

    #[test]
    fn json_that_says_more_than_an_envelope_can_is_malformed() {
        let ping = Envelope { cid: String::new(), message: Some(Message::Ping(Ping {})) };
        assert_eq!(decode(Format::Json, br#"{"ping":{}}"#).unwrap(), ping);
        for text in [
            r#"{"ping":{},"pong":{}}"#,
            r#"{"ping":{"at":1}}"#,
            r#"{"pingg":{}}"#,
            r#"{"ping":{}} {}"#,
            r"[]",
            r"",
            r#"{"ping""#,
        ] {
            assert!(decode(Format::Json, text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_envelope_of_unknown_fields_only_is_empty_in_protobuf() {
        // Field 500, a varint.
        let unknown = [0xa0, 0x1f, 0x01];
        assert_eq!(decode(Format::Protobuf, &unknown).unwrap().message, None);
        assert!(decode(Format::Protobuf, &[0xff]).is_err());
    }
}
