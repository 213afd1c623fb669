//! What tests of the whole server share: a server in a child process, and clients that are not ours.
//!
//! Each test file uses a part of it, hence the `dead_code` allowance.

#![allow(dead_code, unreachable_pub)]

pub mod http;
pub mod metrics;
pub mod server;
pub mod socket;
pub mod stores;
