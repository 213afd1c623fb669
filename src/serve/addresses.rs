//! Where a node listens, and whether it may.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{Config, SocketProtocol};

/// Where a node listens.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    /// HTTP, WebSocket, and gRPC where HTTP/2 is spoken.
    pub(super) http: SocketAddr,
    /// gRPC, one port below.
    pub(super) grpc: SocketAddr,
    pub(super) console: SocketAddr,
    /// For scrapes, where they are wanted.
    pub(super) metrics: Option<SocketAddr>,
}

/// Why a node cannot listen where it should.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("{key}: {value:?} is not an IP address of this host")]
    NotAnAddress { key: &'static str, value: String },
    #[error("{key}: cannot listen on {address}: {why}")]
    Taken { key: &'static str, address: SocketAddr, why: std::io::Error },
}

impl Addresses {
    /// The configured addresses, each of which is free.
    pub(super) fn of(config: &Config) -> Result<Self, AddressError> {
        let socket = &config.socket;
        let host = host("socket.address", &socket.address, socket.protocol)?;
        let console = &config.console;
        let console_host = self::host("console.address", &console.address, socket.protocol)?;
        let addresses = Self {
            http: SocketAddr::new(host, socket.port),
            grpc: SocketAddr::new(host, socket.port - 1),
            console: SocketAddr::new(console_host, console.port),
            metrics: match config.metrics.prometheus_port {
                0 => None,
                port => Some(SocketAddr::new(host, port)),
            },
        };
        // The shards share their ports (SO_REUSEPORT), and would share them with another process of the
        // same user as well: binding alone, for a moment, tells whether somebody listens there.
        let metrics = addresses.metrics.map(|address| ("metrics.prometheus_port", address));
        let all = [
            ("socket.port", addresses.http),
            ("socket.port - 1 (gRPC)", addresses.grpc),
            ("console.port", addresses.console),
        ];
        for (key, address) in all.into_iter().chain(metrics) {
            bind_alone(address).map_err(|why| AddressError::Taken { key, address, why })?;
        }
        Ok(addresses)
    }
}

/// Binds and does not listen: who connected meanwhile would be reset when this is dropped.
fn bind_alone(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server that has just ended do not count.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn host(key: &'static str, value: &str, protocol: SocketProtocol) -> Result<IpAddr, AddressError> {
    if value.is_empty() {
        // The unspecified IPv6 address takes IPv4 as well, where the host has IPv6 at all.
        let has_ipv6 = || bind_alone((Ipv6Addr::UNSPECIFIED, 0).into()).is_ok();
        return Ok(match protocol {
            SocketProtocol::V6 => Ipv6Addr::UNSPECIFIED.into(),
            SocketProtocol::Both if has_ipv6() => Ipv6Addr::UNSPECIFIED.into(),
            SocketProtocol::V4 | SocketProtocol::Both => Ipv4Addr::UNSPECIFIED.into(),
        });
    }
    if let Ok(address) = value.parse() {
        return Ok(address);
    }
    // A name of this host, as `localhost`.
    let not_an_address = || AddressError::NotAnAddress { key, value: value.to_owned() };
    let mut found = std::net::ToSocketAddrs::to_socket_addrs(&(value, 0))
        .map_err(|_| not_an_address())?
        .map(|address| address.ip())
        .filter(|ip| match protocol {
            SocketProtocol::V4 => ip.is_ipv4(),
            SocketProtocol::V6 => ip.is_ipv6(),
            SocketProtocol::Both => true,
        });
    found.next().ok_or_else(not_an_address)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn config(port: u16) -> Config {
        let mut config = Config::default();
        config.socket.port = port;
        config.socket.address = "127.0.0.1".into();
        config.console.address = "127.0.0.1".into();
        config
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_refused_by_its_key() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Addresses::of(&config(port)).unwrap_err();
        assert!(error.to_string().starts_with("socket.port: cannot listen on"), "{error}");
    }

    #[test]
    fn nobody_gets_a_connection_before_the_shards_listen() {
        let bound = bind_alone((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = bound.local_addr().unwrap().as_socket().unwrap();
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn an_address_may_be_a_name_and_must_be_one_of_this_host() {
        assert_eq!(
            host("k", "localhost", SocketProtocol::V4).unwrap(),
            IpAddr::from(Ipv4Addr::LOCALHOST)
        );
        assert!(host("k", "not a host", SocketProtocol::Both).is_err());
        assert!(host("k", "", SocketProtocol::V4).unwrap().is_unspecified());
    }
}
