//! How a gRPC call ends: `grpc-status` and `grpc-message`.

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::Error;

pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Adds the outcome to trailers, or to the head of a response without messages.
pub fn insert(headers: &mut HeaderMap, outcome: Result<(), &Error>) {
    match outcome {
        Ok(()) => {
            headers.insert(STATUS, HeaderValue::from_static("0"));
        }
        Err(error) => {
            headers.insert(STATUS, u16::from(error.kind.grpc_code()).into());
            // What is percent-encoded is always a valid header.
            if let Ok(message) = HeaderValue::try_from(percent_encoded(&error.message)) {
                headers.insert(MESSAGE, message);
            }
        }
    }
}

/// Everything but printable ASCII, and the percent sign, as `%XX`.
fn percent_encoded(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f.. => {
                // Writing to a string does not fail.
                let _ = write!(out, "%{byte:02X}");
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_percent_encoded_where_it_must_be() {
        assert_eq!(percent_encoded("100% sure\n"), "100%25 sure%0A");
        assert_eq!(percent_encoded("é"), "%C3%A9");
        assert_eq!(percent_encoded("Auth token invalid"), "Auth token invalid");
    }

    #[test]
    fn success_has_a_status_and_no_message() {
        let mut headers = HeaderMap::new();
        insert(&mut headers, Ok(()));
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[STATUS], "0");
        insert(&mut headers, Err(&Error::not_found("Account not found.")));
        assert_eq!(headers[STATUS], "5");
        assert_eq!(headers[MESSAGE], "Account not found.");
    }
}
