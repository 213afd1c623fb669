//! The players' request interface: HTTP and gRPC in front of the domain services.
//!
//! ```text
//! bytes -> http or grpc -> route -> authorize -> decode -> (before hook) -> service -> (after hook) -> encode
//! ```
//!
//! [`Api`] serves both protocols on any port: gRPC is told by its content type. One file holds one group
//! of calls; [`dispatch`] names every call of the service, built or not.

pub mod authorize;
pub mod call;
mod channels;
pub mod client_address;
pub mod context;
pub mod dispatch;
pub mod flood;
pub mod grpc;
pub mod http;
pub mod path;
pub mod reply;
pub mod rpc;
pub mod service;

mod account;
mod authenticate;
mod event;
mod friends;
mod groups;
mod leaderboard;
mod link;
mod lists;
mod notification;
mod session;
mod storage;
mod tournament;
mod users;

pub use client_address::ClientAddress;
pub use context::{Caller, Context};
pub use flood::FloodGate;
pub use service::{Api, ApiSettings, Lists, Reach, Services};
