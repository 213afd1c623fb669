//! What the matchmaker tells of itself.

use futures_channel::oneshot;
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use kakera_proto::{Timestamp, api};
use thiserror::Error;

use super::{Matchmaker, Reply, Request};
use crate::error::{Error, ErrorKind};

/// The last who were matched that are told of.
pub(super) const COMPLETIONS_LEN: usize = 10;

/// What the pool was when its last round began, and who was matched up to its end. Times are in
/// microseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub tickets: usize,
    pub oldest_micros: Option<i64>,
    pub(super) completions: Vec<Completion>,
}

/// How long somebody waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Completion {
    pub(super) created_micros: i64,
    pub(super) matched_micros: i64,
}

impl From<Stats> for api::MatchmakerStats {
    fn from(stats: Stats) -> Self {
        let completion = |completion: &Completion| api::MatchmakerCompletionStats {
            create_time: Some(timestamp(completion.created_micros)),
            complete_time: Some(timestamp(completion.matched_micros)),
        };
        Self {
            ticket_count: i32::try_from(stats.tickets).unwrap_or(i32::MAX),
            oldest_ticket_create_time: stats.oldest_micros.map(timestamp),
            completions: stats.completions.iter().map(completion).collect(),
        }
    }
}

fn timestamp(micros: i64) -> Timestamp {
    let nanos = micros.rem_euclid(1_000_000) as i32 * 1000;
    Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

/// Why there are no numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("The server is too busy to ask the matchmaker.")]
pub struct StatsError;

impl From<StatsError> for Error {
    fn from(error: StatsError) -> Self {
        Self::new(ErrorKind::Unavailable, error.to_string())
    }
}

/// The matchmaker, as those see it who want to know how long they may have to wait.
pub trait MatchmakerStats {
    fn stats(&self) -> LocalBoxFuture<'static, Result<api::MatchmakerStats, StatsError>>;
}

/// A server without a realtime side: tools, and tests of the request side.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMatchmaker;

impl MatchmakerStats for NoMatchmaker {
    fn stats(&self) -> LocalBoxFuture<'static, Result<api::MatchmakerStats, StatsError>> {
        ready(Ok(api::MatchmakerStats::default())).boxed_local()
    }
}

impl MatchmakerStats for Matchmaker {
    fn stats(&self) -> LocalBoxFuture<'static, Result<api::MatchmakerStats, StatsError>> {
        let (answer, answered) = oneshot::channel();
        let then = move |reply| {
            // Nobody waits for the answer when the call was given up.
            let _ = answer.send(reply);
        };
        self.call(Request::Stats, Box::new(then));
        async move {
            match answered.await {
                Ok(Ok(Reply::Stats(stats))) => Ok((*stats).into()),
                Ok(Ok(Reply::Done(_) | Reply::None) | Err(_)) | Err(_) => Err(StatsError),
            }
        }
        .boxed_local()
    }
}
