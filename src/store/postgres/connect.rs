//! Making connections.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
    sync::Arc,
    time::Duration,
};

use kakera_shards::{
    runtime::{self, offload, timeout},
    socket::{Sockets, Stream},
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{Client, Config, NoTls, config::SslMode, tls::TlsConnect};

use super::{
    address::{Address, Host, TlsMode},
    error::{UNDEFINED_DATABASE, describe, store_error},
    tls::{self, Tls},
};
use crate::store::error::StoreError;

/// An address with what it takes to connect to it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: Address,
    tls: Option<Arc<ClientConfig>>,
}

/// Why a connection could not be made.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// The server is there, the database is not.
    NoDatabase,
    /// Anything else, in words that name the address and no password.
    Other(StoreError),
}

impl From<ConnectError> for StoreError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::NoDatabase => StoreError::Schema(
                "the database does not exist; run `kakera migrate up`, which makes it".into(),
            ),
            ConnectError::Other(error) => error,
        }
    }
}

impl Target {
    /// Reads an address and the files it names. Blocks; only while starting up.
    pub(super) fn prepare(address: &str) -> Result<Self, StoreError> {
        let address = Address::parse(address)?;
        let encrypts = address.tls != TlsMode::Disable && matches!(address.host, Host::Tcp { .. });
        let tls = encrypts.then(|| tls::client_config(&address)).transpose()?;
        Ok(Self { address, tls })
    }

    /// The same server, another database.
    pub(super) fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        name.clone_into(&mut other.address.database);
        other
    }

    /// Makes a connection and starts the task that serves it. Each address of its name, and finding
    /// those, may take as long as `limit`.
    pub(super) async fn connect(
        &self,
        sockets: &Sockets,
        limit: Duration,
    ) -> Result<Client, ConnectError> {
        let (name, port) = match &self.address.host {
            Host::Unix(path) => {
                let client = timeout(limit, self.connect_unix(sockets, path)).await;
                return client.unwrap_or_else(|| Err(self.silent()));
            }
            Host::Tcp { name, port } => (name, *port),
        };
        let found = timeout(limit, resolve(name, port)).await;
        let found = found.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
        let addresses = found.map_err(|error| self.unavailable(&error))?;
        self.connect_any(sockets, &addresses, name, limit).await
    }

    /// Connects to the first address where a server answers, whatever its answer.
    pub(super) async fn connect_any(
        &self,
        sockets: &Sockets,
        addresses: &[SocketAddr],
        name: &str,
        limit: Duration,
    ) -> Result<Client, ConnectError> {
        let mut last = self.unavailable("its name has no address");
        for &address in addresses {
            let attempt = async {
                match sockets.connect_tcp(address).await {
                    Ok(stream) => Ok(self.connect_tcp(stream, name).await),
                    Err(error) => Err(self.unavailable(&error)),
                }
            };
            match timeout(limit, attempt).await {
                Some(Ok(answer)) => return answer,
                Some(Err(error)) => last = error,
                None => last = self.silent(),
            }
        }
        Err(last)
    }

    async fn connect_unix(&self, sockets: &Sockets, path: &Path) -> Result<Client, ConnectError> {
        let stream = sockets.connect_unix(path).await.map_err(|error| self.unavailable(&error))?;
        let mut config = self.config();
        config.ssl_mode(SslMode::Disable);
        self.start(stream, NoTls, &config).await
    }

    async fn connect_tcp(&self, stream: Stream, name: &str) -> Result<Client, ConnectError> {
        let mut config = self.config();
        let Some(tls) = &self.tls else {
            config.ssl_mode(SslMode::Disable);
            return self.start(stream, NoTls, &config).await;
        };
        let required = self.address.tls != TlsMode::Prefer;
        config.ssl_mode(if required { SslMode::Require } else { SslMode::Prefer });
        let host = ServerName::try_from(name.to_owned())
            .map_err(|_| self.unavailable("its name cannot stand in a certificate"))?;
        self.start(stream, Tls { config: Arc::clone(tls), host }, &config).await
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config.user(&self.address.user).dbname(&self.address.database).application_name("kakera");
        if let Some(password) = &self.address.password {
            config.password(password);
        }
        if !self.address.options.is_empty() {
            config.options(self.address.options.trim_end());
        }
        config
    }

    async fn start<S, T>(&self, stream: S, tls: T, config: &Config) -> Result<Client, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        T: TlsConnect<S>,
        T::Stream: 'static,
    {
        let (client, connection) =
            config.connect_raw(stream, tls).await.map_err(|error| self.refused(&error))?;
        let place = self.address.to_string();
        runtime::spawn("store connection", async move {
            if let Err(error) = connection.await {
                tracing::warn!(
                    database = place,
                    error = describe(&error),
                    "a database connection ended"
                );
            }
        });
        Ok(client)
    }

    fn refused(&self, error: &tokio_postgres::Error) -> ConnectError {
        match error.code().map(tokio_postgres::error::SqlState::code) {
            Some(UNDEFINED_DATABASE) => ConnectError::NoDatabase,
            // Wrong password, no such user, no right to connect: what is said is the server's own.
            Some(code) if code.starts_with("28") => {
                self.unavailable(&format_args!("it refuses us ({code}): {}", describe(error)))
            }
            Some(_) => match store_error(error) {
                StoreError::Unavailable(what) => self.unavailable(&what),
                other => ConnectError::Other(other),
            },
            None => self.unavailable(&describe(error)),
        }
    }

    pub(super) fn silent(&self) -> ConnectError {
        self.unavailable("it did not answer in time")
    }

    fn unavailable(&self, what: &(impl std::fmt::Display + ?Sized)) -> ConnectError {
        let text = format!("{}: {what}", self.address);
        ConnectError::Other(StoreError::Unavailable(text.into()))
    }
}

/// Looks a name up on a thread that may block.
async fn resolve(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = name.parse() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let name = name.to_owned();
    let found =
        offload(move || (name.as_str(), port).to_socket_addrs().map(Iterator::collect)).await;
    found.map_err(io::Error::other)?
}
