//! Opens the file, starts its threads, and closes them.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{
    connection::SqliteConnection,
    readers::{self, ReaderQueue},
    writer::{self, WriterQueue},
};
use crate::store::{config::SqliteConfig, counters::WriterCounters, error::StoreError};

/// How long a statement waits for a lock that another process holds (an SQLite shell, a backup).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages of the log after which the writer folds it into the file: 16 MiB.
const CHECKPOINT_PAGES: u32 = 4096;
/// How much of the file readers map, instead of copying its pages.
const MAPPED_BYTES: i64 = 1 << 30;

/// The embedded database of a node. Cheap to clone; closing it ends it for all.
#[derive(Clone)]
pub struct SqliteDatabase(Arc<Inner>);

struct Inner {
    path: PathBuf,
    writer: WriterQueue,
    readers: ReaderQueue,
    threads: Mutex<Vec<JoinHandle<()>>>,
    reader_threads: usize,
    counters: Arc<WriterCounters>,
    /// Held until the process ends; a second server on the same file would be refused.
    _lock: File,
}

impl SqliteDatabase {
    /// Opens and, through `prepare`, migrates the file, then starts the threads.
    pub(crate) fn open(
        config: &SqliteConfig,
        prepare: impl FnOnce(&SqliteConnection) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let path = &config.path;
        let lock = lock(path)?;
        let connection = open_writer(path)?;
        prepare(&connection)?;
        let reader_threads = config.reader_threads.max(1);
        let connections = (0..reader_threads)
            .map(|_| open_reader(path))
            .collect::<Result<Vec<_>, StoreError>>()?;
        let counters = Arc::new(WriterCounters::default());
        let started = |error: std::io::Error| StoreError::open(format_args!("no thread: {error}"));
        let (writer, thread) =
            writer::start(connection, config.write_queue_len_max, Arc::clone(&counters))
                .map_err(started)?;
        let (readers, mut threads) =
            readers::start(connections, config.read_queue_len_max).map_err(started)?;
        threads.push(thread);
        Ok(Self(Arc::new(Inner {
            path: path.clone(),
            writer,
            readers,
            threads: Mutex::new(threads),
            reader_threads,
            counters,
            _lock: lock,
        })))
    }

    /// A connection for reads on the calling shard.
    pub(super) fn connect_reader(&self) -> Result<SqliteConnection, StoreError> {
        open_reader(&self.0.path)
    }

    pub(super) fn writer(&self) -> &WriterQueue {
        &self.0.writer
    }

    pub(super) fn readers(&self) -> &ReaderQueue {
        &self.0.readers
    }

    pub(crate) fn counters(&self) -> &WriterCounters {
        &self.0.counters
    }

    /// Units waiting for the writer.
    pub(crate) fn write_queue_len(&self) -> usize {
        self.0.writer.len()
    }

    /// Commits and answers what is queued, folds the log into the file, and ends the threads. Blocks
    /// while it does; what comes later is refused as closed.
    pub(crate) fn close(&self) {
        let threads = match self.0.threads.lock() {
            Ok(mut threads) => std::mem::take(&mut *threads),
            Err(poisoned) => std::mem::take(&mut *poisoned.into_inner()),
        };
        if threads.is_empty() {
            return;
        }
        self.0.readers.close(self.0.reader_threads);
        self.0.writer.close();
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

/// Opens the file for writing outside of a server, for `migrate`.
pub(crate) fn open_alone(path: &Path) -> Result<(SqliteConnection, File), StoreError> {
    let lock = lock(path)?;
    Ok((open_writer(path)?, lock))
}

fn lock(path: &Path) -> Result<File, StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| {
            StoreError::open(format_args!("cannot make the folder {}: {error}", folder.display()))
        })?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let cannot = |error: std::io::Error| {
        StoreError::open(format_args!("cannot write beside {}: {error}", path.display()))
    };
    let file =
        File::options().create(true).truncate(false).write(true).open(&name).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::open(format_args!(
            "{} is in use by another server; stop that one first",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

fn open_writer(path: &Path) -> Result<SqliteConnection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Asking for the mode reads the header and recovers a log that a crash left behind.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", "on")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        // What a refused unit needs to be undone stays in memory instead of a temporary file.
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.pragma_update(None, "trusted_schema", "off")?;
        // A file that cannot be written is found out now, not at the first sign-up.
        connection.execute_batch("begin immediate; rollback")?;
        let mode: String = connection.query_row("pragma journal_mode", [], |row| row.get(0))?;
        Ok((SqliteConnection::new(connection)?, mode))
    };
    let (connection, mode) = open().map_err(|error| unusable(path, &error))?;
    if mode != "wal" {
        return Err(StoreError::open(format_args!(
            "{} cannot use a write-ahead log (mode {mode}); is its folder writable and local?",
            path.display()
        )));
    }
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<SqliteConnection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "query_only", "on")?;
        connection.pragma_update(None, "mmap_size", MAPPED_BYTES)?;
        connection.pragma_update(None, "trusted_schema", "off")?;
        SqliteConnection::new(connection)
    };
    open().map_err(|error| unusable(path, &error))
}

/// A sentence that says what is wrong with the file and what to do.
fn unusable(path: &Path, error: &rusqlite::Error) -> StoreError {
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            "it is not an SQLite database; name another file or move this one away"
        }
        Some(ErrorCode::DatabaseCorrupt) => "it is damaged; restore it from a backup",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process has locked it; end that one first"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "it cannot be written; check the owner and mode of the file and its folder"
        }
        Some(ErrorCode::CannotOpen) => "it cannot be opened; check that the folder is there",
        Some(ErrorCode::DiskFull) => "the disk is full",
        _ => "it cannot be used",
    };
    StoreError::open(format_args!("database file {}: {advice} ({error})", path.display()))
}
