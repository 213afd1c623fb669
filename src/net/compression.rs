//! gzip (RFC 1952) and raw deflate (RFC 1951), which is what `deflate` means to the reference server.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};
use http::{HeaderMap, header};

/// Spends little time and gets most of the gain on JSON.
const LEVEL: u32 = 3;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Magic, deflate, no flags, no time, no extra flags, unknown system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// Members of a gzip body; each costs as much to begin as kilobytes to read.
const MEMBERS_MAX: usize = 16;
/// Output grows by this much at least.
const STEP: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Deflate,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// The encoding of a request's body.
    pub(super) fn of_body(headers: &HeaderMap) -> Option<Self> {
        match headers.get(header::CONTENT_ENCODING)?.as_bytes() {
            b"gzip" => Some(Self::Gzip),
            b"deflate" => Some(Self::Deflate),
            _ => None,
        }
    }

    /// The first encoding of ours that the client lists and does not rule out.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        headers
            .get_all(header::ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .find_map(|entry| {
                let (name, weight) = entry.split_once(';').unwrap_or((entry, ""));
                let weight = weight.trim().strip_prefix("q=").map(str::trim);
                if weight.is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0)) {
                    return None;
                }
                match name.trim() {
                    name if name.eq_ignore_ascii_case("gzip") => Some(Self::Gzip),
                    name if name.eq_ignore_ascii_case("deflate") => Some(Self::Deflate),
                    _ => None,
                }
            })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    Corrupt,
    TooLarge,
}

/// Decompresses a body of at most `max` bytes.
pub(super) fn decode(encoding: Encoding, body: &Bytes, max: usize) -> Result<Bytes, DecodeError> {
    match encoding {
        Encoding::Deflate => inflate(body, max).map(|(out, _)| out.into()),
        // A proxy may have decompressed it and left the header.
        Encoding::Gzip if !body.starts_with(&GZIP_MAGIC) => Ok(body.clone()),
        Encoding::Gzip => gunzip(body, max).map(Bytes::from),
    }
}

fn gunzip(mut body: &[u8], max: usize) -> Result<Vec<u8>, DecodeError> {
    let mut all = Vec::new();
    // A stream may have several members.
    for _ in 0..MEMBERS_MAX {
        if body.is_empty() {
            break;
        }
        let payload = body.get(gzip_head_len(body)?..).ok_or(DecodeError::Corrupt)?;
        let (out, used) = inflate(payload, max - all.len())?;
        let (tail, rest) = payload
            .get(used..)
            .and_then(|rest| rest.split_first_chunk::<8>())
            .ok_or(DecodeError::Corrupt)?;
        let (crc, len) = tail.split_at(4);
        let mut sum = Crc::new();
        sum.update(&out);
        if crc != sum.sum().to_le_bytes() || len != (out.len() as u32).to_le_bytes() {
            return Err(DecodeError::Corrupt);
        }
        all.extend_from_slice(&out);
        body = rest;
    }
    if body.is_empty() { Ok(all) } else { Err(DecodeError::TooLarge) }
}

/// The length of a member's head: ten bytes and what its flags announce.
fn gzip_head_len(member: &[u8]) -> Result<usize, DecodeError> {
    let head: &[u8; 10] = member.first_chunk().ok_or(DecodeError::Corrupt)?;
    let [magic_1, magic_2, method, flags, ..] = *head;
    if [magic_1, magic_2] != GZIP_MAGIC || method != 8 || flags & 0xe0 != 0 {
        return Err(DecodeError::Corrupt);
    }
    let mut at = 10;
    if flags & 4 != 0 {
        let len = member.get(at..at + 2).and_then(|len| len.try_into().ok());
        at += 2 + usize::from(u16::from_le_bytes(len.ok_or(DecodeError::Corrupt)?));
    }
    for text in [8, 16] {
        if flags & text != 0 {
            let rest = member.get(at..).ok_or(DecodeError::Corrupt)?;
            at += 1 + rest.iter().position(|&byte| byte == 0).ok_or(DecodeError::Corrupt)?;
        }
    }
    Ok(at + if flags & 2 == 0 { 0 } else { 2 })
}

/// Also says how many bytes of the input were used.
fn inflate(body: &[u8], max: usize) -> Result<(Vec<u8>, usize), DecodeError> {
    let mut inflater = Decompress::new(false);
    let mut out = Vec::new();
    loop {
        let used = inflater.total_in() as usize;
        let rest = body.get(used..).unwrap_or_default();
        if out.len() == out.capacity() {
            // One byte beyond the bound tells that there is more.
            out.reserve(STEP.max(out.len()).min(max + 1 - out.len()).max(1));
        }
        let before = out.len();
        let status = inflater
            .decompress_vec(rest, &mut out, FlushDecompress::None)
            .map_err(|_| DecodeError::Corrupt)?;
        if out.len() > max {
            return Err(DecodeError::TooLarge);
        }
        let stuck = inflater.total_in() as usize == used && out.len() == before;
        match status {
            Status::StreamEnd => return Ok((out, inflater.total_in() as usize)),
            Status::Ok | Status::BufError if stuck && out.len() < out.capacity() => {
                return Err(DecodeError::Corrupt);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

thread_local! {
    /// A compressor is hundreds of KiB: a shard has one.
    static DEFLATER: RefCell<Compress> =
        RefCell::new(Compress::new(Compression::new(LEVEL), false));
}

/// Compresses a body; None where that does not make it smaller.
pub(super) fn encode(encoding: Encoding, body: &[u8]) -> Option<Bytes> {
    // What does not fit is not worth it.
    let mut out = Vec::with_capacity(body.len());
    if encoding == Encoding::Gzip {
        out.extend_from_slice(&GZIP_HEAD);
    }
    let status = DEFLATER.with_borrow_mut(|deflater| {
        deflater.reset();
        deflater.compress_vec(body, &mut out, FlushCompress::Finish)
    });
    if !matches!(status, Ok(Status::StreamEnd)) {
        return None;
    }
    if encoding == Encoding::Gzip {
        let mut sum = Crc::new();
        sum.update(body);
        out.extend_from_slice(&sum.sum().to_le_bytes());
        out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    }
    (out.len() < body.len()).then(|| out.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::{read::DeflateDecoder, read::MultiGzDecoder, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    fn json(len: usize) -> Vec<u8> {
        br#"{"user_id":"abc","score":12},"#.iter().copied().cycle().take(len).collect()
    }

    #[test]
    fn another_decoder_reads_what_we_encode() {
        let body = json(20_000);
        let gzip = encode(Encoding::Gzip, &body).unwrap();
        let mut back = Vec::new();
        MultiGzDecoder::new(&gzip[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, body);
        let deflate = encode(Encoding::Deflate, &body).unwrap();
        back.clear();
        DeflateDecoder::new(&deflate[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, body);
        assert!(gzip.len() < body.len() / 10);
    }

    #[test]
    fn what_does_not_shrink_is_left_alone() {
        let noise: Vec<u8> =
            (0..4000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert!(encode(Encoding::Gzip, &noise).is_none_or(|out| out.len() < noise.len()));
        assert_eq!(encode(Encoding::Gzip, b"tiny"), None);
    }

    #[test]
    fn a_bomb_is_stopped_at_the_bound() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 50 << 20]).unwrap();
        let bomb: Bytes = encoder.finish().unwrap().into();
        assert!(bomb.len() < 100_000);
        assert_eq!(decode(Encoding::Gzip, &bomb, 1 << 20), Err(DecodeError::TooLarge));
    }

    #[test]
    fn a_body_of_many_members_is_read_up_to_their_bound() {
        let member = encode(Encoding::Gzip, &json(100)).unwrap();
        let members = |count| Bytes::from(member.repeat(count));
        let whole = decode(Encoding::Gzip, &members(MEMBERS_MAX), 1 << 20).unwrap();
        assert_eq!(whole, json(100).repeat(MEMBERS_MAX));
        let more = decode(Encoding::Gzip, &members(MEMBERS_MAX + 1), 1 << 20);
        assert_eq!(more, Err(DecodeError::TooLarge));
    }

    #[test]
    fn the_bound_itself_is_allowed() {
        let body = json(1000);
        let packed = encode(Encoding::Deflate, &body).unwrap();
        assert_eq!(decode(Encoding::Deflate, &packed, 1000), Ok(body.into()));
        assert_eq!(decode(Encoding::Deflate, &packed, 999), Err(DecodeError::TooLarge));
    }

    #[test]
    fn corrupt_and_cut_bodies_are_refused() {
        let whole = encode(Encoding::Gzip, &json(2000)).unwrap();
        for cut in [3, 11, whole.len() / 2, whole.len() - 1] {
            let cut = whole.slice(..cut);
            assert_eq!(decode(Encoding::Gzip, &cut, 1 << 20), Err(DecodeError::Corrupt));
        }
        let mut wrong_sum = whole.to_vec();
        let at = wrong_sum.len() - 6;
        wrong_sum[at] ^= 1;
        assert_eq!(decode(Encoding::Gzip, &wrong_sum.into(), 1 << 20), Err(DecodeError::Corrupt));
    }

    #[test]
    fn a_plain_body_under_a_gzip_header_is_taken_as_it_is() {
        let body = Bytes::from_static(b"{}");
        assert_eq!(decode(Encoding::Gzip, &body, 10), Ok(body));
    }

    #[test]
    fn a_refused_encoding_is_not_chosen() {
        let choose = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, http::HeaderValue::from_static(text));
            Encoding::accepted(&headers)
        };
        assert_eq!(choose("br, gzip;q=0, deflate"), Some(Encoding::Deflate));
        assert_eq!(choose("gzip, deflate, br"), Some(Encoding::Gzip));
        assert_eq!(choose("identity"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail_within_the_bound(body in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut gzip = GZIP_HEAD.to_vec();
            gzip.extend_from_slice(&body);
            for (encoding, bytes) in [(Encoding::Gzip, gzip), (Encoding::Deflate, body)] {
                if let Ok(out) = decode(encoding, &bytes.into(), 10_000) {
                    prop_assert!(out.len() <= 10_000);
                }
            }
        }
    }
}
