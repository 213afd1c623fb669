//! Gauges out of a server's Prometheus text.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// How long one scrape may take.
const SCRAPE_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of a scrape that are read.
const SCRAPE_LEN_MAX: u64 = 16 << 20;

/// The named gauges, each summed over its labels. What ends with the name after
/// an underscore counts too: a configured prefix, `relayed_matches`. A gauge that is not there is an
/// error, for it would pass for zero.
pub fn read(address: SocketAddr, names: &[&'static str]) -> Result<BTreeMap<&'static str, f64>> {
    let text = scrape(address).with_context(|| format!("cannot read the metrics at {address}"))?;
    names.iter().map(|&name| Ok((name, sum(&text, name)?))).collect()
}

fn scrape(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, SCRAPE_TIME_MAX)?;
    stream.set_read_timeout(Some(SCRAPE_TIME_MAX))?;
    write!(stream, "GET /metrics HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut text = String::new();
    stream.take(SCRAPE_LEN_MAX).read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("no HTTP answer")?;
    if head.split(' ').nth(1) != Some("200") {
        bail!("answered {}", head.lines().next().unwrap_or_default());
    }
    Ok(body.to_owned())
}

fn sum(text: &str, name: &str) -> Result<f64> {
    let mut found = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let metric = series.split('{').next().unwrap_or(series);
        if metric.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')) {
            *found.get_or_insert(0.0) += value.parse::<f64>()?;
        }
    }
    found.with_context(|| format!("the server publishes no \"{name}\""))
}

#[cfg(test)]
mod tests {
    use super::sum;

    const TEXT: &str = "# HELP node_sessions Sessions.\nnode_sessions 3\nmatches{shard=\"0\"} 1\n\
                        matches{shard=\"1\"} 4\nobsessions 9\n";

    #[test]
    fn gauges_are_summed_over_labels_and_found_behind_a_prefix() {
        assert_eq!(sum(TEXT, "sessions").unwrap().to_string(), "3");
        assert_eq!(sum(TEXT, "matches").unwrap().to_string(), "5");
    }

    #[test]
    fn a_gauge_that_is_not_there_is_no_zero() {
        assert!(sum(TEXT, "parties").is_err());
    }
}
