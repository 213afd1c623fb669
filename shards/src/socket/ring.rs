//! The `io_uring` of a shard, and all that is unsafe about it: memory that the kernel reads belongs to the
//! ring from submission until completion, whatever becomes of the socket that asked.
#![allow(unsafe_code)]

use std::{
    collections::VecDeque,
    io, mem,
    os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
    rc::Rc,
    sync::atomic::{Ordering, fence},
    time::Duration,
};

use io_uring::{
    IoUring, cqueue, opcode, squeue,
    types::{CancelBuilder, Fd, Timespec},
};
use slab::Slab;
use socket2::SockAddr;

use super::{
    buffers::{Filled, GROUP, ReceiveBuffers},
    chunks::Chunks,
    slots::Key,
};

/// Chunks that one send gathers.
const GATHER_MAX: usize = 64;
/// How long a ring that is dropped waits for the kernel to let go of its memory.
const DRAIN_WAIT: Duration = Duration::from_secs(2);
/// `IORING_ENTER_GETEVENTS`
const ENTER_GETEVENTS: u32 = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Accept = 1,
    Receive,
    Send,
    Connect,
    Cancel,
    Close,
    CancelAccept,
}

impl Kind {
    fn of(user_data: u64) -> Option<Self> {
        Some(match user_data >> 56 {
            1 => Self::Accept,
            2 => Self::Receive,
            3 => Self::Send,
            4 => Self::Connect,
            5 => Self::Cancel,
            6 => Self::Close,
            7 => Self::CancelAccept,
            _ => return None,
        })
    }

    fn tag(self, low: u64) -> u64 {
        u64::from(self as u8) << 56 | low
    }
}

/// What the kernel finished.
pub(super) enum Event {
    /// `more`: the multishot accept stays armed.
    Accepted {
        key: Key,
        result: io::Result<OwnedFd>,
        more: bool,
    },
    /// `None` is the end of the peer's stream.
    Received {
        key: Key,
        result: io::Result<Option<Filled>>,
        more: bool,
    },
    /// The flight comes back with what was sent of it.
    Sent {
        key: Key,
        chunks: Chunks,
        result: io::Result<usize>,
    },
    Connected {
        key: Key,
        result: io::Result<()>,
    },
    Cancelled {
        key: Key,
    },
}

/// The head of a gathered send; the kernel reads it until the send completes.
struct Gather {
    iov: Vec<libc::iovec>,
    header: libc::msghdr,
}

/// Memory of an operation that the kernel holds.
enum Held {
    Send { key: Key, chunks: Chunks, _gather: Option<Box<Gather>> },
    Connect { key: Key, _address: Box<SockAddr> },
}

pub(super) struct RingConfig {
    pub(super) entries: u32,
    pub(super) receive_buffers: u16,
    pub(super) receive_buffer_len: usize,
}

pub(super) struct Ring {
    uring: mem::ManuallyDrop<IoUring>,
    buffers: mem::ManuallyDrop<Rc<ReceiveBuffers>>,
    held: mem::ManuallyDrop<Slab<Held>>,
    /// Entries that found the queue full; bounded by a few operations per socket.
    backlog: VecDeque<squeue::Entry>,
    /// Submitted operations whose last completion has not come.
    outstanding: usize,
    /// Task work is announced by a flag, so that an idle check costs no system call.
    announces_work: bool,
}

impl Ring {
    /// `eventfd` is signalled when a completion comes while the owner sleeps ([`Ring::prepare_sleep`]).
    pub(super) fn new(config: &RingConfig, eventfd: RawFd) -> io::Result<Self> {
        let (mut uring, announces_work) = build(config.entries)?;
        if let Err(error) = uring.submitter().register_ring_fd() {
            tracing::debug!(%error, "the kernel does not register ring descriptors");
        }
        uring.submitter().register_eventfd(eventfd)?;
        uring.completion().disable_eventfd();
        let buffers = ReceiveBuffers::register(
            &uring.submitter(),
            config.receive_buffers,
            config.receive_buffer_len,
        )?;
        Ok(Self {
            uring: mem::ManuallyDrop::new(uring),
            buffers: mem::ManuallyDrop::new(buffers),
            held: mem::ManuallyDrop::new(Slab::new()),
            backlog: VecDeque::new(),
            outstanding: 0,
            announces_work,
        })
    }

    /// Arms the multishot accept of a listener.
    pub(super) fn accept(&mut self, key: Key, listener: &OwnedFd) {
        let entry =
            opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).flags(libc::SOCK_CLOEXEC).build();
        self.push(Kind::Accept, key.pack(), entry);
    }

    /// Arms the multishot receive of a socket.
    pub(super) fn receive(&mut self, key: Key, socket: &OwnedFd) {
        let entry = opcode::RecvMulti::new(Fd(socket.as_raw_fd()), GROUP).build();
        self.push(Kind::Receive, key.pack(), entry);
    }

    /// Sends `chunks`, which must hold at least a byte. They come back with [`Event::Sent`]. What comes
    /// `last` waits in the kernel for the end of the stream, so that both leave in one segment.
    pub(super) fn send(&mut self, key: Key, socket: &OwnedFd, chunks: Chunks, last: bool) {
        let fd = Fd(socket.as_raw_fd());
        let flags = libc::MSG_NOSIGNAL | if last { libc::MSG_MORE } else { 0 };
        let mut gather = None;
        let entry = if chunks.count() <= 1 {
            let slice = chunks.first();
            let len = u32::try_from(slice.len()).unwrap_or(u32::MAX);
            opcode::Send::new(fd, slice.as_ptr(), len).flags(flags).build()
        } else {
            let gather = gather.insert(Box::new(Gather {
                iov: chunks
                    .slices()
                    .take(GATHER_MAX)
                    .map(|slice| libc::iovec {
                        iov_base: slice.as_ptr().cast_mut().cast(),
                        iov_len: slice.len(),
                    })
                    .collect(),
                // SAFETY: an all-zero msghdr is a valid one without address, data and control.
                header: unsafe { mem::zeroed() },
            }));
            gather.header.msg_iov = gather.iov.as_mut_ptr();
            gather.header.msg_iovlen = gather.iov.len() as _;
            opcode::SendMsg::new(fd, &raw const gather.header).flags(flags as u32).build()
        };
        // The bytes, the iovec array and the header stand on the heap: moving their owners into the slab
        // moves none of them, and the slab keeps them until the completion.
        let index = self.held.insert(Held::Send { key, chunks, _gather: gather });
        self.push(Kind::Send, index as u64, entry);
    }

    pub(super) fn connect(&mut self, key: Key, socket: &OwnedFd, address: SockAddr) {
        let address = Box::new(address);
        let entry = opcode::Connect::new(
            Fd(socket.as_raw_fd()),
            address.as_ptr().cast::<libc::sockaddr>(),
            address.len(),
        )
        .build();
        let index = self.held.insert(Held::Connect { key, _address: address });
        self.push(Kind::Connect, index as u64, entry);
    }

    /// Cancels every operation of a descriptor.
    pub(super) fn cancel_all(&mut self, key: Key, socket: &OwnedFd) {
        let target = CancelBuilder::fd(Fd(socket.as_raw_fd())).all();
        self.push(Kind::Cancel, key.pack(), opcode::AsyncCancel2::new(target).build());
    }

    /// Cancels the multishot receive of a socket.
    pub(super) fn cancel_receive(&mut self, key: Key) {
        let target = CancelBuilder::user_data(Kind::Receive.tag(key.pack()));
        self.push(Kind::Cancel, key.pack(), opcode::AsyncCancel2::new(target).build());
    }

    /// Cancels the multishot accept of a listener. Only the accept reports its end.
    pub(super) fn cancel_accept(&mut self, key: Key) {
        let target = CancelBuilder::user_data(Kind::Accept.tag(key.pack()));
        self.push(Kind::CancelAccept, 0, opcode::AsyncCancel2::new(target).build());
    }

    /// Closes a descriptor that no operation uses any more. Nothing is reported.
    pub(super) fn close(&mut self, socket: OwnedFd) {
        let entry = opcode::Close::new(Fd(socket.into_raw_fd())).build();
        self.push(Kind::Close, 0, entry);
    }

    fn push(&mut self, kind: Kind, low: u64, entry: squeue::Entry) {
        let entry = entry.user_data(kind.tag(low));
        self.outstanding += 1;
        if !self.backlog.is_empty() || !self.push_now(&entry) {
            self.backlog.push_back(entry);
        }
    }

    fn push_now(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: what an entry points at (send chunks, iovecs, addresses) is owned by this
        // ring until the entry's completion, and descriptors are closed only after their last operation.
        if unsafe { self.uring.submission().push(entry) }.is_ok() {
            return true;
        }
        // The queue is full: hand it to the kernel without running completions, then try once more.
        let waiting = self.uring.submission().len() as u32;
        // SAFETY: no argument is passed.
        let entered =
            unsafe { self.uring.submitter().enter::<libc::sigset_t>(waiting, 0, 0, None) };
        // SAFETY: as above.
        entered.is_ok() && unsafe { self.uring.submission().push(entry) }.is_ok()
    }

    /// Submits what is queued and lets the kernel post completions. Never waits.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        loop {
            while let Some(entry) = self.backlog.pop_front() {
                if !self.push_now(&entry) {
                    self.backlog.push_front(entry);
                    break;
                }
            }
            let waiting = self.uring.submission().len() as u32;
            // SAFETY: no argument is passed.
            let entered = unsafe {
                self.uring.submitter().enter::<libc::sigset_t>(waiting, 0, ENTER_GETEVENTS, None)
            };
            match entered {
                Ok(taken) if !self.backlog.is_empty() && taken > 0 => {}
                Ok(_) => return Ok(()),
                // Busy: completions must be taken before more is accepted, which the caller does next.
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR | libc::EAGAIN | libc::EBUSY) => return Ok(()),
                    _ => return Err(error),
                },
            }
        }
    }

    /// Puts something that is no ring where the kernel's end of it was: every enter fails from here on.
    #[cfg(test)]
    pub(super) fn lose(&self) {
        let other = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: both descriptors are open; the ring's memory stays mapped.
        let lost = unsafe { libc::dup2(other.as_raw_fd(), self.uring.as_raw_fd()) };
        assert_eq!(lost, self.uring.as_raw_fd());
    }

    /// Whether entering would do anything: entries to submit or work that the kernel announced.
    pub(super) fn wants_enter(&mut self) -> bool {
        if !self.backlog.is_empty() {
            return true;
        }
        let queue = self.uring.submission();
        !queue.is_empty() || !self.announces_work || queue.taskrun() || queue.cq_overflow()
    }

    /// Switches the eventfd's signals on and says whether it is safe to sleep on it.
    pub(super) fn prepare_sleep(&mut self) -> bool {
        self.uring.completion().enable_eventfd();
        // The kernel marks work first and reads the flag second; we write the flag first and look for
        // work second. With full barriers at both ends one of us sees the other.
        fence(Ordering::SeqCst);
        let queue = self.uring.submission();
        let idle = queue.is_empty() && !queue.taskrun() && !queue.cq_overflow();
        drop(queue);
        if idle && self.backlog.is_empty() && self.uring.completion().is_empty() {
            return true;
        }
        self.uring.completion().disable_eventfd();
        false
    }

    pub(super) fn awake(&mut self) {
        self.uring.completion().disable_eventfd();
    }

    /// Sends and connects whose memory the kernel holds.
    #[cfg(test)]
    pub(super) fn outstanding_of_sockets(&self) -> usize {
        self.held.len()
    }

    pub(super) fn has_completions(&mut self) -> bool {
        !self.uring.completion().is_empty()
    }

    /// The next completion.
    pub(super) fn next(&mut self) -> Option<Event> {
        loop {
            let entry = self.uring.completion().next()?;
            if !cqueue::more(entry.flags()) {
                self.outstanding -= 1;
            }
            if let Some(event) = self.event(&entry) {
                return Some(event);
            }
        }
    }

    fn event(&mut self, entry: &cqueue::Entry) -> Option<Event> {
        let data = entry.user_data();
        let key = Key::unpack(data & 0x00ff_ffff_ffff_ffff);
        let more = cqueue::more(entry.flags());
        let result = match entry.result() {
            n if n < 0 => Err(io::Error::from_raw_os_error(-n)),
            n => Ok(n as usize),
        };
        Some(match Kind::of(data)? {
            Kind::Accept => {
                // SAFETY: a non-negative result of accept is a new descriptor that is ours.
                let result = result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) });
                Event::Accepted { key, result, more }
            }
            Kind::Receive => {
                let filled = match (&result, cqueue::buffer_select(entry.flags())) {
                    // SAFETY: the completion names the buffer and the length that the kernel filled, and
                    // each completion is taken once.
                    (Ok(len), Some(id)) => Some(unsafe { self.buffers.take(id, *len) }),
                    _ => None,
                };
                let result = result.map(|len| filled.filter(|_| len > 0));
                Event::Received { key, result, more }
            }
            Kind::Send | Kind::Connect => {
                match self.held.try_remove((data & 0xffff_ffff) as usize)? {
                    Held::Send { key, chunks, .. } => Event::Sent { key, chunks, result },
                    Held::Connect { key, .. } => Event::Connected { key, result: result.map(drop) },
                }
            }
            Kind::Cancel => Event::Cancelled { key },
            Kind::Close | Kind::CancelAccept => return None,
        })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let let_go = self.cancel_everything();
        // SAFETY: each is dropped or leaked once, here, and not used afterwards. The ring goes first, so
        // that the kernel has let go of the buffers before they are unmapped; where it has not within the
        // bound, the memory is leaked instead, since it may still be written.
        unsafe {
            mem::ManuallyDrop::drop(&mut self.uring);
            if let_go {
                mem::ManuallyDrop::drop(&mut self.held);
                mem::ManuallyDrop::drop(&mut self.buffers);
            }
        }
    }
}

impl Ring {
    /// Cancels all operations and waits, bounded, until none is left.
    fn cancel_everything(&mut self) -> bool {
        let started = std::time::Instant::now();
        if self.enter().is_err() {
            return false;
        }
        loop {
            while self.next().is_some() {}
            if self.outstanding == 0 {
                return true;
            }
            let timeout = Some(Timespec::from(Duration::from_millis(10)));
            match self.uring.submitter().register_sync_cancel(timeout, CancelBuilder::any()) {
                Ok(()) => {}
                Err(error) => match error.raw_os_error() {
                    Some(libc::ENOENT | libc::ETIME | libc::EINTR | libc::EALREADY) => {}
                    _ => return false,
                },
            }
            if self.enter().is_err() || started.elapsed() > DRAIN_WAIT {
                tracing::warn!(self.outstanding, "socket operations outlived their ring");
                return false;
            }
        }
    }
}

/// Builds the ring with the flags that make it cheapest, and says so when the kernel refuses one.
fn build(entries: u32) -> io::Result<(IoUring, bool)> {
    let cq = entries.saturating_mul(8);
    let best = IoUring::builder()
        .setup_clamp()
        .setup_cqsize(cq)
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .build(entries);
    let error = match best {
        Ok(ring) => return Ok((ring, true)),
        Err(error) => error,
    };
    tracing::warn!(%error, "the kernel refuses deferred task work on io_uring; sockets cost more");
    let cooperative = IoUring::builder()
        .setup_clamp()
        .setup_cqsize(cq)
        .setup_coop_taskrun()
        .setup_taskrun_flag()
        .build(entries);
    if let Ok(ring) = cooperative {
        return Ok((ring, true));
    }
    tracing::warn!("the kernel refuses cooperative task work on io_uring; sockets cost more");
    Ok((IoUring::builder().setup_clamp().setup_cqsize(cq).build(entries)?, false))
}
