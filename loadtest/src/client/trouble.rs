//! What went wrong, in words that the reader of a report understands, and what can be done about it.

use std::{error::Error as StdError, fmt, io};

use serde::Deserialize;

/// `EMFILE`: this process has no descriptor left.
const TOO_MANY_OPEN_FILES: i32 = 24;
/// Bytes of an answer's body that are told where it is no error of the protocol.
const TOLD_LEN_MAX: usize = 80;

/// How a server failed a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// The connection ended where an answer was due.
    Closed,
    /// An answer that was not hoped for. The message is the server's own.
    Answered { what: &'static str, status: u16, message: String },
    /// A gRPC status other than 0.
    Refused { what: &'static str, code: String, message: String },
    /// What came is no answer in the protocol.
    Strange,
}

impl StdError for Trouble {}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, status, message) = match self {
            Self::Closed => return f.write_str("the server closed the connection"),
            Self::Strange => return f.write_str("the answer is no HTTP"),
            Self::Answered { what, status, message } => (what, status.to_string(), message),
            Self::Refused { what, code, message } => (what, format!("gRPC status {code}"), message),
        };
        write!(f, "{what} answered {status}")?;
        if message.is_empty() { Ok(()) } else { write!(f, ": {message}") }
    }
}

impl Trouble {
    /// An HTTP answer that is not the one that was hoped for.
    pub fn answered(what: &'static str, status: u16, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            message: String,
        }

        let message = match serde_json::from_slice::<Body>(body) {
            Ok(body) => body.message,
            Err(_) => String::from_utf8_lossy(body).trim().chars().take(TOLD_LEN_MAX).collect(),
        };
        Self::Answered { what, status, message }
    }
}

/// How an error counts: alike for all who met the same.
pub fn words(error: &anyhow::Error) -> String {
    let words = |error: &(dyn StdError + 'static)| {
        let known = error.downcast_ref::<io::Error>().and_then(of_the_system);
        known.map_or_else(|| error.to_string(), str::to_owned)
    };
    error.chain().map(words).collect::<Vec<_>>().join(": ")
}

fn of_the_system(error: &io::Error) -> Option<&'static str> {
    if error.raw_os_error() == Some(TOO_MANY_OPEN_FILES) {
        return Some("too many open files here");
    }
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there (connection refused)",
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => "the server cut the connection",
        io::ErrorKind::TimedOut => "no answer from that address (timed out)",
        io::ErrorKind::AddrNotAvailable => "this host has no local port left",
        _ => return None,
    })
}

/// What whoever started a run that failed can do about it.
pub fn advice(error: &anyhow::Error) -> Option<&'static str> {
    const PORT: &str = "Does the target name the port of players' requests (socket.port, 7350 by default), \
                        without TLS?";

    let system = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    if let Some(system) = system {
        return match system.kind() {
            io::ErrorKind::ConnectionRefused => Some("Does the server run, and on that port?"),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Some(PORT),
            _ if system.raw_os_error() == Some(TOO_MANY_OPEN_FILES) => {
                Some("Raise the limit: ulimit -n \"$(ulimit -Hn)\"")
            }
            _ => None,
        };
    }
    match error.downcast_ref::<Trouble>()? {
        Trouble::Answered { status: 401, .. } => {
            Some("The server has another key: name it with --key (socket.server_key).")
        }
        Trouble::Refused { code, .. } if code == "16" => {
            Some("The server has another key: name it with --key (socket.server_key).")
        }
        Trouble::Closed | Trouble::Strange => Some(PORT),
        Trouble::Answered { status: 404 | 405 | 501, what, .. }
            if ["sign-in", "the handshake"].contains(what) =>
        {
            Some(PORT)
        }
        Trouble::Answered { .. } | Trouble::Refused { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    fn of_kind(kind: io::ErrorKind) -> anyhow::Error {
        Err::<(), _>(io::Error::from(kind)).context("room join").unwrap_err()
    }

    #[test]
    fn errors_of_the_system_are_told_in_words_after_what_was_done() {
        let cut = words(&of_kind(io::ErrorKind::ConnectionReset));
        assert_eq!(cut, "room join: the server cut the connection");
        assert_eq!(words(&of_kind(io::ErrorKind::BrokenPipe)), cut, "the same for whoever watches");
    }

    #[test]
    fn answers_are_told_with_the_servers_message() {
        let json =
            Trouble::answered("sign-in", 401, b"{\"code\":16,\"message\":\"Server key invalid\"}");
        assert_eq!(json.to_string(), "sign-in answered 401: Server key invalid");
        assert_eq!(Trouble::answered("sign-in", 405, b"").to_string(), "sign-in answered 405");
        let page = Trouble::answered("sign-in", 200, &[b'<'; 5000]).to_string();
        assert!(page.len() < 200, "{page}");
    }

    #[test]
    fn what_can_be_done_is_said_where_something_can() {
        let advice = |trouble: Trouble| advice(&anyhow::Error::new(trouble));
        let answered = |status| Trouble::answered("sign-in", status, b"");
        assert!(advice(answered(401)).unwrap().contains("--key"));
        assert!(advice(answered(404)).unwrap().contains("socket.port"));
        assert!(advice(Trouble::Closed).unwrap().contains("socket.port"));
        assert_eq!(advice(answered(500)), None);
        assert!(super::advice(&of_kind(io::ErrorKind::ConnectionRefused)).is_some());
    }
}
