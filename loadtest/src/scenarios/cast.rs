//! Players: their devices, their sockets, and their tasks.

use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, anyhow};
use tokio::task::JoinSet;

use super::{Clock, Stage};
use crate::client::{
    player::{Account, Player},
    trouble::words,
};

/// How many connections are opened at once while setting up.
pub const OPENING_MAX: usize = 64;

/// How long a story's tasks may take after its end for what is under way.
const GRACE: Duration = Duration::from_secs(5);

/// How long the server may take over one answer while a scenario is set up.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// Waits for an answer during the set-up, but not forever.
pub async fn in_time<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    within(ANSWER_TIME_MAX, answer).await
}

async fn within<T>(limit: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let answer = tokio::time::timeout(limit, answer).await;
    answer.unwrap_or_else(|_| {
        Err(anyhow!("the server gave no answer for {} s during the set-up", limit.as_secs()))
    })
}

/// Makes `count` new players' accounts.
pub async fn accounts(stage: &Stage, count: usize) -> Result<Vec<Account>> {
    let devices: Vec<String> = (0..count).map(|_| new_device()).collect();
    accounts_of(stage, &devices).await
}

/// Signs these devices in, and up where they have no account.
pub async fn accounts_of(stage: &Stage, devices: &[String]) -> Result<Vec<Account>> {
    in_batches(devices, async |device| Account::sign_in(&stage.options, device).await).await
}

/// Opens a socket for each of `count` new players.
pub async fn players(stage: &Stage, count: usize) -> Result<Vec<Player>> {
    let accounts = accounts(stage, count).await?;
    connect_all(stage, &accounts).await
}

/// Opens a socket for each account.
pub async fn connect_all(stage: &Stage, accounts: &[Account]) -> Result<Vec<Player>> {
    in_batches(accounts, async |account| account.connect(&stage.options, false).await).await
}

/// Does the same for each, some at once, and keeps their order.
async fn in_batches<T, R>(items: &[T], each: impl AsyncFn(&T) -> Result<R>) -> Result<Vec<R>> {
    let mut results = Vec::with_capacity(items.len());
    for batch in items.chunks(OPENING_MAX) {
        for result in join_all(batch.iter().map(|item| in_time(each(item)))).await {
            results.push(result?);
        }
    }
    Ok(results)
}

/// Runs futures that borrow side by side on this thread.
pub async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut is_pending = false;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => is_pending = true,
                }
            }
        }
        if is_pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

/// The tasks of a story on its thread.
pub struct Tasks {
    stage: Stage,
    tasks: JoinSet<()>,
}

impl Tasks {
    pub fn new(stage: &Stage) -> Self {
        Self { stage: stage.clone(), tasks: JoinSet::new() }
    }

    /// Starts one; how it fails counts as an error.
    pub fn start(&mut self, task: impl Future<Output = Result<()>> + 'static) {
        let stage = self.stage.clone();
        self.tasks.spawn_local(async move {
            if let Err(error) = task.await {
                stage.error(words(&error));
            }
        });
    }

    /// Waits for the end, and ends those that hang on an answer that never comes.
    pub async fn finish(mut self, clock: Clock) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout_at((clock.end + GRACE).into(), all).await.is_err() {
            for _ in 0..self.tasks.len() {
                self.stage.error("no answer by the end");
            }
        }
    }
}

/// A device id that no other run uses.
pub fn new_device() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("load-{:x}-{nanos:x}-{:x}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_server_that_never_answers_ends_the_set_up() {
        let error = within(Duration::from_millis(1), pending::<Result<()>>()).await.unwrap_err();
        assert!(error.to_string().contains("no answer"), "{error}");
        assert_eq!(in_time(async { Ok(1) }).await.unwrap(), 1);
    }
}
