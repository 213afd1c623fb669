//! A client that costs the generator little: HTTP/1.1, gRPC and WebSockets in JSON or protobuf.

mod chunked;
pub mod codec;
mod connect;
pub mod envelopes;
pub mod grpc;
pub mod http;
pub mod player;
pub mod socket;
pub mod stamp;
pub mod trouble;

pub use connect::connect;
