//! Finding things by what players say of them.
//!
//! *Owns* nothing: it is a language and the documents that it speaks of. Who keeps tickets, matches or
//! parties keeps a [`query::Document`] of each, and asks a [`query::Query`] about it.

pub mod query;
