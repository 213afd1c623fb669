//! Addresses, as `user:password@host:port/database?sslmode=..` or as `postgres://` URLs.

use std::{fmt, path::PathBuf};

use percent_encoding::percent_decode_str;

use crate::store::error::StoreError;

const PORT: u16 = 5432;
const USER: &str = "root";
const DATABASE: &str = "nakama";

/// Parameters that other clients understand and that mean nothing here.
const IGNORED: &[&str] = &[
    "application_name",
    "connect_timeout",
    "default_query_exec_mode",
    "description_cache_capacity",
    "pool_max_conn_idle_time",
    "pool_max_conn_lifetime",
    "pool_max_conns",
    "pool_min_conns",
    "statement_cache_capacity",
    "target_session_attrs",
];

/// Where a PostgreSQL server is and who we are to it. Printing it never shows the password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: Host,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: String,
    pub(super) tls: TlsMode,
    pub(super) root_certificate: Option<PathBuf>,
    /// Certificate and key files that we show to the server.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    /// Session settings from the query (`search_path`), as `-c name=value`.
    pub(super) options: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Tcp {
        name: String,
        port: u16,
    },
    /// The socket itself, not its folder.
    Unix(PathBuf),
}

/// How a connection is encrypted and whom it trusts, in libpq's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsMode {
    Disable,
    /// Encrypted if the server can, by any certificate.
    Prefer,
    /// Encrypted, by any certificate.
    Require,
    /// By a certificate that a trusted authority signed.
    VerifyCa,
    /// And that names the host.
    VerifyFull,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@", self.user)?;
        match &self.host {
            Host::Tcp { name, port } if name.contains(':') => write!(f, "[{name}]:{port}")?,
            Host::Tcp { name, port } => write!(f, "{name}:{port}")?,
            Host::Unix(path) => write!(f, "{}", path.display())?,
        }
        write!(f, "/{}", self.database)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Address {
    /// Reads an address. Errors say what is wrong without repeating the text, which may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
            .unwrap_or(text);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A password may hold an `@` or a slash that nobody has encoded.
        let (who, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (place, database) = place.split_once('/').unwrap_or((place, ""));
        let (user, password) = match who.split_once(':') {
            Some((user, password)) => (user, Some(decode(password)?)),
            None => (who, None),
        };
        let mut host = host(place)?;
        let mut address = Self {
            host: Host::Unix(PathBuf::new()),
            user: or_default(decode(user)?, USER),
            password: password.filter(|password| !password.is_empty()),
            database: or_default(decode(database)?, DATABASE),
            tls: TlsMode::Prefer,
            root_certificate: None,
            identity: None,
            options: String::new(),
        };
        let (mut certificate, mut key) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value)?;
            match name {
                "sslmode" => address.tls = tls_mode(&value)?,
                "sslrootcert" => address.root_certificate = Some(value.into()),
                "sslcert" => certificate = Some(PathBuf::from(value)),
                "sslkey" => key = Some(PathBuf::from(value)),
                "host" => host.0 = value,
                "port" => host.1 = port(&value)?,
                "user" => address.user = value,
                "password" => address.password = Some(value),
                "dbname" | "database" => address.database = value,
                name if IGNORED.contains(&name) => {}
                name if name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c)) => {
                    let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
                    address.options.extend(["-c ", name, "=", &value, " "]);
                }
                _ => return Err(malformed("its query has a name that is none")),
            }
        }
        address.identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(malformed("sslcert and sslkey belong together")),
        };
        if address.tls == TlsMode::Require && address.root_certificate.is_some() {
            // As libpq: who names an authority wants it checked.
            address.tls = TlsMode::VerifyCa;
        }
        let (name, port) = host;
        address.host = if name.starts_with('/') {
            Host::Unix(PathBuf::from(name).join(format!(".s.PGSQL.{port}")))
        } else {
            Host::Tcp { name: or_default(name, "localhost"), port }
        };
        Ok(address)
    }
}

fn host(place: &str) -> Result<(String, u16), StoreError> {
    if let Some(rest) = place.strip_prefix('[') {
        let (name, rest) = rest.split_once(']').ok_or_else(|| malformed("no ] after [host"))?;
        let given = rest.strip_prefix(':').map(port).transpose()?;
        return Ok((name.to_owned(), given.unwrap_or(PORT)));
    }
    match place.rsplit_once(':') {
        Some((name, given)) => Ok((decode(name)?, port(given)?)),
        None => Ok((decode(place)?, PORT)),
    }
}

fn port(text: &str) -> Result<u16, StoreError> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(malformed("its port is not a number from 1 to 65535")),
    }
}

fn tls_mode(text: &str) -> Result<TlsMode, StoreError> {
    match text {
        "disable" => Ok(TlsMode::Disable),
        "allow" | "prefer" => Ok(TlsMode::Prefer),
        "require" => Ok(TlsMode::Require),
        "verify-ca" => Ok(TlsMode::VerifyCa),
        "verify-full" => Ok(TlsMode::VerifyFull),
        _ => Err(malformed(
            "its sslmode is none of disable, allow, prefer, require, verify-ca, verify-full",
        )),
    }
}

fn decode(text: &str) -> Result<String, StoreError> {
    percent_decode_str(text)
        .decode_utf8()
        .map(String::from)
        .map_err(|_| malformed("its percent-encoding is not UTF-8"))
}

fn or_default(text: String, default: &str) -> String {
    if text.is_empty() { default.to_owned() } else { text }
}

fn malformed(what: &str) -> StoreError {
    StoreError::open(format_args!("a database address cannot be read: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(name: &str, port: u16) -> Host {
        Host::Tcp { name: name.into(), port }
    }

    #[test]
    fn both_forms_mean_the_same() {
        let short = Address::parse("ann:se%40cret@db.example:6000/game?sslmode=disable").unwrap();
        let url = "postgres://ann:se%40cret@db.example:6000/game?sslmode=disable";
        assert_eq!(short, Address::parse(url).unwrap());
        assert_eq!(short.host, tcp("db.example", 6000));
        assert_eq!((short.user.as_str(), short.password.as_deref()), ("ann", Some("se@cret")));
        assert_eq!((short.database.as_str(), short.tls), ("game", TlsMode::Disable));
    }

    #[test]
    fn what_is_left_out_has_the_usual_defaults() {
        let address = Address::parse("localhost").unwrap();
        assert_eq!(address.host, tcp("localhost", 5432));
        assert_eq!((address.user.as_str(), address.database.as_str()), ("root", "nakama"));
        assert_eq!((address.password, address.tls), (None, TlsMode::Prefer));
    }

    #[test]
    fn a_password_may_hold_anything_and_is_never_shown() {
        let address = Address::parse("ann:p@ss/w:rd@[::1]:26257/game").unwrap();
        assert_eq!(address.password.as_deref(), Some("p@ss/w:rd"));
        assert_eq!(address.host, tcp("::1", 26257));
        for shown in [address.to_string(), format!("{address:?}")] {
            assert_eq!(shown, "ann@[::1]:26257/game");
        }
        let error = Address::parse("ann:hush@host:port/game").unwrap_err();
        assert!(!error.to_string().contains("hush"));
    }

    #[test]
    fn a_folder_as_host_means_its_socket() {
        for text in ["ann@%2Frun%2Fpg:5433/game", "postgres://ann@/game?host=/run/pg&port=5433"] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.host, Host::Unix("/run/pg/.s.PGSQL.5433".into()));
        }
    }

    #[test]
    fn settings_of_the_session_pass_through() {
        let address = Address::parse("h/g?search_path=a%20b&pool_max_conns=7").unwrap();
        assert_eq!(address.options, "-c search_path=a\\ b ");
    }

    #[test]
    fn an_authority_that_is_named_is_checked() {
        let address = Address::parse("h/g?sslmode=require&sslrootcert=/ca.pem").unwrap();
        assert_eq!(address.tls, TlsMode::VerifyCa);
        assert!(Address::parse("h/g?sslmode=maybe").is_err());
        assert!(Address::parse("h/g?sslcert=/only.pem").is_err());
    }
}
