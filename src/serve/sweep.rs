//! What a shard forgets now and then, and what it says of how much is left.

use std::{rc::Rc, time::Duration};

use kakera_shards::{Counter, Counters, runtime};

use crate::{parties::Parties, presence::Home, shard::ShardState};

/// How often what has expired is swept.
const SWEEP_PERIOD: Duration = Duration::from_secs(1);

/// The counter that shows that a shard gets on.
pub(super) const SWEEPS: &str = "sweeps";

/// How much of the shard's state its owners do not tell of themselves.
pub(super) struct Gauges {
    memberships: Counter,
    users: Counter,
    revoked_tokens: Counter,
    revoked_users: Counter,
    sessions_kept: Counter,
    attempts: Counter,
    attempts_evicted: Counter,
    sweeps: Counter,
}

impl Gauges {
    pub(super) fn new(counters: &Counters) -> Self {
        let gauge = |name, help| counters.gauge(name, help);
        Self {
            sweeps: counters.counter(SWEEPS, "Times that the shard forgot what had expired."),
            memberships: gauge("memberships", "Streams that the shard's sessions have joined."),
            users: gauge("users_with_sessions", "Users that the shard owns and have a session."),
            revoked_tokens: gauge("revoked_tokens", "Tokens known to be revoked."),
            revoked_users: gauge("revoked_users", "Users of whom something is revoked."),
            sessions_kept: counters.counter(
                "older_sessions_kept",
                "Sign-ins that ended no older session because the table of revoked ones was full.",
            ),
            attempts: gauge("login_attempts", "Accounts and addresses with failed sign-ins."),
            attempts_evicted: counters
                .counter("login_attempts_evicted", "Failed sign-ins forgotten by a full table."),
        }
    }

    fn read(&self, state: &ShardState) {
        state.presences.gauge();
        self.memberships.set(state.presences.read_home(Home::memberships_len) as u64);
        self.users.set(state.sessions.users_len() as u64);
        let revocations = state.revocations.borrow();
        self.revoked_tokens.set(revocations.tokens_len() as u64);
        self.revoked_users.set(revocations.users_len() as u64);
        self.sessions_kept.set(revocations.left_out());
        let attempts = state.attempts.borrow();
        self.attempts.set(attempts.len() as u64);
        self.attempts_evicted.set(attempts.evicted());
    }
}

/// Gives up parties that nobody came to.
pub(super) async fn sweep_parties(parties: Parties, period: Duration) {
    loop {
        runtime::sleep(period).await;
        parties.sweep();
    }
}

/// Forgets what has expired, and says how much is left.
pub(super) async fn sweep(state: Rc<ShardState>, gauges: Gauges) {
    loop {
        runtime::sleep(SWEEP_PERIOD).await;
        state.revocations.borrow_mut().sweep(state.clock.unix_sec());
        state.ranks.sweep(state.clock.unix_sec());
        // Where no message comes to this shard, what a full lane refused waits for this.
        state.end_turn_soon();
        gauges.read(&state);
        gauges.sweeps.add(1);
    }
}
