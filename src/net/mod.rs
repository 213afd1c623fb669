//! Bytes: what goes in and out of sockets.

mod wire_frame;

pub use wire_frame::WireFrame;
