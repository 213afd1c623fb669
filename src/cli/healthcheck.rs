//! `kakera healthcheck [PORT]`: asks the server on this machine, for containers that have no curl.

use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
};

use kakera::limits::HEALTHCHECK_TIME_MAX;

use super::Failure;

pub(super) fn run(port: u16) -> Result<(), Failure> {
    let status =
        ask(port).map_err(|error| format!("healthcheck of port {port} failed: {error}"))?;
    if status.split_whitespace().nth(1) != Some("200") {
        return Err(format!("healthcheck of port {port} failed: the answer is {status:?}"));
    }
    println!("healthcheck ok");
    Ok(())
}

/// The status line of the answer.
fn ask(port: u16) -> std::io::Result<String> {
    let mut last = std::io::Error::other("localhost has no address");
    for address in ("localhost", port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, HEALTHCHECK_TIME_MAX) {
            Ok(stream) => return ask_on(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn ask_on(mut stream: TcpStream) -> std::io::Result<String> {
    stream.set_read_timeout(Some(HEALTHCHECK_TIME_MAX))?;
    stream.set_write_timeout(Some(HEALTHCHECK_TIME_MAX))?;
    stream
        .write_all(b"GET /healthcheck HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
