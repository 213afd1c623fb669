//! A listener for scrapes, on a thread of its own so that no shard pays for them.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{CONTENT_TYPE, Metrics};
use crate::limits::METRICS_REQUEST_LEN_MAX;

/// Serves [`Metrics::render`] until it is dropped. One connection at a time, one request a connection.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    /// `timeout` bounds how long a scraper may take to send its request, and to take the answer.
    pub fn start(address: SocketAddr, timeout: Duration, metrics: Metrics) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let is_stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_stopping);
        let work = move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                // A scraper that breaks off is nobody's trouble but its own.
                let _ = stream.and_then(|stream| serve(stream, timeout, &metrics));
            }
        };
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(work)?;
        Ok(Self { address, is_stopping, thread: Some(thread) })
    }

    /// Where it listens: the port that was asked for, or one that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::Release);
        // A connection wakes the thread out of its wait for one.
        let mut here = self.address;
        if here.ip().is_unspecified() {
            here.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let woken = TcpStream::connect_timeout(&here, Duration::from_secs(1)).is_ok();
        if let (true, Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, timeout: Duration, metrics: &Metrics) -> io::Result<()> {
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let head = read_head(&mut stream)?;
    let method = head.split(|byte| *byte == b' ').next().unwrap_or_default();
    let (status, body) = match method {
        b"GET" | b"HEAD" => ("200 OK", metrics.render()),
        _ => ("405 Method Not Allowed", String::new()),
    };
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {}\r\n\
         Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n",
        body.len()
    );
    if method != b"HEAD" {
        answer.push_str(&body);
    }
    stream.write_all(answer.as_bytes())
}

/// Reads up to the empty line that ends a request's head; a scrape has no body.
fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let len = stream.read(&mut piece)?;
        head.extend_from_slice(piece.get(..len).unwrap_or_default());
        if len == 0 || head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(head);
        }
        if head.len() > METRICS_REQUEST_LEN_MAX {
            return Err(io::Error::other("the request's head is too long"));
        }
    }
}
