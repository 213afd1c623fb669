//! Chunked bodies, which some servers answer with when an answer is long.

use anyhow::{Result, bail};

/// The body out of its chunks, once all are there.
pub fn decode(mut rest: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let (line, length) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((line, length))) => (line, length as usize),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => bail!("a chunk has no size"),
        };
        let Some(chunk) = rest.get(line..line + length + 2) else { return Ok(None) };
        if length == 0 {
            return Ok(Some(body));
        }
        body.extend_from_slice(&chunk[..length]);
        rest = &rest[line + length + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    const BODY: &[u8] = b"4\r\nkake\r\n2;note=x\r\nra\r\n0\r\n\r\n";

    #[test]
    fn chunks_join_to_the_body() {
        assert_eq!(decode(BODY).unwrap().unwrap(), b"kakera");
    }

    #[test]
    fn a_body_is_not_there_before_its_last_byte() {
        for length in 0..BODY.len() {
            assert!(decode(&BODY[..length]).unwrap().is_none(), "{length} bytes");
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(decode(b"zz\r\n").is_err());
    }
}
