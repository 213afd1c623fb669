//! The store, from outside: the same tests over both databases.
//!
//! SQLite runs on a file in a temporary folder; PostgreSQL on a private cluster that these tests start.
//! Without PostgreSQL they fail, they do not skip.

mod accounts;
mod embedded;
mod friends;
mod gathered;
mod groups;
mod history;
mod leaderboards;
mod messages;
mod migrations;
mod notifications;
mod outage;
mod plans;
mod relations;
mod storage;
mod support;
mod tournaments;
mod transactions;
mod wallet;
