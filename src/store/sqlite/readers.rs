//! Reader threads, for reads that may be long.

use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};

use super::{connection::SqliteConnection, unit::ReadUnit};
use crate::store::error::StoreError;

type Job = Box<dyn ReadUnit>;

enum Message {
    Run(Job),
    Close,
}

/// The shards' end of the queue.
#[derive(Clone)]
pub(super) struct ReaderQueue(Sender<Message>);

impl ReaderQueue {
    /// Queues a read. Never waits: a full queue is the caller's to report.
    pub(super) fn push(&self, job: Job) -> Result<(), StoreError> {
        self.0.try_send(Message::Run(job)).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded("the read queue"),
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }

    /// Ends `threads` threads once they have answered what is queued so far.
    pub(super) fn close(&self, threads: usize) {
        for _ in 0..threads {
            let _ = self.0.send(Message::Close);
        }
    }
}

/// Starts one thread per connection.
pub(super) fn start(
    connections: Vec<SqliteConnection>,
    queue_len_max: usize,
) -> std::io::Result<(ReaderQueue, Vec<JoinHandle<()>>)> {
    let (sender, receiver) = bounded(queue_len_max);
    let threads = connections
        .into_iter()
        .enumerate()
        .map(|(index, connection)| {
            let receiver: Receiver<Message> = receiver.clone();
            std::thread::Builder::new().name(format!("store-reader-{index}")).spawn(move || {
                while let Ok(Message::Run(unit)) = receiver.recv() {
                    unit.run(&connection);
                }
            })
        })
        .collect::<Result<_, _>>()?;
    Ok((ReaderQueue(sender), threads))
}
