//! The receive buffers that the kernel picks from: one ring of equal buffers per shard, so that an idle
//! connection has none of its own.
#![allow(unsafe_code)]

use std::{
    cell::Cell,
    io,
    ops::{Deref, DerefMut},
    ptr,
    rc::Rc,
    slice,
    sync::atomic::{AtomicU16, Ordering},
};

use io_uring::{Submitter, types::BufRingEntry};

/// The one buffer group of a ring.
pub(super) const GROUP: u16 = 0;

/// An anonymous mapping: page-aligned, zeroed, unmapped on drop.
struct Mapping {
    base: *mut u8,
    len: usize,
}

impl Mapping {
    fn new(len: usize) -> io::Result<Self> {
        // SAFETY: a fresh anonymous private mapping; no memory that exists is touched.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { base: base.cast(), len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `base` and `len` come from the successful mmap in `new`, and nothing points into the
        // mapping any more: `Filled` keeps it alive by its `Rc`, and the ring leaks the `Rc` if the
        // kernel may still write.
        unsafe { libc::munmap(self.base.cast(), self.len) };
    }
}

/// `count` buffers of `len` bytes, shared with the kernel.
pub(super) struct ReceiveBuffers {
    entries: Mapping,
    memory: Mapping,
    count: u16,
    len: usize,
    tail: Cell<u16>,
}

impl ReceiveBuffers {
    /// `count` must be a power of two of at most 32768.
    pub(super) fn register(
        submitter: &Submitter<'_>,
        count: u16,
        len: usize,
    ) -> io::Result<Rc<Self>> {
        if !count.is_power_of_two() || len == 0 || u32::try_from(len).is_err() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the number of receive buffers must be a power of two, and their length positive",
            ));
        }
        let buffers = Self {
            entries: Mapping::new(usize::from(count) * size_of::<BufRingEntry>())?,
            memory: Mapping::new(usize::from(count) * len)?,
            count,
            len,
            tail: Cell::new(0),
        };
        // SAFETY: the entries' mapping is page-aligned, as long as `count` entries, and outlives the
        // ring: the ring owns an `Rc` of it and is closed, or leaks it, before that is dropped.
        unsafe {
            submitter.register_buf_ring_with_flags(buffers.entries.base as u64, count, GROUP, 0)?;
        }
        let buffers = Rc::new(buffers);
        for id in 0..count {
            buffers.give_back(id);
        }
        Ok(buffers)
    }

    /// Takes the buffer that a completion named.
    ///
    /// # Safety
    /// The kernel must have filled `len` bytes of buffer `id`, and the completion be taken only once.
    pub(super) unsafe fn take(self: &Rc<Self>, id: u16, len: usize) -> Filled {
        debug_assert!(id < self.count && len <= self.len);
        Filled { buffers: self.clone(), id, len: len.min(self.len) }
    }

    #[expect(clippy::cast_ptr_alignment, reason = "the mapping is aligned to a page")]
    fn give_back(&self, id: u16) {
        let tail = self.tail.get();
        let index = usize::from(tail & (self.count - 1));
        // SAFETY: `index` is below `count`; the kernel reads an entry only after the tail passed it, and
        // this one is behind the tail since at most `count` buffers exist.
        unsafe {
            let base = self.entries.base.cast::<BufRingEntry>();
            let entry = &mut *base.add(index);
            entry.set_addr(self.memory.base.add(usize::from(id) * self.len) as u64);
            entry.set_len(self.len as u32);
            entry.set_bid(id);
            let shared_tail = BufRingEntry::tail(base).cast::<AtomicU16>();
            (*shared_tail).store(tail.wrapping_add(1), Ordering::Release);
        }
        self.tail.set(tail.wrapping_add(1));
    }
}

/// A buffer the kernel filled. It goes back to the kernel on drop.
pub(super) struct Filled {
    buffers: Rc<ReceiveBuffers>,
    id: u16,
    len: usize,
}

impl Deref for Filled {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: see `deref_mut`.
        unsafe { slice::from_raw_parts(self.start(), self.len) }
    }
}

impl DerefMut for Filled {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: the kernel gave this buffer up with its completion and gets it back only on drop, so
        // these `len` initialised bytes are ours alone; the mapping lives as long as our `Rc`.
        unsafe { slice::from_raw_parts_mut(self.start(), self.len) }
    }
}

impl Filled {
    fn start(&self) -> *mut u8 {
        // SAFETY: `id` is below `count`, so this stays inside the mapping.
        unsafe { self.buffers.memory.base.add(usize::from(self.id) * self.buffers.len) }
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        self.buffers.give_back(self.id);
    }
}
