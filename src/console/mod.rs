//! The operators' request interface: HTTP in front of the domain services, shaped as the players' one.
//!
//! ```text
//! bytes -> route -> authorize -> decode -> service -> encode
//! ```
//!
//! [`dispatch`] names every call of the console's service, built or not; one file holds one group of
//! calls. An unbuilt call answers 501 with gRPC code 12. Error bodies are those of the players' calls
//! with an empty list of details, and replies name fields that are not set.

pub mod call;
pub mod dispatch;
pub mod service;
pub mod sign_in;

mod account;
mod leaderboard;
mod notification;
mod storage;
mod wallet;

pub use service::{Console, ConsoleServices, ConsoleSettings};
pub use sign_in::Operator;
