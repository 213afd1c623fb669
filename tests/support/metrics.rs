//! What a server tells those who scrape it.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

/// Longer than the second after which gauges are read again.
const PATIENCE: Duration = Duration::from_secs(8);

/// The metrics of a server on this port.
#[derive(Clone, Copy, Debug)]
pub struct Metrics(SocketAddr);

impl Metrics {
    pub fn on(port: u16) -> Self {
        Self(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// The sum of a number over all shards. A number that is not there is a mistake of the test.
    pub fn sum(self, name: &str) -> f64 {
        let text = self.scrape();
        let prefix = format!("{name}{{");
        let values: Vec<f64> = text
            .lines()
            .filter(|line| line.starts_with(&prefix))
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        assert!(!values.is_empty(), "no {name} in\n{text}");
        values.iter().sum()
    }

    /// Waits until the sum is this number.
    pub fn expect(self, name: &str, wanted: f64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sum = self.sum(name);
            if (sum - wanted).abs() < 0.5 {
                return;
            }
            assert!(Instant::now() < deadline, "{name} is {sum} and not {wanted}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn scrape(self) -> String {
        let mut stream = TcpStream::connect(self.0).expect("metrics are served");
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("the request is sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("the answer is text");
        text
    }
}
