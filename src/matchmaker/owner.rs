//! The pool that this shard keeps: what others ask of it, its rounds, and what comes of them.

use std::{collections::BTreeSet, rc::Rc, sync::Arc, time::Duration};

use kakera_shards::{Address, runtime};

use super::{Formed, Matchmaker, Reply, Request, State, formed::Announcement};
use crate::presence::wire;

/// Clauses that a round looks at before the shard's other work has its turn: less than a millisecond
/// (`cargo bench --bench matchmaker`).
pub const SLICE_COST: usize = 4_000;

/// Users in the announcements that are written at a turn.
const ANNOUNCED_AT_A_TURN: usize = 2048;

impl Matchmaker {
    /// A message of another shard, or of this one to itself.
    pub fn handle(&self, request: Request, answer: impl FnOnce(Reply)) {
        let inner = &*self.0;
        let reply = match request {
            Request::Add(entry) => {
                let now_micros = inner.tools.clock.unix_micros();
                Reply::Done(inner.state.borrow_mut().add(*entry, now_micros))
            }
            Request::Remove(removed) => {
                let (seeker, ticket) = *removed;
                Reply::Done(inner.state.borrow_mut().remove(seeker, ticket))
            }
            Request::Stats => Reply::Stats(Box::new(inner.state.borrow().stats.clone())),
            Request::Forget(gone) => {
                inner.state.borrow_mut().forget(gone);
                Reply::None
            }
            Request::Matched(announcement) => {
                self.announce(announcement);
                Reply::None
            }
        };
        self.gauge();
        answer(reply);
    }

    /// Matches who is in the pool, at every interval, until the shard ends.
    pub async fn run(self) {
        let (interval, clock) = (self.0.interval, self.0.tools.clock.clone());
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        let mut due_ms = clock.monotonic_ms().saturating_add(interval_ms);
        loop {
            let wait_ms = due_ms.saturating_sub(clock.monotonic_ms());
            runtime::sleep(Duration::from_millis(wait_ms)).await;
            self.round().await;
            // A round that took longer than its interval is not made up for.
            due_ms = due_ms.saturating_add(interval_ms).max(clock.monotonic_ms());
        }
    }

    /// Matches who is in the pool, once.
    pub async fn round(&self) {
        let inner = &*self.0;
        let clock = &inner.tools.clock;
        let begun_micros = clock.monotonic_micros();
        let is_empty = inner.state.borrow().is_empty();
        let mut round = inner.state.borrow().begin(clock.monotonic_ms());
        loop {
            let now = (clock.monotonic_ms(), clock.unix_micros());
            let (formed, is_over) = inner.state.borrow_mut().slice(&mut round, SLICE_COST, now);
            for formed in formed {
                self.tell_homes(formed);
            }
            if is_over {
                break;
            }
            self.gauge();
            runtime::yield_now().await;
        }
        inner.state.borrow_mut().end(round);
        self.gauge();
        if !is_empty {
            let elapsed_micros = clock.monotonic_micros().saturating_sub(begun_micros);
            inner.counters.round_time.record(Duration::from_micros(elapsed_micros));
        }
    }

    /// Tells the homes of those who are matched. Their match will live where the first of them does.
    fn tell_homes(&self, formed: Formed) {
        let inner = &*self.0;
        let players = formed.players_len();
        let first = formed.entries().first().and_then(|entry| entry.players.first());
        let Some(home) = first.map(|player| player.session.home()) else { return };
        let match_id = wire::homed_id(&self.new_match(home));
        let Some(token) = inner.tools.tokens.sign(&match_id, inner.tools.clock.unix_sec()) else {
            tracing::error!(players, "A match's token could not be signed; its players are lost.");
            return;
        };
        inner.counters.matches.increment();
        inner.counters.matched.add(players as u64);
        let announcement = Arc::new(formed.announced(token));
        let homes: BTreeSet<Address> =
            announcement.told().iter().map(|(session, _)| session.home()).collect();
        for home in homes {
            inner.tools.post.deliver(home, Request::Matched(Arc::clone(&announcement)));
        }
    }

    /// Tells the sessions of this shard that they are matched; in a large match, some at a turn.
    fn announce(&self, announcement: Arc<Announcement>) {
        let inner = Rc::clone(&self.0);
        let me = inner.tools.post.me();
        let mut mine = Vec::new();
        for (at, (session, ticket)) in announcement.told().iter().enumerate() {
            if session.home() == me {
                inner.home.borrow_mut().end(*session, *ticket);
                mine.push((at, *session));
            }
        }
        let at_a_turn = (ANNOUNCED_AT_A_TURN / announcement.told().len().max(1)).max(1);
        let tell = move |some: &[(usize, crate::ids::SessionId)]| {
            for (at, session) in some {
                if let Some(envelope) = announcement.envelope(*at) {
                    inner.tools.sessions.tell(*session, &envelope);
                }
            }
        };
        if mine.len() <= at_a_turn {
            return tell(&mine);
        }
        runtime::spawn("announce a match", async move {
            for some in mine.chunks(at_a_turn) {
                tell(some);
                runtime::yield_now().await;
            }
        });
    }

    /// What the pool of this shard is.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.0.state.borrow())
    }

    fn gauge(&self) {
        let inner = &*self.0;
        let state = inner.state.borrow();
        inner.counters.tickets.set(state.len() as u64);
        inner.counters.active.set(state.active_len() as u64);
    }
}
