//! The order in which a session's envelopes are handled.
//!
//! One envelope that waits for an owner or the store is in flight at a time; what follows waits here, so
//! that a client may join and send without waiting for the reply in between. The queue is bounded by
//! [`INBOX_LEN_MAX`]: when it is full the socket stops being read, and TCP slows the client down.

use std::collections::VecDeque;

/// Envelopes that may wait behind the one in flight before the socket is no longer read.
pub const INBOX_LEN_MAX: usize = 32;

/// How many waiting envelopes are left when a paused socket is read again.
const RESUME_AT: usize = INBOX_LEN_MAX / 2;

/// Envelopes waiting for their turn. Empty, it owns no memory.
#[derive(Debug)]
pub struct Inbox<E> {
    /// An envelope is in flight; the next one waits for it.
    in_flight: bool,
    paused: bool,
    waiting: VecDeque<E>,
}

/// What becomes of an arriving envelope.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival<E> {
    /// It is its turn: handle it now.
    Now(E),
    /// It waits.
    Waits,
    /// It waits, and the socket must not be read for now.
    WaitsAndPause,
}

impl<E> Default for Inbox<E> {
    fn default() -> Self {
        Self { in_flight: false, paused: false, waiting: VecDeque::new() }
    }
}

impl<E> Inbox<E> {
    /// Takes an envelope in the order of the wire.
    pub fn arrive(&mut self, envelope: E) -> Arrival<E> {
        if self.is_at_rest() {
            return Arrival::Now(envelope);
        }
        self.waiting.push_back(envelope);
        if self.waiting.len() >= INBOX_LEN_MAX && !self.paused {
            self.paused = true;
            return Arrival::WaitsAndPause;
        }
        Arrival::Waits
    }

    /// The envelope being handled has to wait for an answer: the next one waits for it.
    pub fn begin(&mut self) {
        debug_assert!(!self.in_flight, "one envelope is in flight at a time");
        self.in_flight = true;
    }

    /// The envelope in flight is done.
    pub fn finish(&mut self) {
        self.in_flight = false;
    }

    /// The next envelope whose turn it is, if nothing is in flight.
    pub fn next_turn(&mut self) -> Option<E> {
        if self.in_flight {
            return None;
        }
        let next = self.waiting.pop_front();
        if self.waiting.is_empty() {
            // A session is idle most of its life, and then it should cost nothing.
            self.waiting = VecDeque::new();
        }
        next
    }

    /// Whether a paused socket may be read again; answers `true` once for each pause.
    pub fn may_resume(&mut self) -> bool {
        if self.paused && self.waiting.len() <= RESUME_AT {
            self.paused = false;
            return true;
        }
        false
    }

    /// Forgets what waits: the session closes.
    pub fn clear(&mut self) {
        self.waiting = VecDeque::new();
        self.paused = false;
    }

    /// Whether an envelope that arrives now is handled at once.
    pub fn is_at_rest(&self) -> bool {
        !self.in_flight && self.waiting.is_empty()
    }

    /// How many envelopes wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits; an envelope may still be in flight.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_envelope_behind_one_in_flight_waits_for_it() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.arrive(1), Arrival::Now(1));
        inbox.begin();
        assert_eq!(inbox.arrive(2), Arrival::Waits);
        assert_eq!(inbox.next_turn(), None);
        inbox.finish();
        assert_eq!(inbox.next_turn(), Some(2));
    }

    #[test]
    fn reading_pauses_once_at_the_bound_and_resumes_once_at_half_of_it() {
        let mut inbox = Inbox::default();
        inbox.begin();
        let pauses =
            (0..INBOX_LEN_MAX + 5).filter(|n| inbox.arrive(*n) == Arrival::WaitsAndPause).count();
        assert_eq!(pauses, 1);
        inbox.finish();
        let mut resumes = Vec::new();
        while inbox.next_turn().is_some() {
            if inbox.may_resume() {
                resumes.push(inbox.len());
            }
        }
        assert_eq!(resumes, [RESUME_AT]);
    }

    proptest! {
        /// Envelopes arrive, wait for answers (odd ones do) and finish in any interleaving.
        #[test]
        fn envelopes_are_handled_in_the_order_of_the_wire(arrivals in proptest::collection::vec(any::<bool>(), 1..200)) {
            let mut inbox = Inbox::default();
            let (mut sent, mut handled) = (0_u32, Vec::new());
            let handle = |inbox: &mut Inbox<u32>, envelope: u32, handled: &mut Vec<u32>| {
                handled.push(envelope);
                if envelope % 2 == 1 {
                    inbox.begin();
                }
            };
            for arrives in arrivals {
                if arrives {
                    if let Arrival::Now(envelope) = inbox.arrive(sent) {
                        handle(&mut inbox, envelope, &mut handled);
                    }
                    sent += 1;
                } else {
                    inbox.finish();
                    while let Some(envelope) = inbox.next_turn() {
                        handle(&mut inbox, envelope, &mut handled);
                    }
                }
            }
            loop {
                inbox.finish();
                let Some(envelope) = inbox.next_turn() else { break };
                handle(&mut inbox, envelope, &mut handled);
            }
            prop_assert_eq!(handled, (0..sent).collect::<Vec<_>>());
        }
    }
}
