//! When a session is pinged, and when its silence means that the client is gone.
//!
//! A pong, or every `ping_backoff_threshold` messages, proves the client alive. A ping is due
//! `ping_period_ms` after the last proof, and the session dies `pong_wait_ms` after it. Nothing is armed
//! or cancelled when a proof arrives: the session's one timer looks at the proof when it fires.

use std::cell::Cell;

/// The intervals, in milliseconds, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive {
    /// A ping is sent after this much time without proof of life.
    pub ping_period_ms: u64,
    /// The session is closed after this much time without proof of life.
    pub pong_wait_ms: u64,
    /// So many messages count as one pong.
    pub ping_backoff_threshold: u32,
}

/// What a session does when its timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing; look again at this time.
    Wait { until_ms: u64 },
    /// Ping the client; look again at this time.
    Ping { until_ms: u64 },
    /// The client has been silent for too long.
    Dead,
}

/// What is known about the client's life. Times are the shard's monotonic milliseconds.
#[derive(Debug)]
pub struct Heartbeat {
    proof_at_ms: Cell<u64>,
    pinged: Cell<bool>,
    messages_left: Cell<u32>,
}

impl Heartbeat {
    /// A session that opened at `now_ms`.
    pub fn new(now_ms: u64, keep_alive: &KeepAlive) -> Self {
        Self {
            proof_at_ms: Cell::new(now_ms),
            pinged: Cell::new(false),
            messages_left: Cell::new(keep_alive.ping_backoff_threshold),
        }
    }

    /// A pong came: the client lives.
    pub fn pong(&self, now_ms: u64) {
        self.proof_at_ms.set(now_ms);
        self.pinged.set(false);
    }

    /// A message came. `now_ms` is only asked for when the message counts as a proof.
    pub fn message(&self, keep_alive: &KeepAlive, now_ms: impl FnOnce() -> u64) {
        let left = self.messages_left.get().saturating_sub(1);
        if left == 0 {
            self.messages_left.set(keep_alive.ping_backoff_threshold);
            self.pong(now_ms());
        } else {
            self.messages_left.set(left);
        }
    }

    /// The timer fired.
    pub fn beat(&self, now_ms: u64, keep_alive: &KeepAlive) -> Beat {
        let proof_at_ms = self.proof_at_ms.get();
        let dead_at_ms = proof_at_ms + keep_alive.pong_wait_ms;
        let ping_at_ms = proof_at_ms + keep_alive.ping_period_ms;
        if now_ms >= dead_at_ms {
            Beat::Dead
        } else if now_ms < ping_at_ms {
            Beat::Wait { until_ms: ping_at_ms.min(dead_at_ms) }
        } else if self.pinged.replace(true) {
            Beat::Wait { until_ms: dead_at_ms }
        } else {
            // A proof may come right after this ping, and then the next ping is due a period later.
            Beat::Ping { until_ms: dead_at_ms.min(now_ms + keep_alive.ping_period_ms) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP_ALIVE: KeepAlive =
        KeepAlive { ping_period_ms: 15_000, pong_wait_ms: 25_000, ping_backoff_threshold: 3 };

    #[test]
    fn a_silent_client_is_pinged_once_and_then_given_up() {
        let heartbeat = Heartbeat::new(0, &KEEP_ALIVE);
        assert_eq!(heartbeat.beat(14_999, &KEEP_ALIVE), Beat::Wait { until_ms: 15_000 });
        assert_eq!(heartbeat.beat(15_000, &KEEP_ALIVE), Beat::Ping { until_ms: 25_000 });
        assert_eq!(heartbeat.beat(20_000, &KEEP_ALIVE), Beat::Wait { until_ms: 25_000 });
        assert_eq!(heartbeat.beat(25_000, &KEEP_ALIVE), Beat::Dead);
    }

    #[test]
    fn a_pong_puts_the_next_ping_a_period_later() {
        let heartbeat = Heartbeat::new(0, &KEEP_ALIVE);
        heartbeat.beat(15_000, &KEEP_ALIVE);
        heartbeat.pong(15_100);
        assert_eq!(heartbeat.beat(25_000, &KEEP_ALIVE), Beat::Wait { until_ms: 30_100 });
        assert_eq!(heartbeat.beat(30_100, &KEEP_ALIVE), Beat::Ping { until_ms: 40_100 });
    }

    #[test]
    fn so_many_messages_count_as_a_pong_and_fewer_do_not() {
        let heartbeat = Heartbeat::new(0, &KEEP_ALIVE);
        heartbeat.message(&KEEP_ALIVE, || 10_000);
        heartbeat.message(&KEEP_ALIVE, || 10_000);
        assert_eq!(heartbeat.beat(15_000, &KEEP_ALIVE), Beat::Ping { until_ms: 25_000 });
        heartbeat.message(&KEEP_ALIVE, || 16_000);
        assert_eq!(heartbeat.beat(25_000, &KEEP_ALIVE), Beat::Wait { until_ms: 31_000 });
    }

    #[test]
    fn a_wait_shorter_than_the_period_still_ends_a_silent_session() {
        let hasty = KeepAlive { ping_period_ms: 20_000, pong_wait_ms: 5_000, ..KEEP_ALIVE };
        let heartbeat = Heartbeat::new(0, &hasty);
        assert_eq!(heartbeat.beat(0, &hasty), Beat::Wait { until_ms: 5_000 });
        assert_eq!(heartbeat.beat(5_000, &hasty), Beat::Dead);
    }
}
