//! The sockets of a shard and the queues of what is to be done with them.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    rc::{Rc, Weak},
    task::Waker,
    time::Duration,
};

use super::{
    Closed, Consumer, Gone, Pace, Queue, SocketConfig,
    chunks::{Chunks, Pool},
    connect::Connecting,
    counts::Counts,
    listener::Listener,
    pace::Pacer,
    rests::Rests,
    ring::{Ring, RingConfig},
    slots::{Key, Slots},
};
use crate::{
    Clock, Timers, runtime,
    timers::{Target, TimerKey},
};

/// Writes that wait for the end of the turn at most before a free socket starts to send.
const EAGER_WRITES: u32 = 32;

/// Bytes with which a send is full: more company would not make them any cheaper.
const FULL_SEND: usize = 16 * 1024;

/// The life of a socket; `lifecycle.rs` holds the transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Open,
    /// Closed here: what is queued is being sent.
    Finishing,
    /// Our stream is ended; the peer's is thrown away until it ends too.
    Lingering,
    /// Operations are being cancelled; the descriptor closes when none is left.
    Dying,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiving {
    Off,
    Armed,
    Cancelling,
}

#[expect(clippy::struct_excessive_bools, reason = "they vary independently of each other")]
pub(super) struct Slot {
    pub(super) fd: OwnedFd,
    pub(super) phase: Phase,
    pub(super) receiving: Receiving,
    pub(super) paused: bool,
    pub(super) peer_ended: bool,
    /// Something of what waits is due at the end of the turn.
    pub(super) due: bool,
    /// It stands in the dirty list.
    pub(super) dirty: bool,
    /// It stands in the paced list.
    pub(super) paced: bool,
    pub(super) sending: bool,
    /// Operations in the kernel besides the receive and the send.
    pub(super) pending: u8,
    /// The turn in which the send in flight began.
    pub(super) send_turn: u32,
    /// When the send in flight last made progress (ms of the clock, truncated).
    pub(super) send_ms: u32,
    pub(super) in_flight: usize,
    pub(super) waiting: Chunks,
    pub(super) writable_below: Option<usize>,
    pub(super) consumer: Option<Rc<dyn Consumer>>,
    pub(super) connecting: Option<Box<Connecting>>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) listener: Option<Key>,
    pub(super) timer: Option<TimerKey>,
}

impl Slot {
    pub(super) fn new(fd: OwnedFd, phase: Phase, peer: Option<SocketAddr>) -> Self {
        Self {
            fd,
            phase,
            receiving: Receiving::Off,
            paused: false,
            peer_ended: false,
            due: false,
            dirty: false,
            paced: false,
            sending: false,
            pending: 0,
            send_turn: 0,
            send_ms: 0,
            in_flight: 0,
            waiting: Chunks::default(),
            writable_below: None,
            consumer: None,
            connecting: None,
            peer,
            listener: None,
            timer: None,
        }
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.in_flight + self.waiting.len()
    }

    pub(super) fn queued_writes(&self) -> usize {
        self.waiting.units() as usize
    }

    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }
}

/// A call that a consumer is owed; made by the pump outside of any borrow.
pub(super) enum Notice {
    Writable(Key),
    Resumed(Key),
    /// The slot may be gone by then.
    Closed(Rc<dyn Consumer>, Closed),
}

pub(super) struct State {
    pub(super) ring: Ring,
    pub(super) slots: Slots<Slot>,
    pub(super) listeners: Slots<Listener>,
    /// Open sockets that listeners accepted.
    pub(super) accepted: usize,
    pub(super) dirty: Vec<Key>,
    /// Sockets with paced writes and when those are due, in order of arrival.
    pub(super) paced: VecDeque<(u64, Key)>,
    /// The ms for which a timer will wake the pump to flush paced writes.
    pub(super) flush_timer: Option<(u64, TimerKey)>,
    pub(super) stall_timer: bool,
    pub(super) sends_in_flight: usize,
    pub(super) notices: Vec<Notice>,
    pub(super) pool: Pool,
    pub(super) pacer: Pacer,
    pub(super) rests: Rests,
    pub(super) turn: u32,
    /// Microseconds of the clock at the turn's begin.
    pub(super) now: u64,
    pub(super) stopping: bool,
}

pub(super) struct Engine {
    pub(super) state: RefCell<State>,
    pub(super) config: SocketConfig,
    pub(super) counts: Counts,
    pub(super) clock: Clock,
    pub(super) timers: Timers,
    pub(super) asleep: Cell<bool>,
    pub(super) pump: RefCell<Option<Waker>>,
    pub(super) ended: Cell<bool>,
    pub(super) myself: Weak<Engine>,
}

/// What a timer of the engine is for; the low 56 bits of its token are a key.
#[repr(u8)]
#[derive(Clone, Copy)]
pub(super) enum Alarm {
    /// Paced writes are due.
    Flush = 1,
    /// A socket's time is over.
    Abort,
    /// A listener may try to accept again.
    Accept,
    /// Look for sends that make no progress.
    Stall,
}

impl Alarm {
    fn token(self, key: u64) -> u64 {
        u64::from(self as u8) << 56 | key
    }
}

impl Engine {
    pub(super) fn new(config: SocketConfig, eventfd: std::os::fd::RawFd) -> io::Result<Rc<Self>> {
        let ring = Ring::new(
            &RingConfig {
                entries: config.ring_entries,
                receive_buffers: config.receive_buffers,
                receive_buffer_len: config.receive_buffer_len,
            },
            eventfd,
        )?;
        let clock = runtime::clock();
        let now = clock.monotonic_micros();
        let state = State {
            ring,
            slots: Slots::new(),
            listeners: Slots::new(),
            accepted: 0,
            dirty: Vec::new(),
            paced: VecDeque::new(),
            flush_timer: None,
            stall_timer: false,
            sends_in_flight: 0,
            notices: Vec::new(),
            pool: Pool::new(config.pool_bytes_max),
            pacer: Pacer::new(config.flush_window_max.as_micros() as u64, now),
            rests: Rests::new(),
            turn: 0,
            now,
            stopping: false,
        };
        Ok(Rc::new_cyclic(|myself| Self {
            state: RefCell::new(state),
            config,
            counts: Counts::new(&runtime::counters()),
            clock,
            timers: runtime::timers(),
            asleep: Cell::new(false),
            pump: RefCell::new(None),
            ended: Cell::new(false),
            myself: myself.clone(),
        }))
    }

    /// Wakes the pump where it sleeps.
    pub(super) fn kick(&self) {
        if self.asleep.replace(false)
            && let Some(waker) = self.pump.borrow_mut().take()
        {
            waker.wake();
        }
    }

    pub(super) fn alarm(&self, at_ms: u64, alarm: Alarm, key: Option<Key>) -> Option<TimerKey> {
        let target: Rc<dyn Target> = self.myself.upgrade()?;
        Some(self.timers.notify_at(at_ms, target, alarm.token(key.map_or(0, Key::pack))))
    }

    pub(super) fn ms_from_now(&self, delay: Duration) -> u64 {
        self.clock.monotonic_ms() + delay.as_millis() as u64 + 1
    }

    pub(super) fn len(&self) -> usize {
        self.state.borrow().slots.len()
    }

    pub(super) fn flush_window(&self) -> Duration {
        Duration::from_micros(self.state.borrow().pacer.window_micros())
    }

    pub(super) fn read<T>(&self, key: Key, read: impl FnOnce(&Slot) -> T) -> Option<T> {
        self.state.borrow().slots.get(key).map(read)
    }

    pub(super) fn consume(&self, key: Key, consumer: Rc<dyn Consumer>) {
        let previous = {
            let mut state = self.state.borrow_mut();
            let Some(slot) = state.slots.get_mut(key) else { return };
            let previous = slot.consumer.replace(consumer);
            state.arm_receive(key);
            previous
        };
        self.kick();
        drop(previous);
    }

    pub(super) fn write(
        &self,
        key: Key,
        pace: Pace,
        queue: impl FnOnce(&mut Chunks, &mut Pool),
    ) -> Result<(), Gone> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let slot = state.slots.get_mut(key).filter(|slot| slot.is_open()).ok_or(Gone)?;
        queue(&mut slot.waiting, &mut state.pool);
        self.counts.writes.increment();
        let window = state.pacer.window_micros();
        if pace == Pace::Now || window == 0 || slot.waiting.len() >= FULL_SEND {
            slot.due = true;
            if !slot.sending && slot.waiting.units() >= EAGER_WRITES {
                state.start_send(key);
            } else if !slot.dirty {
                slot.dirty = true;
                state.dirty.push(key);
            }
        } else if !slot.due && !slot.paced {
            slot.paced = true;
            state.paced.push_back((state.now + window, key));
        }
        self.kick();
        Ok(())
    }

    pub(super) fn queue(&self, key: Key) -> Queue {
        let state = self.state.borrow();
        let queue = |slot: &Slot| Queue {
            bytes: slot.queued_bytes(),
            writes: slot.queued_writes(),
            blocked: slot.sending && state.turn.wrapping_sub(slot.send_turn) > 2,
        };
        state.slots.get(key).map(queue).unwrap_or_default()
    }

    pub(super) fn notify_writable(&self, key: Key, below: usize) {
        let mut state = self.state.borrow_mut();
        if let Some(slot) = state.slots.get_mut(key) {
            slot.writable_below = Some(below);
            state.notify_if_writable(key);
            self.kick();
        }
    }

    pub(super) fn pause_reading(&self, key: Key) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let Some(slot) = state.slots.get_mut(key).filter(|slot| slot.is_open()) else { return };
        slot.paused = true;
        if slot.receiving == Receiving::Armed {
            slot.receiving = Receiving::Cancelling;
            slot.pending += 1;
            state.ring.cancel_receive(key);
            self.kick();
        }
    }

    pub(super) fn resume_reading(&self, key: Key) {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slots.get_mut(key).filter(|slot| slot.paused) else { return };
        slot.paused = false;
        state.notices.push(Notice::Resumed(key));
        state.arm_receive(key);
        self.kick();
    }
}

impl State {
    /// Arms the receive unless something speaks against it.
    pub(super) fn arm_receive(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let wanted = match slot.phase {
            Phase::Open | Phase::Finishing => !slot.paused,
            Phase::Lingering => true,
            Phase::Connecting | Phase::Dying => false,
        };
        if wanted && !slot.peer_ended && slot.receiving == Receiving::Off {
            slot.receiving = Receiving::Armed;
            self.ring.receive(key, &slot.fd);
        }
    }

    /// Sends all that waits, unless a send is in flight.
    pub(super) fn start_send(&mut self, key: Key) {
        let (turn, now) = (self.turn, self.now);
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.sending || slot.waiting.is_empty() || slot.phase == Phase::Dying {
            return;
        }
        let chunks = std::mem::take(&mut slot.waiting);
        slot.sending = true;
        slot.due = false;
        slot.send_turn = turn;
        slot.send_ms = (now / 1000) as u32;
        slot.in_flight = chunks.len();
        self.sends_in_flight += 1;
        self.ring.send(key, &slot.fd, chunks, slot.phase == Phase::Finishing);
    }

    pub(super) fn notify_if_writable(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.writable_below.is_some_and(|below| slot.queued_bytes() <= below) {
            slot.writable_below = None;
            self.notices.push(Notice::Writable(key));
        }
    }
}
