//! Kakera: a thread-per-core game server that speaks the Nakama protocol.
//!
//! The modules stand in layers, and a module imports only lower ones; `tests/architecture` holds them
//! to it.

pub mod accounts;
pub mod api;
pub mod auth;
pub mod chat;
pub mod config;
pub mod console;
pub mod cursor;
pub mod error;
pub mod fanout;
pub mod flood;
pub mod friends;
pub mod groups;
pub mod ids;
pub mod leaderboards;
pub mod limits;
pub mod log;
pub mod matches;
pub mod matchmaker;
pub mod metrics;
pub mod multi_update;
pub mod net;
pub mod notifications;
pub mod parties;
pub mod presence;
pub mod realtime;
pub mod scheduler;
pub mod search;
pub mod serve;
pub mod session;
pub mod shard;
pub mod status;
pub mod storage;
pub mod store;
pub mod tournaments;
pub mod wallet;
