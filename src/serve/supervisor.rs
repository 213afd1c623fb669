//! Tells the service manager that started the process, if one did, when the node is ready, when it
//! stops, and that every shard still gets on with its work.

use std::{
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use kakera_shards::{ShardId, boot};
use sd_notify::NotifyState;

use super::sweep::SWEEPS;

/// Tells the service manager. Without one this does nothing.
pub(super) fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

/// Feeds the service manager's watchdog as long as every shard sweeps. Dropping it ends that.
pub(super) struct Watchdog {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts to feed, where the service manager expects it.
    pub(super) fn start(node: boot::Handle) -> io::Result<Option<Self>> {
        let Some(period) = sd_notify::watchdog_enabled() else { return Ok(None) };
        let (stop, stopped) = sync_channel(0);
        let thread = thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || feed(period / 2, &stopped, || sweeps(&node)))?;
        Ok(Some(Self { stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn feed(every: Duration, stopped: &Receiver<()>, progress: impl Fn() -> Vec<(ShardId, u64)>) {
    let mut before = Vec::new();
    while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        let now = progress();
        let stuck = stuck(&before, &now);
        if stuck.is_empty() {
            tell(NotifyState::Watchdog);
        } else {
            tracing::error!(shards = ?stuck, "shards do not get on with their work");
        }
        before = now;
    }
}

/// How often each shard has swept.
fn sweeps(node: &boot::Handle) -> Vec<(ShardId, u64)> {
    let readings = node.board().read().into_iter();
    readings.filter(|r| r.name == SWEEPS).map(|r| (r.shard, r.value)).collect()
}

/// The shards that have not swept since.
fn stuck(before: &[(ShardId, u64)], now: &[(ShardId, u64)]) -> Vec<u16> {
    let same = now.iter().filter(|reading| before.contains(reading));
    same.map(|(shard, _)| shard.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_that_has_not_swept_since_is_stuck() {
        let before = [(ShardId(0), 4), (ShardId(1), 4)];
        assert!(stuck(&[], &before).is_empty());
        assert_eq!(stuck(&before, &[(ShardId(0), 5), (ShardId(1), 4)]), [1]);
        assert!(stuck(&before, &[(ShardId(0), 5), (ShardId(1), 5)]).is_empty());
    }

    #[test]
    fn feeding_ends_with_its_owner() {
        let (stop, stopped) = sync_channel::<()>(0);
        let thread = thread::spawn(move || feed(Duration::from_hours(1), &stopped, Vec::new));
        drop(stop);
        thread.join().expect("it ends");
    }
}
