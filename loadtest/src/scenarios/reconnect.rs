//! A switch fails, and everybody comes back at once.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts, in_time},
};
use crate::{
    alarm,
    client::{
        envelopes,
        player::{Account, Player},
    },
    options::{rate, some_seconds},
    pace::Pace,
};

/// Everybody loses the connection at the same moment and comes back to the same room. Latency runs from
/// when a player meant to be back until it is in its room again.
#[derive(Clone, Debug, Args)]
pub struct Reconnect {
    #[arg(long, default_value_t = 2_000)]
    sockets: usize,
    #[arg(long, default_value_t = 20)]
    per_room: usize,
    /// Seconds from one storm to the next.
    #[arg(long, default_value = "5", value_parser = some_seconds)]
    every: Duration,
    /// How many come back a second; absent: all at once.
    #[arg(long, value_parser = rate)]
    rate: Option<f64>,
}

impl Story for Reconnect {
    type Cast = Vec<(Account, String, Player)>;

    async fn set_up(&self, stage: &Stage) -> Result<Self::Cast> {
        let run = super::cast::new_device();
        let accounts = accounts(stage, stage.share(self.sockets)).await?;
        let mut cast = Vec::with_capacity(accounts.len());
        for (index, account) in accounts.into_iter().enumerate() {
            let room = format!("{run}-{}", index / self.per_room.max(1));
            let player = in_time(come_back(stage, &account, &room)).await?;
            cast.push((account, room, player));
        }
        Ok(cast)
    }

    async fn play(&self, cast: Self::Cast, stage: &Stage, clock: Clock) {
        let mut tasks = Tasks::new(stage);
        let rate = stage.rate(self.rate);
        for (index, (account, room, mut player)) in cast.into_iter().enumerate() {
            let (stage, every) = (stage.clone(), self.every.max(Duration::from_millis(1)));
            // The order in which they come back is the same in every storm.
            let delay = rate.map_or(Duration::ZERO, |rate| {
                let mut order = Pace::even(clock.start, rate, 0.0);
                (0..index).for_each(|_| {
                    order.advance();
                });
                order.peek() - clock.start
            });
            tasks.start(async move {
                let mut storm = clock.start + every.min(Duration::from_secs(1));
                while storm < clock.end {
                    player.listen_until(storm, |_| {}).await?;
                    player.socket.crash(index % 2 == 0);
                    let due = storm + delay;
                    if due > Instant::now() {
                        alarm::until(due).await;
                    }
                    player = come_back(&stage, &account, &room).await?;
                    stage.done("back in the room", due.elapsed());
                    storm += every.max(delay);
                }
                player.listen_until(clock.end, |_| {}).await
            });
        }
        tasks.finish(clock).await;
    }
}

async fn come_back(stage: &Stage, account: &Account, room: &str) -> Result<Player> {
    account.renew(&stage.options).await?;
    let mut player = account.connect(&stage.options, true).await?;
    player.join(envelopes::join_room(room)).await?;
    Ok(player)
}
