//! The queue of lines, and the thread that writes them.

use std::{
    fmt, io,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};

use super::Output;
use crate::limits::{LOG_DRAIN_TIME_MAX, LOG_QUEUE_LEN};

/// What became of the lines.
#[derive(Debug, Default)]
pub struct LogCounters {
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

impl LogCounters {
    /// Lines written.
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Lines dropped because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Writes that failed, by a full disk for example.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }
}

enum Job {
    Line(String),
    /// Write everything before this, then answer and stop.
    Close(Sender<()>),
}

/// The way to the writer thread.
#[derive(Clone)]
pub(super) struct Queue {
    jobs: Sender<Job>,
    counters: Arc<LogCounters>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.jobs.len())
            .field("counters", &self.counters)
            .finish()
    }
}

impl Queue {
    pub(super) fn start(outputs: Vec<Output>) -> io::Result<Self> {
        let (jobs, inbox) = bounded(LOG_QUEUE_LEN);
        let counters = Arc::new(LogCounters::default());
        let writer = Writer { inbox, outputs, counters: Arc::clone(&counters), told: 0 };
        thread::Builder::new().name("log".to_owned()).spawn(|| writer.run())?;
        Ok(Self { jobs, counters })
    }

    pub(super) fn counters(&self) -> Arc<LogCounters> {
        Arc::clone(&self.counters)
    }

    /// Never waits: a line that does not fit is dropped and counted.
    pub(super) fn push(&self, line: String) {
        match self.jobs.try_send(Job::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.counters.dropped.fetch_add(1, Relaxed);
            }
        }
    }

    /// Waits until everything queued is written, for a bounded time: a stuck pipe must not hold the
    /// process.
    pub(super) fn close(&self) {
        let (answer, done) = bounded(1);
        if self.jobs.send_timeout(Job::Close(answer), LOG_DRAIN_TIME_MAX).is_ok() {
            let _ = done.recv_timeout(LOG_DRAIN_TIME_MAX);
        }
    }
}

struct Writer {
    inbox: Receiver<Job>,
    outputs: Vec<Output>,
    counters: Arc<LogCounters>,
    /// Dropped lines that the log has told of.
    told: u64,
}

impl Writer {
    fn run(mut self) {
        while let Ok(job) = self.inbox.recv() {
            match job {
                Job::Line(line) => self.write(&line),
                Job::Close(answer) => {
                    self.tell_of_drops();
                    self.flush();
                    let _ = answer.send(());
                    return;
                }
            }
            // One flush for all lines that came together.
            if self.inbox.is_empty() {
                self.tell_of_drops();
                self.flush();
            }
        }
    }

    fn write(&mut self, line: &str) {
        for output in &mut self.outputs {
            if output.write_all(line.as_bytes()).is_err() {
                self.counters.failed.fetch_add(1, Relaxed);
            }
        }
        self.counters.written.fetch_add(1, Relaxed);
    }

    fn flush(&mut self) {
        for output in &mut self.outputs {
            if output.flush().is_err() {
                self.counters.failed.fetch_add(1, Relaxed);
            }
        }
    }

    /// By an ordinary event: the queue has just been emptied, so there is room for it.
    fn tell_of_drops(&mut self) {
        let dropped = self.counters.dropped();
        if dropped > self.told {
            tracing::warn!(lines = dropped - self.told, "the log fell behind and dropped lines");
            self.told = dropped;
        }
    }
}
