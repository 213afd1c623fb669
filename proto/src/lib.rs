//! See the crate's modules.
