//! Bounds that are not configuration: how long queues, lines and waits may get, and what happens then.
//!
//! A bound belongs here when no operator could choose it better than we can. One that depends on the
//! game or the machine is a key of [`crate::config`]. The shard runtime and the store have their own
//! bounds beside their code, because they know nothing of this crate's upper layers.

use std::time::Duration;

/// Lines that wait for the log's writer thread. When full, further lines are dropped and counted.
pub const LOG_QUEUE_LEN: usize = 8192;

/// Bytes of a log line before its fields are left out and their size is told instead.
pub const LOG_LINE_LEN_MAX: usize = 16 * 1024;

/// How long the process waits at its end for the log to be written.
pub const LOG_DRAIN_TIME_MAX: Duration = Duration::from_secs(1);

/// Metrics listener: bytes of a request's head; more close the connection. Connections are served one at
/// a time, and the kernel's queue bounds those that wait.
pub const METRICS_REQUEST_LEN_MAX: usize = 8 * 1024;

/// Distinct triples of transport, rpc and status code that one shard tells apart; further ones count
/// together under the rpc `other`.
pub const METRICS_CALLS_MAX: usize = 2048;

/// How long `kakera healthcheck` waits for each step of its request.
pub const HEALTHCHECK_TIME_MAX: Duration = Duration::from_secs(3);

/// Records of leaderboards that a shard holds in order, at about 50 bytes each. Beyond it, the boards that
/// nobody asked for the longest are forgotten; one that is larger by itself has no ranks.
pub const RANKED_RECORDS_MAX: usize = 1 << 25;

/// Periods of leaderboards that a shard holds in order. Beyond it, those that nobody asked for the longest are
/// forgotten.
pub const RANKED_PERIODS_MAX: usize = 1 << 16;

/// Questions about ranks that wait, on a shard, for the ranks to be loaded. Further ones are answered at
/// once, without a rank.
pub const RANK_WAITERS_MAX: usize = 1 << 14;

/// Records that the load of a board's ranks has read when further questions about them are answered at once,
/// without a rank, instead of waiting for it.
pub const RANK_PATIENCE_LEN: usize = 1 << 18;

/// Owners, on a shard, whose records were deleted in the last seconds and are looked up once more. Beyond it
/// they are not, and one may keep a rank that a write on its way at that moment gave it.
pub const RANK_DOUBTS_MAX: usize = 1 << 16;
