//! What is known of the server from outside: its process, and the gauges that it publishes.

pub mod gauges;
pub mod usage;
