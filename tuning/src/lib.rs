//! What `kakera tune` does, and what a server wants to know of its host.
//!
//! [`probe`] looks at the host and says what to change, [`measure`] finds out how many shards suit it,
//! [`profile`] holds the documented profiles and writes measured ones, [`topology`] picks cores,
//! [`cgroup`] reads what a container may use, and [`open_files`] raises a limit.

#![forbid(unsafe_code)]

pub mod cgroup;
pub mod host;
pub mod measure;
pub mod open_files;
pub mod probe;
pub mod profile;
pub mod topology;
