//! New connections, more than one address's ports can hold.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::net::{TcpSocket, TcpStream};

/// Connections from one loopback address before the next is taken: under the default range of ports.
const CONNECTIONS_PER_ADDRESS: u32 = 20_000;

/// How long a server may take to accept.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// Addresses that take turns: 127.0.0.1 and up.
const ADDRESSES: u32 = 200;

/// Connects, from 127.0.0.x in turn when the target is on this host. `receive_bytes` bounds the kernel's
/// receive buffer, for clients that mean to be slow.
pub async fn connect(target: SocketAddr, receive_bytes: Option<u32>) -> Result<TcpStream> {
    open(target, receive_bytes).await.with_context(|| format!("cannot connect to {target}"))
}

async fn open(target: SocketAddr, receive_bytes: Option<u32>) -> io::Result<TcpStream> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    if target.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        let turn = COUNT.fetch_add(1, Ordering::Relaxed) / CONNECTIONS_PER_ADDRESS % ADDRESSES;
        if turn > 0 {
            let address = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + turn);
            socket.bind(SocketAddr::new(address.into(), 0))?;
        }
    }
    let stream = tokio::time::timeout(CONNECT_TIME_MAX, socket.connect(target))
        .await
        .map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
