//! What `kakera tune` does, and what a server wants to know of its host.
//!
//! [`probe`] looks at the host and says what to change, [`measure`] finds out how many shards suit it,
//! [`profile`] holds the documented profiles and writes measured ones, [`topology`] picks cores.

#![forbid(unsafe_code)]

pub mod host;
pub mod measure;
pub mod probe;
pub mod profile;
pub mod topology;
