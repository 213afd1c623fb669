//! The way to the server before a run: which of its addresses answers, and patience with one that starts.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::options::Target;

/// How long a server that was started just now may take until it listens.
const START_TIME_MAX: Duration = Duration::from_secs(5);
/// From one attempt to the next.
const PAUSE: Duration = Duration::from_millis(20);
/// How long one address may take to accept a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// The target at the first of its addresses that accepts a connection. Where all refuse, they are asked again for
/// some seconds, so that a server may be started and loaded in one breath. Nothing of the server was read before:
/// what it is compared with is a server that has started.
pub fn reach(target: &Target, pid: Option<u32>) -> Result<Target> {
    within(START_TIME_MAX, target, pid)
}

fn within(patience: Duration, target: &Target, pid: Option<u32>) -> Result<Target> {
    let started = Instant::now();
    loop {
        match first(&target.addresses) {
            Ok(address) => return Ok(Target { addresses: vec![address], ..target.clone() }),
            Err(error) => {
                let is_refused = error.kind() == io::ErrorKind::ConnectionRefused;
                if !is_refused || started.elapsed() > patience {
                    return Err(error)
                        .with_context(|| format!("cannot connect to {}", target.name));
                }
            }
        }
        if pid.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()) {
            bail!("the server's process is not there, and nothing listens at {}", target.name);
        }
        thread::sleep(PAUSE);
    }
}

/// The first address that accepts, or why the last did not.
fn first(addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(address, CONNECT_TIME_MAX) {
            Ok(_) => return Ok(*address),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn free() -> SocketAddr {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
    }

    fn target(addresses: Vec<SocketAddr>) -> Target {
        Target { name: "server".to_owned(), addresses, pid: None }
    }

    #[test]
    fn a_server_that_listens_a_moment_later_is_waited_for() {
        let address = free();
        let server = thread::spawn(move || {
            thread::sleep(PAUSE * 3);
            TcpListener::bind(address).unwrap().accept().map(|_| ())
        });
        assert_eq!(reach(&target(vec![address]), None).unwrap().address(), address);
        server.join().unwrap().unwrap();
    }

    #[test]
    fn of_several_addresses_the_one_that_accepts_is_taken() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let listening = listener.local_addr().unwrap();
        let found = reach(&target(vec![free(), listening]), None).unwrap();
        assert_eq!(found.address(), listening);
    }

    #[test]
    fn where_nothing_listens_patience_ends_with_the_reason() {
        let error = within(PAUSE, &target(vec![free()]), None).unwrap_err();
        assert!(
            crate::client::trouble::words(&error).contains("nothing listens there"),
            "{error:#}"
        );
        let process_gone =
            within(Duration::MAX, &target(vec![free()]), Some(u32::MAX)).unwrap_err();
        assert!(process_gone.to_string().contains("process"), "{process_gone}");
    }
}
