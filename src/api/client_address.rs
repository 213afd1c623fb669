//! Where a call really comes from, behind proxies that say so.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};

const FORWARDED: &str = "x-forwarded-for";

/// The client's address as well as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    pub ip: IpAddr,
    /// Absent where a proxy names only the host.
    pub port: Option<u16>,
}

impl From<SocketAddr> for ClientAddress {
    fn from(peer: SocketAddr) -> Self {
        Self { ip: peer.ip().to_canonical(), port: Some(peer.port()) }
    }
}

impl ClientAddress {
    /// The `X-Forwarded-For` header as one list. Some proxies add a line of their own behind what the client
    /// sent: the first line alone would be the client's to choose.
    pub fn forwarded(headers: &HeaderMap) -> Option<HeaderValue> {
        let mut lines = headers.get_all(FORWARDED).iter();
        let first = lines.next()?;
        if lines.next().is_none() {
            return Some(first.clone());
        }
        let all = headers.get_all(FORWARDED).iter().map(HeaderValue::as_bytes);
        HeaderValue::from_bytes(&all.collect::<Vec<_>>().join(&b","[..])).ok()
    }

    /// The client behind a request with these headers.
    pub fn of(headers: &HeaderMap, peer: SocketAddr, proxy_count: u32) -> Self {
        let forwarded = Self::forwarded(headers);
        let forwarded = forwarded.as_ref().and_then(|value| value.to_str().ok());
        Self::find(forwarded, peer, proxy_count)
    }

    /// Reads `X-Forwarded-For` from its end, where the nearest proxy writes: past `proxy_count` entries
    /// stands the client. With fewer entries it is the first one. Entries that are no addresses, and
    /// loopback ones before the first, are local proxies or noise.
    pub fn find(forwarded: Option<&str>, peer: SocketAddr, proxy_count: u32) -> Self {
        let Some(forwarded) = forwarded else { return peer.into() };
        let mut found = None;
        let mut passed = 0;
        let entries = forwarded.split(',').count();
        for (from_end, entry) in forwarded.rsplit(',').enumerate() {
            let Some(address) = Self::parse(entry.trim()) else { continue };
            let is_first = from_end + 1 == entries;
            if address.ip.is_loopback() && !is_first {
                continue;
            }
            found = Some(address);
            if passed >= proxy_count {
                break;
            }
            passed += 1;
        }
        found.unwrap_or_else(|| peer.into())
    }

    fn parse(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse() {
            return Some(Self { ip, port: None });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Self { ip: address.ip(), port: Some(address.port()) });
        }
        let bare = text.strip_prefix('[')?.strip_suffix(']')?;
        bare.parse().ok().map(|ip| Self { ip, port: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(forwarded: Option<&str>, proxy_count: u32) -> String {
        let found = ClientAddress::find(forwarded, "9.9.9.9:1234".parse().unwrap(), proxy_count);
        match found.port {
            Some(port) => SocketAddr::new(found.ip, port).to_string(),
            None => found.ip.to_string(),
        }
    }

    #[test]
    fn without_the_header_the_peer_is_the_client() {
        assert_eq!(find(None, 1), "9.9.9.9:1234");
        let peer = ClientAddress::from("[::ffff:1.2.3.4]:5".parse::<SocketAddr>().unwrap());
        assert_eq!(peer.ip.to_string(), "1.2.3.4");
    }

    #[test]
    fn the_entry_past_the_believed_proxies_is_the_client() {
        assert_eq!(find(Some("1.1.1.1, 2.2.2.2, 3.3.3.3"), 1), "2.2.2.2");
        assert_eq!(find(Some("1.1.1.1, 2.2.2.2, 3.3.3.3"), 0), "3.3.3.3");
        assert_eq!(find(Some("1.1.1.1, 2.2.2.2, 3.3.3.3"), 9), "1.1.1.1");
        assert_eq!(find(Some("1.1.1.1"), 1), "1.1.1.1");
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        let peer = "9.9.9.9:1234".parse().unwrap();
        let of = |headers: &HeaderMap| ClientAddress::of(headers, peer, 0).ip.to_string();
        assert_eq!(of(&headers), "9.9.9.9");
        headers.append(FORWARDED, HeaderValue::from_static("1.1.1.1"));
        assert_eq!(of(&headers), "1.1.1.1");
        headers.append(FORWARDED, HeaderValue::from_static("2.2.2.2"));
        assert_eq!(of(&headers), "2.2.2.2", "the proxy's line counts, not the client's");
    }

    #[test]
    fn noise_and_local_proxies_are_passed_over() {
        assert_eq!(find(Some("1.1.1.1, 127.0.0.1, unknown,"), 0), "1.1.1.1");
        assert_eq!(find(Some("127.0.0.1"), 1), "127.0.0.1", "the last possible one counts");
        assert_eq!(find(Some("what, ever"), 1), "9.9.9.9:1234");
        assert_eq!(find(Some(""), 1), "9.9.9.9:1234");
    }

    #[test]
    fn entries_may_have_ports_and_brackets() {
        assert_eq!(find(Some("1.1.1.1:80, 2.2.2.2"), 1), "1.1.1.1:80");
        assert_eq!(find(Some("[2001:db8::1]:80"), 0), "[2001:db8::1]:80");
        assert_eq!(find(Some("[2001:db8::1]"), 0), "2001:db8::1");
        assert_eq!(find(Some("2001:db8::1"), 0), "2001:db8::1");
    }
}
