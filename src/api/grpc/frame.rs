//! The frame around a gRPC message: one byte that tells compression, four of length, the message.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::io::{Read, Write};

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

use crate::error::{Error, ErrorKind};

pub const PREFIX_LEN: usize = 5;

/// How messages of a call are packed, as `grpc-encoding` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// `None` for one that this server does not know.
    pub fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("identity" | "") => Some(Self::Identity),
            Some("gzip") => Some(Self::Gzip),
            Some(_) => None,
        }
    }
}

/// The one message of a unary request, at most `len_max` bytes after unpacking.
pub fn unary_message(body: &Bytes, encoding: Encoding, len_max: usize) -> Result<Bytes, Error> {
    let Some((prefix, rest)) = body.split_first_chunk::<PREFIX_LEN>() else {
        return Err(Error::internal("The request holds no whole gRPC message."));
    };
    let [packed, length @ ..] = *prefix;
    let length = u32::from_be_bytes(length) as usize;
    if length > len_max {
        return Err(too_large(len_max));
    }
    if rest.len() < length {
        return Err(Error::internal("The gRPC message is shorter than it says."));
    }
    if rest.len() > length {
        return Err(Error::internal("A unary call takes one gRPC message."));
    }
    match (packed, encoding) {
        (0, _) => Ok(body.slice(PREFIX_LEN..)),
        (1, Encoding::Gzip) => unpack(rest, len_max),
        (1, Encoding::Identity) => Err(Error::internal(
            "The gRPC message is compressed, but grpc-encoding does not say how.",
        )),
        _ => Err(Error::internal("The gRPC message has an unknown flag.")),
    }
}

fn unpack(packed: &[u8], len_max: usize) -> Result<Bytes, Error> {
    let mut message = Vec::with_capacity(packed.len().saturating_mul(2).min(len_max));
    // One byte more than allowed tells that there is more.
    let mut bounded = MultiGzDecoder::new(packed).take(len_max as u64 + 1);
    bounded
        .read_to_end(&mut message)
        .map_err(|_| Error::internal("The gRPC message cannot be decompressed."))?;
    if message.len() > len_max {
        return Err(too_large(len_max));
    }
    Ok(message.into())
}

fn too_large(len_max: usize) -> Error {
    Error::new(
        ErrorKind::ResourceExhausted,
        format!("The gRPC message is larger than {len_max} bytes."),
    )
}

/// A message in its frame.
pub fn framed(message: &impl prost::Message, encoding: Encoding) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX_LEN + length);
    match encoding {
        Encoding::Identity => {
            frame.put_u8(0);
            frame.put_u32(length as u32);
            message.encode_raw(&mut frame);
        }
        Encoding::Gzip => {
            frame.put_bytes(0, PREFIX_LEN);
            let mut packer = GzEncoder::new(frame.writer(), Compression::fast());
            // Writing to memory does not fail; were it to, the client would see a broken stream.
            let _ = packer.write_all(&message.encode_to_vec());
            frame = packer.finish().map(bytes::buf::Writer::into_inner).unwrap_or_default();
            let packed = frame.len().saturating_sub(PREFIX_LEN) as u32;
            if let Some(prefix) = frame.first_chunk_mut::<PREFIX_LEN>() {
                let [a, b, c, d] = packed.to_be_bytes();
                *prefix = [1, a, b, c, d];
            }
        }
    }
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use kakera_proto::api;
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    fn sample(len: usize) -> api::Rpc {
        api::Rpc { id: "echo".into(), payload: "x".repeat(len), ..Default::default() }
    }

    #[test]
    fn a_message_survives_its_frame_in_both_encodings() {
        for encoding in [Encoding::Identity, Encoding::Gzip] {
            let frame = framed(&sample(1000), encoding);
            let message = unary_message(&frame, encoding, 4096).unwrap();
            assert_eq!(api::Rpc::decode(message).unwrap(), sample(1000));
        }
        let plain = framed(&sample(3), Encoding::Identity);
        assert!(unary_message(&plain, Encoding::Gzip, 100).is_ok(), "each message says for itself");
    }

    #[test]
    fn a_bomb_is_cut_at_the_bound() {
        let frame = framed(&sample(1_000_000), Encoding::Gzip);
        assert!(frame.len() < 10_000);
        let refused = unary_message(&frame, Encoding::Gzip, 10_000).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::ResourceExhausted);
        let refused =
            unary_message(&framed(&sample(200), Encoding::Identity), Encoding::Identity, 199);
        assert_eq!(refused.unwrap_err().kind, ErrorKind::ResourceExhausted);
    }

    #[test]
    fn what_is_not_one_whole_message_is_refused() {
        let frame = framed(&sample(10), Encoding::Identity);
        let cut = frame.slice(..frame.len() - 1);
        let twice = [frame.clone(), frame.clone()].concat();
        let mut flagged = frame.to_vec();
        flagged[0] = 1;
        let mut unknown = frame.to_vec();
        unknown[0] = 7;
        for body in [Bytes::new(), cut, twice.into(), flagged.into(), unknown.into()] {
            let refused = unary_message(&body, Encoding::Identity, 4096).unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Internal);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            for encoding in [Encoding::Identity, Encoding::Gzip] {
                let _ = unary_message(&body.clone().into(), encoding, 32);
            }
        }
    }
}
