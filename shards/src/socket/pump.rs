//! The task that moves bytes: completions in, handlers, sends out; asleep when there is nothing.

use std::{
    future::{Future, poll_fn},
    io,
    os::fd::AsRawFd,
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
    time::Duration,
};

use super::{
    Closed, SocketConfig,
    buffers::Filled,
    chunks::Chunks,
    engine::{Alarm, Engine, Phase, Receiving, Slot},
    rests::Idle,
    slots::Key,
};
use crate::runtime::{self, EventFd};

/// How long the pump rests after the kernel refused an enter, before it tries again.
const ENTER_RETRY: Duration = Duration::from_millis(10);
/// Refused enters in a row after which the shard is given up: nobody is served without its ring.
const ENTER_TRIES_MAX: u32 = 100;
/// Completions handled between two looks at the executor's clock.
const YIELD_CHECK: usize = 32;

pub(super) fn start(config: SocketConfig) -> io::Result<Rc<Engine>> {
    let eventfd = EventFd::new()?;
    let engine = Engine::new(config, eventfd.as_raw_fd())?;
    runtime::spawn_essential("socket pump", pump(engine.clone(), eventfd));
    Ok(engine)
}

pub(super) async fn stopped(engine: &Engine) {
    while !engine.ended.get() {
        runtime::sleep(Duration::from_millis(1)).await;
    }
}

/// Lets nobody wait for the end of a pump that is gone, however it went.
struct Pumped(Rc<Engine>);

impl Drop for Pumped {
    fn drop(&mut self) {
        self.0.ended.set(true);
    }
}

async fn pump(engine: Rc<Engine>, eventfd: EventFd) {
    let _pumped = Pumped(Rc::clone(&engine));
    let mut refused = 0;
    loop {
        // A kick must not drop this read, which may have taken the signal already.
        let mut signal = pin!(eventfd.wait());
        loop {
            let turn = engine.turn();
            refused = if turn.is_ok() { 0 } else { refused + 1 };
            match turn {
                Ok(true) => {
                    engine.state.borrow_mut().rests.work();
                    runtime::yield_now().await;
                }
                Ok(false) if engine.may_end() => return,
                Ok(false) if engine.looks() || !engine.may_sleep() => {
                    runtime::yield_now().await;
                }
                Ok(false) => {
                    if engine.sleep(signal.as_mut()).await {
                        break;
                    }
                }
                Err(error) => {
                    if refused == 1 || refused == ENTER_TRIES_MAX {
                        tracing::error!(%error, refused, "The socket ring cannot be entered.");
                    }
                    if refused == ENTER_TRIES_MAX {
                        return;
                    }
                    runtime::sleep(ENTER_RETRY).await;
                }
            }
        }
    }
}

impl Engine {
    /// One bounded turn. True where there may be more to do at once.
    fn turn(self: &Rc<Self>) -> io::Result<bool> {
        self.counts.turns.increment();
        self.begin_turn();
        let mut handled = 0;
        while handled < self.config.turn_events_max {
            let next = self.state.borrow_mut().ring.next();
            let Some(event) = next else { break };
            handled += 1;
            self.handle(event);
            if handled % YIELD_CHECK == 0 && runtime::should_yield() {
                break;
            }
        }
        self.notify();
        self.flush();
        let mut state = self.state.borrow_mut();
        let enter = state.ring.wants_enter();
        if enter {
            state.ring.enter()?;
        }
        let waiting = !state.dirty.is_empty() || !state.notices.is_empty();
        Ok(handled > 0 || waiting || state.ring.has_completions())
    }

    fn begin_turn(&self) {
        let now = self.clock.monotonic_micros();
        let mut state = self.state.borrow_mut();
        state.turn = state.turn.wrapping_add(1);
        state.now = now;
        if state.pacer.turn(now) {
            self.counts.load.set(state.pacer.load_permille());
            self.counts.window.set(state.pacer.window_micros());
        }
    }

    /// Starts the sends that are due and moves closed sockets on.
    fn flush(&self) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        while let Some(&(due, key)) = state.paced.front()
            && (due <= state.now || state.pacer.window_micros() == 0)
        {
            state.paced.pop_front();
            if let Some(slot) = state.slots.get_mut(key) {
                slot.paced = false;
                // All of it may have left with something that did not wait.
                slot.due = !slot.waiting.is_empty();
                state.start_send(key);
            }
        }
        let mut dirty = std::mem::take(&mut state.dirty);
        for key in dirty.drain(..) {
            if let Some(slot) = state.slots.get_mut(key) {
                slot.dirty = false;
                state.start_send(key);
                self.finish(state, key);
            }
        }
        // The list keeps its memory.
        if state.dirty.is_empty() {
            state.dirty = dirty;
        }
    }

    fn may_end(&self) -> bool {
        let state = self.state.borrow();
        state.stopping && state.slots.len() == 0 && state.listeners.len() == 0
    }

    /// Whether to look for work a little longer instead of sleeping.
    fn looks(&self) -> bool {
        let mut state = self.state.borrow_mut();
        if state.stopping {
            return false;
        }
        let now = state.now;
        match state.rests.idle(now) {
            Idle::Look { wasted } => {
                state.pacer.lingered(wasted);
                true
            }
            Idle::Sleep => false,
        }
    }

    /// Prepares to sleep; false where there is work after all.
    fn may_sleep(&self) -> bool {
        let mut state = self.state.borrow_mut();
        self.watch_stalls(&mut state);
        self.schedule_flush(&mut state);
        state.ring.prepare_sleep()
    }

    /// Sleeps until the ring or a task of this shard has work. True where the signal was taken.
    async fn sleep(&self, mut signal: Pin<&mut impl Future<Output = io::Result<u64>>>) -> bool {
        self.counts.sleeps.increment();
        let began = self.clock.monotonic_micros();
        self.asleep.set(true);
        let signalled = poll_fn(|cx| {
            if !self.asleep.get() {
                return Poll::Ready(false);
            }
            if let Poll::Ready(result) = signal.as_mut().poll(cx) {
                if let Err(error) = result {
                    tracing::error!(%error, "The socket ring's eventfd cannot be read.");
                }
                return Poll::Ready(true);
            }
            let mut pump = self.pump.borrow_mut();
            match pump.as_mut() {
                Some(known) => known.clone_from(cx.waker()),
                None => *pump = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
        .await;
        self.asleep.set(false);
        let slept = self.clock.monotonic_micros().saturating_sub(began);
        let mut state = self.state.borrow_mut();
        state.rests.slept(slept);
        state.pacer.slept(slept);
        state.ring.awake();
        signalled
    }

    /// Lets a timer wake the pump for the first paced write that is due.
    fn schedule_flush(&self, state: &mut super::engine::State) {
        let Some(&(due, _)) = state.paced.front() else { return };
        let due_ms = due.div_ceil(1000);
        if let Some((armed_ms, timer)) = state.flush_timer {
            if armed_ms <= due_ms {
                return;
            }
            self.timers.cancel(timer);
        }
        state.flush_timer = self.alarm(due_ms, Alarm::Flush, None).map(|timer| (due_ms, timer));
    }

    pub(super) fn received(&self, key: Key, result: io::Result<Option<Filled>>, more: bool) {
        let alive = more || self.book(key, |slot| slot.receiving = Receiving::Off);
        if !alive {
            return;
        }
        match result {
            Ok(Some(mut bytes)) => {
                self.counts.receives.increment();
                self.counts.received_bytes.add(bytes.len() as u64);
                let open = self.read(key, Slot::is_open).unwrap_or(false);
                if open {
                    self.call(key, |consumer| consumer.data(&mut bytes));
                }
                drop(bytes);
            }
            Ok(None) => return self.peer_ended(key),
            Err(error) => match error.raw_os_error() {
                // Cancelled to pause: whoever resumes arms it again.
                Some(libc::ECANCELED | libc::EINTR | libc::EAGAIN) => {}
                // The buffers that this turn's handlers hold come back before the next enter.
                Some(libc::ENOBUFS) => self.counts.buffers_short.increment(),
                _ => return self.failed(key, &error),
            },
        }
        if !more {
            self.state.borrow_mut().arm_receive(key);
        }
    }

    fn peer_ended(&self, key: Key) {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slots.get_mut(key) else { return };
        slot.peer_ended = true;
        match slot.phase {
            Phase::Open => {
                drop(state);
                self.call(key, super::Consumer::ended);
            }
            Phase::Lingering => self.die(&mut state, key, Closed::Here),
            Phase::Connecting | Phase::Finishing | Phase::Dying => {}
        }
    }

    fn failed(&self, key: Key, error: &io::Error) {
        self.die(&mut self.state.borrow_mut(), key, Closed::Failed(error.kind()));
    }

    pub(super) fn sent(&self, key: Key, mut chunks: Chunks, result: io::Result<usize>) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        self.counts.sends.increment();
        if let Ok(sent) = result {
            self.counts.sent_bytes.add(sent as u64);
            chunks.advance(sent, &mut state.pool);
        }
        let (turn, now_ms) = (state.turn, (state.now / 1000) as u32);
        let Some(slot) = state.slots.get_mut(key) else {
            return chunks.discard(&mut state.pool);
        };
        if slot.phase == Phase::Dying || result.is_err() || chunks.is_empty() {
            slot.sending = false;
            slot.in_flight = 0;
            state.sends_in_flight = state.sends_in_flight.saturating_sub(1);
            chunks.discard(&mut state.pool);
        } else {
            // The kernel took a part: the rest goes before anything else.
            slot.in_flight = chunks.len();
            slot.send_turn = turn;
            slot.send_ms = now_ms;
            state.ring.send(key, &slot.fd, chunks, slot.phase == Phase::Finishing);
            return state.notify_if_writable(key);
        }
        if slot.phase == Phase::Dying {
            return self.release(state, key);
        }
        if let Err(error) = result {
            return self.die(state, key, Closed::Failed(error.kind()));
        }
        if (slot.due || slot.phase == Phase::Finishing) && !slot.dirty {
            slot.dirty = true;
            state.dirty.push(key);
        }
        state.notify_if_writable(key);
    }
}
