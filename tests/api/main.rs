//! The players' request interface, from outside its sockets: requests in, responses out, over the embedded
//! database and over PostgreSQL. What the sockets below add is tested with them.

mod account;
mod accounts_by_console;
mod authenticate;
mod channels;
mod console;
mod flood;
mod friends;
mod groups;
mod grpc;
mod http;
mod leaderboards;
mod links;
mod notifications;
mod rpc;
mod sessions;
mod storage;
mod support;
mod tournaments;
mod users;
