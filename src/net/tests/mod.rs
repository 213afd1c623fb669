//! Fronts on loopback, driven by clients on threads of their own.

mod flood;
mod harness;
mod http;
mod http2;
mod tls;
mod websocket;
