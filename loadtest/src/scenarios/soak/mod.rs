//! Players who join, leave, talk, crash and come back at random, to see what the server forgets to forget.

mod level;
mod restless;

use std::{cell::RefCell, rc::Rc, time::Duration};

use anyhow::Result;
use clap::Args;

pub use level::conduct;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts_of},
};
use crate::{
    client::player::Account,
    options::{rate, seconds, some_seconds},
};
use restless::{Restless, World};

/// Clients that come, go and crash at random. In the end everybody leaves, half of them by a crash, and
/// the server must be empty again, in its gauges (--metrics) and in its memory (--pid).
#[derive(Clone, Debug, Args)]
pub struct Soak {
    #[arg(long, default_value_t = 100)]
    players: usize,
    /// Rooms that they choose from.
    #[arg(long, default_value_t = 10)]
    rooms: usize,
    /// What a player does a second, on average.
    #[arg(long, default_value = "5", value_parser = rate)]
    pace: f64,
    /// Seconds of the same before the measurement; the memory after it, with nobody connected, is the
    /// level that the memory after the measurement is compared with.
    #[arg(long, default_value = "60", value_parser = some_seconds)]
    warm_up: Duration,
    /// Seconds in which the gauges must come to zero.
    #[arg(long, default_value = "30", value_parser = seconds)]
    settle: Duration,
    /// Seconds of rest after that; the lowest memory of them counts.
    #[arg(long, default_value = "5", value_parser = seconds)]
    rest: Duration,
    /// How far the memory may end over its level, in percent, beside a constant 4 MiB.
    #[arg(long, default_value_t = 10)]
    growth: u32,
}

impl Story for Soak {
    type Cast = Vec<Account>;

    async fn set_up(&self, stage: &Stage) -> Result<Vec<Account>> {
        // The same players in warm-up and measurement: the store grows no more.
        let devices: Vec<String> = (0..stage.share(self.players))
            .map(|player| format!("soak-{}-{player}-device", stage.index))
            .collect();
        accounts_of(stage, &devices).await
    }

    async fn play(&self, cast: Vec<Account>, stage: &Stage, clock: Clock) {
        let users = cast.iter().map(|account| account.user_id.clone()).collect();
        let world = Rc::new(RefCell::new(World::new(users, self.rooms)));
        let mut tasks = Tasks::new(stage);
        for (index, account) in cast.into_iter().enumerate() {
            let player = Restless::new(account, stage, index, Rc::clone(&world));
            let is_clean_at_the_end = index % 2 == 0;
            tasks.start(player.live(self.pace, clock, is_clean_at_the_end));
        }
        tasks.finish(clock).await;
    }
}
