//! Tasks, time and threads of a shard. The only module that names the executor underneath.
//!
//! Everything here is for code that runs on a shard: in production on its pinned thread, in the
//! simulator on the one thread that all shards share.

mod cores;
mod eventfd;
mod executor;
mod local;
mod offload;
mod scheduler;
mod signals;
mod task;
#[cfg(test)]
mod tests;

use std::{future::Future, io, pin::pin, time::Duration};

use futures_util::future::{Either, select};

pub use cores::available_cpus;
pub use eventfd::EventFd;
pub use executor::ExecutorConfig;
pub use local::{panics_elsewhere, report_panic};
pub use offload::{OffloadConfig, OffloadError, offload};
pub use signals::{Signal, SignalWatch};
pub use task::{Task, spawn, spawn_essential, spawn_owned, yield_now};

pub(crate) use executor::Production;
pub(crate) use local::{End, Local, guard};
pub(crate) use offload::Pool;

use crate::{Clock, Counters, ShardId, Timers, counters::Board};

/// Sleeps for at least the given time, rounded up to a millisecond.
pub async fn sleep(delay: Duration) {
    let sleep = Local::current().timers.sleep(delay);
    sleep.await;
}

/// The result of a future, or None where it took longer than `limit`. The future is dropped then.
pub async fn timeout<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let limit = Local::current().timers.sleep(limit);
    match select(pin!(future), pin!(limit)).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(((), _)) => None,
    }
}

/// Whether this task has run for so long that it should let others run ([`yield_now`]).
pub fn should_yield() -> bool {
    Local::current().scheduler.should_yield()
}

/// The timers of the current shard.
pub fn timers() -> Timers {
    Local::current().timers.clone()
}

/// The clock of the current shard.
pub fn clock() -> Clock {
    Local::current().clock.clone()
}

/// The counters of the current shard.
pub fn counters() -> Counters {
    Local::current().counters.clone()
}

/// Runs a future to its end on an executor of the calling thread, with timers and a small pool for
/// blocking work, but without a mesh: for tools and tests of what runs on a shard.
pub fn block_on<T>(config: &ExecutorConfig, main: impl Future<Output = T>) -> io::Result<T> {
    let executor = Production::new(config)?;
    let pool = Pool::start(OffloadConfig { threads: 1, queue_len_max: 64 })?;
    let counters = Board::default().of_shard(ShardId(0));
    let local = Local::new(ShardId(0), Clock::system(), counters, config.turn_max, Some(pool));
    Ok(executor.run(&local, main))
}
