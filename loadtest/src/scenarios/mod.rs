//! One file a scenario, each a story: set up, start together, measure, end.
//!
//! To add one: write its file with its options and its [`Story`], and name it in the list below.

mod account;
mod cast;
mod churn;
mod deliveries;
mod echo;
mod game_day;
mod idle;
mod leaderboard;
mod malformed;
mod matches;
mod matchmaking;
mod open;
mod pacing;
mod reconnect;
mod requests;
mod rooms;
mod sign_in;
mod slow_readers;
pub mod soak;
mod stage;
mod storage;
mod visits;

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use clap::Subcommand;

pub use stage::{Clock, Share, Stage};

use crate::{measure::Measure, options::Options, run::Event};

/// A scenario: what is there before the measurement, and what happens during it.
pub trait Story {
    /// Who and what takes part.
    type Cast;

    /// Connects and joins; not measured.
    async fn set_up(&self, stage: &Stage) -> Result<Self::Cast>;

    /// Plays until the clock says that it is over.
    async fn play(&self, cast: Self::Cast, stage: &Stage, clock: Clock);
}

macro_rules! scenarios {
    ($($variant:ident($story:ty) = $name:literal,)*) => {
        #[derive(Clone, Debug, Subcommand)]
        pub enum Scenario {
            $(#[command(name = $name)] $variant($story),)*
        }

        impl Scenario {
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }
        }

        /// A thread's part of the scenario that the options name.
        pub async fn run(options: &Arc<Options>, share: &Share<'_>) -> Result<Measure> {
            match &options.scenario {
                $(Scenario::$variant(story) => perform(options, share, story).await,)*
            }
        }
    };
}

scenarios! {
    Idle(idle::Idle) = "idle",
    Open(open::Open) = "open",
    Echo(echo::Echo) = "echo",
    SignIn(sign_in::SignIn) = "sign-in",
    SignUp(sign_in::SignUp) = "sign-up",
    Account(account::Account) = "account",
    Storage(storage::Storage) = "storage",
    Leaderboard(leaderboard::Leaderboard) = "leaderboard",
    Rooms(rooms::Rooms) = "rooms",
    Matches(matches::Matches) = "matches",
    Matchmaking(matchmaking::Matchmaking) = "matchmaking",
    Churn(churn::Churn) = "churn",
    Visits(visits::Visits) = "visits",
    GameDay(game_day::GameDay) = "game-day",
    Reconnect(reconnect::Reconnect) = "reconnect",
    SlowReaders(slow_readers::SlowReaders) = "slow-readers",
    Malformed(malformed::Malformed) = "malformed",
    Soak(soak::Soak) = "soak",
}

/// Sets up, comes to the start with the other threads, plays, and tells of every second meanwhile.
async fn perform<S: Story>(
    options: &Arc<Options>,
    share: &Share<'_>,
    story: &S,
) -> Result<Measure> {
    let stage = Stage::new(options, share);
    let cast = story.set_up(&stage).await;
    let is_on = (share.start)(cast.is_ok());
    let cast = cast?;
    if !is_on {
        return Ok(Measure::default());
    }
    let clock = Clock::starting_now(options.duration);
    let seconds = tokio::task::spawn_local(tell_seconds(stage.clone(), clock, share.tell.clone()));
    story.play(cast, &stage, clock).await;
    seconds.abort();
    // The main thread reads until the last sender is gone.
    let _ = share.tell.send(Event::Told);
    Ok(stage.into_measure())
}

/// Tells the main thread of each second. One that it has no room for is missing in the plot, no more.
async fn tell_seconds(stage: Stage, clock: Clock, tell: std::sync::mpsc::SyncSender<Event>) {
    for second in 0.. {
        let end = clock.start + Duration::from_secs(second as u64 + 1);
        tokio::time::sleep_until(end.into()).await;
        let _ = tell.try_send(Event::Second(second, stage.take_slice()));
    }
}
