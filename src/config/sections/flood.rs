//! `flood`: how much of one client is served. Everything is off by default.

use super::section;

section! {
    /// How much of one session and of one address is served. Rates are 0 where there is none.
    Flood at "flood." [flood] {
        /// Messages of one session that are handled in a second; others are answered with an error. Counted as `flood_messages_refused`.
        session_messages_per_sec: u32 = 0, ours;
        /// Messages of one session that are handled at once. 0 takes a second's worth.
        session_messages_burst: u32 = 0, ours;
        /// Requests from one address (of IPv6: one /64 network) that a shard answers in a second; others are refused with 429. Counted as `flood_requests_refused`.
        address_requests_per_sec: u32 = 0, ours;
        /// Requests from one address that a shard answers at once. 0 takes a second's worth.
        address_requests_burst: u32 = 0, ours;
        /// Connections from one address that a shard accepts in a second; others are closed at once. Not for servers behind a proxy. Counted as `flood_connections_refused`.
        address_connections_per_sec: u32 = 0, ours;
        /// Connections from one address that a shard accepts at once. 0 takes a second's worth.
        address_connections_burst: u32 = 0, ours;
        /// By how many the refused may outnumber the served before the session or the connection is closed. Counted as `flood_sessions_closed`.
        refusals_max: u32 = 100, at_least(1), ours;
        /// Addresses that a shard remembers; those that were quiet for longest are forgotten. Counted as `flood_addresses_forgotten`.
        addresses_max: u32 = 65_536, at_least(1024), at_most(16_777_216), ours;
        /// Counts a request by the X-Forwarded-For header, as only a proxy in front that sets it makes safe.
        trust_forwarded: bool = false, ours;
    }
}
