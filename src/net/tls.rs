//! TLS between a socket and the protocol over it, without I/O of its own.

use std::{
    cell::{Cell, RefCell},
    io::{self, Read, Write},
    path::PathBuf,
    rc::Rc,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use kakera_shards::socket::{Closed, Consumer, Gone, Pace, Socket, Transport};
use rustls::{
    ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// Plaintext that is taken out of a connection at once.
const PIECE_LEN: usize = 16 * 1024;

/// Why certificates are not usable. Those in use stay in use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the certificate file {path} cannot be read: {error}")]
    Certificate { path: PathBuf, error: rustls::pki_types::pem::Error },
    #[error("the private key file {path} cannot be read: {error}")]
    Key { path: PathBuf, error: rustls::pki_types::pem::Error },
    #[error("the certificate file {0} holds no certificate")]
    Empty(PathBuf),
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// A certificate and its key. Clones share them, on all shards; a reload concerns new connections.
#[derive(Clone)]
pub struct Certificates {
    files: Arc<Files>,
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Certificates {
    /// Reads PEM files: a chain that begins with the server's own certificate, and its private key.
    /// Blocks on the files: for start-up.
    pub fn load(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let files = Files { certificate: certificate.into(), key: key.into() };
        let config = Arc::new(RwLock::new(read(&files)?));
        Ok(Self { files: Arc::new(files), config })
    }

    /// Reads the files again. Blocks on them: for a thread that may.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = read(&self.files)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    fn current(&self) -> Arc<ServerConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read(files: &Files) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |error| TlsError::Certificate { path: files.certificate.clone(), error };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .map_err(unreadable)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError::Empty(files.certificate.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError::Key { path: files.key.clone(), error })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Stateless tickets resume on any shard.
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}

struct Layer {
    socket: Socket,
    session: RefCell<ServerConnection>,
    consumer: RefCell<Option<Rc<dyn Consumer>>>,
    /// The consumer knows that the peer sends no more.
    ended: Cell<bool>,
}

/// A TLS connection of the server's side. Clones name the same one.
#[derive(Clone)]
pub struct TlsSocket(Rc<Layer>);

impl TlsSocket {
    /// Puts TLS over a socket; the handshake goes by itself as bytes come in.
    pub fn accept(socket: Socket, certificates: &Certificates) -> Result<Self, TlsError> {
        let session = RefCell::new(ServerConnection::new(certificates.current())?);
        let layer = Rc::new(Layer {
            socket,
            session,
            consumer: RefCell::new(None),
            ended: Cell::new(false),
        });
        layer.socket.consume(layer.clone());
        Ok(Self(layer))
    }
}

impl Transport for TlsSocket {
    fn consume(&self, consumer: Rc<dyn Consumer>) {
        let previous = self.0.consumer.replace(Some(consumer));
        drop(previous);
    }

    fn write(&self, bytes: &[u8], pace: Pace) -> Result<(), Gone> {
        if !self.0.socket.is_open() {
            return Err(Gone);
        }
        // The session takes a bounded amount at once.
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.0.session.borrow_mut().writer().write(rest).map_err(|_| Gone)?;
            rest = rest.get(taken..).unwrap_or_default();
            self.0.send(pace)?;
            if taken == 0 {
                return Err(Gone);
            }
        }
        Ok(())
    }

    fn write_bytes(&self, bytes: &Bytes, pace: Pace) -> Result<(), Gone> {
        self.write(bytes, pace)
    }

    fn socket(&self) -> &Socket {
        &self.0.socket
    }

    fn close(&self) {
        self.0.session.borrow_mut().send_close_notify();
        // Where the socket is gone there is nobody to be told.
        let _ = self.0.send(Pace::Now);
        self.0.socket.close();
    }
}

impl Layer {
    /// Queues what the session has to say.
    fn send(&self, pace: Pace) -> Result<(), Gone> {
        let mut records = Vec::new();
        {
            let mut session = self.session.borrow_mut();
            while session.wants_write() {
                match session.write_tls(&mut records) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        }
        if records.is_empty() { Ok(()) } else { self.socket.write_bytes(&records.into(), pace) }
    }

    /// Takes bytes of the peer, and says whether to go on.
    fn take(&self, input: &mut &[u8]) -> bool {
        let mut session = self.session.borrow_mut();
        let taken = session.read_tls(input);
        let fault = match taken {
            Ok(_) => session.process_new_packets().err(),
            Err(error) => {
                tracing::debug!(%error, "a TLS session takes no more bytes");
                drop(session);
                self.socket.close();
                return false;
            }
        };
        drop(session);
        if let Some(error) = fault {
            tracing::debug!(%error, "a TLS session failed");
            // The alert says why.
            let _ = self.send(Pace::Now);
            self.socket.close();
            self.end();
            return false;
        }
        true
    }

    /// Hands on what was decrypted; false at the end of the peer's stream.
    fn deliver(&self, piece: &mut [u8]) -> bool {
        loop {
            let read = self.session.borrow_mut().reader().read(piece);
            match read {
                Ok(0) => return false,
                Ok(len) => {
                    let consumer = self.consumer.borrow().clone();
                    if let (Some(consumer), Some(bytes)) = (consumer, piece.get_mut(..len)) {
                        consumer.data(bytes);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
    }

    fn end(&self) {
        let consumer = self.consumer.borrow().clone();
        if !self.ended.replace(true)
            && let Some(consumer) = consumer
        {
            consumer.ended();
        }
    }
}

thread_local! {
    /// Where plaintext is decrypted to: one for all connections of a shard.
    static PIECE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Consumer for Layer {
    fn data(&self, bytes: &mut [u8]) {
        let mut piece = PIECE.take();
        piece.resize(PIECE_LEN, 0);
        let mut input: &[u8] = bytes;
        while !input.is_empty() && !self.ended.get() {
            if !self.take(&mut input) {
                break;
            }
            if !self.deliver(&mut piece) {
                self.end();
            }
        }
        PIECE.set(piece);
        // Handshake, tickets, key updates; writes of the consumer went already.
        let _ = self.send(Pace::Now);
    }

    fn ended(&self) {
        self.end();
    }

    fn writable(&self) {
        let consumer = self.consumer.borrow().clone();
        if let Some(consumer) = consumer {
            consumer.writable();
        }
    }

    fn resumed(&self) {
        let consumer = self.consumer.borrow().clone();
        if let Some(consumer) = consumer {
            consumer.resumed();
        }
    }

    fn closed(&self, reason: Closed) {
        // The layer and its consumer point at each other.
        let consumer = self.consumer.take();
        if let Some(consumer) = consumer {
            consumer.closed(reason);
        }
    }
}
