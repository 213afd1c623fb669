//! `socket`: where clients connect, and what they may use up.

use super::section;
use crate::config::types::{ExtraHeaders, Secret, SocketProtocol};

section! {
    /// Where clients connect, and what they may use up.
    Socket at "socket." [socket] {
        /// What clients give as the user name of basic authentication.
        server_key: Secret = "defaultkey".into(), required, public_default;
        /// Port for HTTP and WebSocket; gRPC listens one below it.
        port: u16 = 7350, at_least(2);
        /// Address to listen on. Empty listens on all.
        address: String = String::new();
        /// IP versions to listen on.
        protocol: SocketProtocol = SocketProtocol::Both;
        /// Largest message on a WebSocket, in bytes; a larger one closes it. Counted as `sessions_oversize`.
        max_message_size_bytes: u64 = 4096, at_least(1);
        /// Largest body of a request, in bytes. Counted as `http_bodies_too_large`.
        max_request_size_bytes: u64 = 262_144, at_least(1);
        /// Size of a socket's read buffer, in bytes.
        read_buffer_size_bytes: usize = 4096, at_least(1), ignored("sockets of a core share their read buffers");
        /// Size of a socket's write buffer, in bytes.
        write_buffer_size_bytes: usize = 4096, at_least(1), ignored("write buffers are pooled by core");
        /// Longest time to read the head of a request, TLS handshake included, and as long for its body, in milliseconds.
        read_timeout_ms: u32 = 10_000, at_least(1);
        /// Longest time to write a response, in milliseconds.
        write_timeout_ms: u32 = 10_000, at_least(1), ignored("every write must get on within socket.write_wait_ms");
        /// Longest time between two requests on a connection, in milliseconds.
        idle_timeout_ms: u32 = 60_000, at_least(1);
        /// Longest time for a write to make no progress, in milliseconds.
        write_wait_ms: u32 = 5000;
        /// Longest time without a pong from a client, in milliseconds.
        pong_wait_ms: u32 = 25_000;
        /// Time between pings to a client, in milliseconds; less than `socket.pong_wait_ms`.
        ping_period_ms: u32 = 15_000;
        /// Messages from a client within a ping period that make a ping unnecessary.
        ping_backoff_threshold: u32 = 20;
        /// Longest time to wait for a client's close frame, in milliseconds.
        close_ack_wait_ms: u32 = 2000, at_least(1);
        /// Most messages that wait for one client; a client that is slower is disconnected. Counted as `sessions_slow`.
        outgoing_queue_size: usize = 64;
        /// Certificate chain for TLS, a PEM file. Needs `socket.ssl_private_key`.
        ssl_certificate: String = String::new();
        /// Private key for TLS, a PEM file. Needs `socket.ssl_certificate`.
        ssl_private_key: String = String::new();
        /// Headers to add to responses that lack them, as `name=value`.
        response_headers: ExtraHeaders = ExtraHeaders::default();
        /// Proxies in front of the server whose X-Forwarded-For entries are believed.
        proxy_count: u32 = 1;
        /// Most connections that the node holds on all its ports, in equal parts for its shards; each of several takes a quarter of its part more, since the kernel does not spread evenly. Further ones are closed at once. 0 sets no bound but the open file limit. Counted as `sockets_refused`.
        max_connections: u32 = 200_000, ours;
        /// Most connections from one address (of IPv6: one /64 network) to one port, on each shard. 0 sets no bound, as suits servers behind a proxy. Counted as `sockets_refused`.
        max_connections_per_address: u32 = 0, ours;
        /// Largest head of a request, in bytes.
        max_header_size_bytes: usize = 16_384, at_least(1024), at_most(1_048_576), ours;
        /// Most bytes that wait for one client; a client that is slower is disconnected. Counted as `sessions_slow`.
        outgoing_queue_size_bytes: usize = 1_048_576, at_least(4096), ours;
        /// Bytes that the kernel holds for one client before they count as waiting; it takes twice as much
        /// memory. 0 lets it grow as it does for any connection.
        send_buffer_size_bytes: usize = 0, ours;
        /// Longest time that a busy core holds broadcasts back so that they leave together, in milliseconds. 0 never does.
        flush_window_max_ms: u32 = 8, at_most(100), ours;
        /// Operations that a shard hands to the kernel at once, rounded up to a power of two.
        ring_entries: u32 = 1024, at_least(64), at_most(32_768), ours;
        /// Receive buffers of a shard, shared by its sockets, rounded up to a power of two.
        receive_buffers: u16 = 512, at_least(16), at_most(32_768), ours;
        /// Size of a receive buffer, in bytes.
        receive_buffer_bytes: usize = 4096, at_least(512), at_most(1_048_576), ours;
        /// Output buffers without a use that a shard keeps for the next, in bytes.
        output_pool_bytes: usize = 4_194_304, at_most(1_073_741_824), ours;
    }
}
