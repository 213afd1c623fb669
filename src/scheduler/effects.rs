//! What follows from an event.

use futures_util::future::LocalBoxFuture;
use kakera_proto::api;

/// Something has happened to a board, which is shown as it was just before.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The scores of a leaderboard have expired, at this time.
    LeaderboardReset { leaderboard: api::Leaderboard, reset: i64 },
    /// A tournament takes no more scores since `end`, and begins anew at `reset`, if ever.
    TournamentEnd { tournament: api::Tournament, end: i64, reset: i64 },
    /// The period of a tournament that ended at `end` has expired, at `reset`.
    TournamentReset { tournament: api::Tournament, end: i64, reset: i64 },
}

/// Those who act on events: the functions that scripts register.
pub trait Effects {
    /// Called once for each event, after it has been claimed. The next event waits until this is done.
    fn happened(&self, event: Event) -> LocalBoxFuture<'_, ()>;
}
