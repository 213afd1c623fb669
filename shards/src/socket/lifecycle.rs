//! How sockets end, and what the engine's timers do to them.

use std::{net::Shutdown, rc::Rc, time::Duration};

use super::{
    Closed,
    engine::{Alarm, Engine, Notice, Phase, Receiving, State},
    ring::Event,
    slots::Key,
};
use crate::timers::Target;

/// How many times in a stall's time the sends are looked at.
const STALL_CHECKS: u32 = 4;

impl Engine {
    pub(super) fn close(&self, key: Key) {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slots.get_mut(key) else { return };
        match slot.phase {
            Phase::Open => {
                slot.phase = Phase::Finishing;
                slot.due = true;
                // A peer that takes a byte now and then is not stalled, and has no session any more that
                // would find it slow.
                let at_ms = self.ms_from_now(self.config.finish_max);
                slot.timer = self.alarm(at_ms, Alarm::Abort, Some(key));
                if !slot.dirty {
                    slot.dirty = true;
                    state.dirty.push(key);
                }
            }
            Phase::Connecting => self.die(&mut state, key, Closed::Here),
            Phase::Finishing | Phase::Lingering | Phase::Dying => {}
        }
        self.kick();
    }

    pub(super) fn abort(&self, key: Key, reason: Closed) {
        let mut state = self.state.borrow_mut();
        if let Some(slot) = state.slots.get(key) {
            // A reset frees the kernel's buffers at once, where an orphan would keep them for minutes.
            let reset = socket2::SockRef::from(&slot.fd).set_linger(Some(Duration::ZERO));
            if let Err(error) = reset {
                tracing::debug!(%error, "a socket takes no linger option");
            }
        }
        self.die(&mut state, key, reason);
        self.kick();
    }

    /// Moves a socket that is closed here on, once its queue is empty: end our stream, then wait for the
    /// peer's.
    pub(super) fn finish(&self, state: &mut State, key: Key) {
        let Some(slot) = state.slots.get_mut(key) else { return };
        if slot.phase != Phase::Finishing || slot.sending || !slot.waiting.is_empty() {
            return;
        }
        if slot.peer_ended {
            return self.die(state, key, Closed::Here);
        }
        slot.phase = Phase::Lingering;
        // By a call of its own: the ring hands a shutdown to a worker thread, which costs twice as much.
        if let Err(error) = socket2::SockRef::from(&slot.fd).shutdown(Shutdown::Write) {
            tracing::debug!(%error, "a socket had no stream left to end");
        }
        let timer = self.alarm(self.ms_from_now(self.config.linger), Alarm::Abort, Some(key));
        if let Some(old) = std::mem::replace(&mut slot.timer, timer) {
            self.timers.cancel(old);
        }
        state.arm_receive(key);
    }

    /// Ends a socket: tells its consumer, cancels what the kernel still does, closes when that is over.
    pub(super) fn die(&self, state: &mut State, key: Key, reason: Closed) {
        let Some(slot) = state.slots.get_mut(key) else { return };
        if slot.phase == Phase::Dying {
            return;
        }
        slot.phase = Phase::Dying;
        slot.waiting.discard(&mut state.pool);
        if let Some(consumer) = slot.consumer.take() {
            state.notices.push(Notice::Closed(consumer, reason));
        }
        if let Some(connecting) = slot.connecting.take() {
            connecting.give_up();
        }
        if slot.sending || slot.receiving != Receiving::Off || slot.pending > 0 {
            slot.pending += 1;
            state.ring.cancel_all(key, &slot.fd);
        }
        self.release(state, key);
    }

    /// Closes a dying socket that the kernel has no operation of.
    pub(super) fn release(&self, state: &mut State, key: Key) {
        let over = state.slots.get(key).is_some_and(|slot| {
            slot.phase == Phase::Dying
                && !slot.sending
                && slot.receiving == Receiving::Off
                && slot.pending == 0
        });
        if !over {
            return;
        }
        let Some(slot) = state.slots.remove(key) else { return };
        if let Some(timer) = slot.timer {
            self.timers.cancel(timer);
        }
        if let Some(listener) = slot.listener {
            state.leave(listener, slot.peer);
        }
        state.ring.close(slot.fd);
        self.counts.closed.increment();
        self.counts.open.set(state.slots.len() as u64);
    }

    pub(super) fn stop(&self) {
        let keys: Vec<Key> = {
            let mut state = self.state.borrow_mut();
            state.stopping = true;
            let listeners: Vec<Key> = state.listeners.iter().map(|(key, _)| key).collect();
            for key in listeners {
                state.stop_listening(key);
            }
            state.slots.iter().map(|(key, _)| key).collect()
        };
        for key in keys {
            self.abort(key, Closed::Here);
        }
        self.kick();
    }

    /// Cuts sockets whose peer took nothing for too long.
    fn cut_stalled(&self) {
        let now = self.clock.monotonic_ms() as u32;
        let limit = self.config.write_stall.as_millis() as u32;
        let mut state = self.state.borrow_mut();
        state.stall_timer = false;
        let stalled: Vec<Key> = state
            .slots
            .iter()
            .filter(|(_, slot)| slot.sending && slot.phase != Phase::Dying)
            // Wrapping: a turn's clock may be a little ahead of the send's.
            .filter(|(_, slot)| now.wrapping_sub(slot.send_ms) as i32 >= limit as i32)
            .map(|(key, _)| key)
            .collect();
        self.watch_stalls(&mut state);
        drop(state);
        for key in stalled {
            self.counts.stalled.increment();
            self.abort(key, Closed::Stalled);
        }
    }

    /// A socket's timer fired.
    fn time_is_over(&self, key: Key) {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slots.get_mut(key) else { return };
        slot.timer = None;
        if slot.phase == Phase::Lingering {
            // All is sent as far as we are concerned; a reset would take it from a slow peer.
            self.die(&mut state, key, Closed::Here);
            self.kick();
        } else {
            drop(state);
            self.abort(key, Closed::Here);
        }
    }

    /// Looks after sends while there are any.
    pub(super) fn watch_stalls(&self, state: &mut State) {
        if !state.stall_timer && state.sends_in_flight > 0 {
            let delay = self.config.write_stall / STALL_CHECKS;
            state.stall_timer = self.alarm(self.ms_from_now(delay), Alarm::Stall, None).is_some();
        }
    }
}

impl Target for Engine {
    fn fired(&self, token: u64) {
        let key = Key::unpack(token & 0x00ff_ffff_ffff_ffff);
        match token >> 56 {
            alarm if alarm == Alarm::Flush as u64 => {
                self.state.borrow_mut().flush_timer = None;
                self.kick();
            }
            alarm if alarm == Alarm::Abort as u64 => {
                self.time_is_over(key);
            }
            alarm if alarm == Alarm::Accept as u64 => self.retry_accept(key),
            alarm if alarm == Alarm::Stall as u64 => self.cut_stalled(),
            _ => {}
        }
    }
}

impl Engine {
    /// Books the end of a receive, a send or another operation; true where the socket lives on.
    pub(super) fn book(&self, key: Key, done: impl FnOnce(&mut super::engine::Slot)) -> bool {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slots.get_mut(key) else { return false };
        done(slot);
        if slot.phase == Phase::Dying {
            self.release(&mut state, key);
            return false;
        }
        true
    }

    /// Calls the consumer of a socket; a panic in it costs the socket.
    pub(super) fn call(&self, key: Key, call: impl FnOnce(&dyn super::Consumer)) {
        let consumer = self.read(key, |slot| slot.consumer.clone()).flatten();
        let Some(consumer) = consumer else { return };
        if !self.guard(|| call(&*consumer)) {
            self.abort(key, Closed::Panicked);
        }
    }

    /// False where the call panicked.
    pub(super) fn guard(&self, call: impl FnOnce()) -> bool {
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)) {
            Ok(()) => true,
            Err(panic) => {
                self.counts.panics.increment();
                crate::runtime::report_panic("socket", panic.as_ref());
                false
            }
        }
    }

    pub(super) fn notify(&self) {
        // A notice may cause others; those come in the same turn, since they are few.
        loop {
            let notices = std::mem::take(&mut self.state.borrow_mut().notices);
            if notices.is_empty() {
                return;
            }
            for notice in notices {
                match notice {
                    Notice::Writable(key) => self.call(key, super::Consumer::writable),
                    Notice::Resumed(key) => self.call(key, super::Consumer::resumed),
                    Notice::Closed(consumer, reason) => {
                        self.guard(|| consumer.closed(reason));
                    }
                }
            }
        }
    }

    pub(super) fn handle(self: &Rc<Self>, event: Event) {
        match event {
            Event::Accepted { key, result, more } => self.accepted(key, result, more),
            Event::Received { key, result, more } => self.received(key, result, more),
            Event::Sent { key, chunks, result } => self.sent(key, chunks, result),
            Event::Connected { key, result } => self.connected(key, result),
            Event::Cancelled { key } => {
                self.book(key, |slot| slot.pending -= 1);
            }
        }
    }
}
