//! An eventfd that a task of the shard waits for.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use super::executor::Readable;

/// A counter in the kernel: others add to it, one task of this shard waits until it is not zero.
///
/// It is how a foreign `io_uring` wakes a shard: register [`EventFd::as_raw_fd`] with the ring.
pub struct EventFd {
    /// The end that is written; a blocking descriptor, or the executor's read would fail at once
    /// instead of waiting.
    file: File,
    readable: Readable,
}

impl EventFd {
    /// Must be called on a shard's thread (not in the simulator).
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed, and the result is checked before it is owned.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just created and nobody else owns it.
        let file = unsafe { File::from_raw_fd(fd) };
        let readable = Readable::new(OwnedFd::from(file.try_clone()?));
        Ok(Self { file, readable })
    }

    /// Waits until something was added, takes all of it, and says how much it was.
    ///
    /// One task at a time. Dropping the future may swallow what was added meanwhile, so the waiter
    /// looks at what it waits for before it waits again.
    pub async fn wait(&self) -> io::Result<u64> {
        self.readable.read_u64().await
    }

    /// Wakes the waiter.
    pub fn notify(&self) -> io::Result<()> {
        (&self.file).write_all(&1u64.to_ne_bytes())
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}
