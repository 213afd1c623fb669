//! Where a call really comes from, behind proxies that say so.

use std::net::{IpAddr, SocketAddr};

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
