//! Ping envelopes and their pongs: the cost of one message through the session layer.

use std::{collections::VecDeque, rc::Rc, time::Instant};

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, players},
    pacing::{Rate, Turns},
};
use crate::client::{envelopes, player::Player};

/// Sends ping envelopes over sockets and waits for each pong.
#[derive(Clone, Debug, Args)]
pub struct Echo {
    #[arg(long, default_value_t = 200)]
    sockets: usize,
    /// Pings in flight on a socket, without a rate.
    #[arg(long, default_value_t = 1)]
    depth: usize,
    #[command(flatten)]
    rate: Rate,
}

impl Story for Echo {
    type Cast = Vec<Player>;

    async fn set_up(&self, stage: &Stage) -> Result<Vec<Player>> {
        players(stage, stage.share(self.sockets)).await
    }

    async fn play(&self, cast: Vec<Player>, stage: &Stage, clock: Clock) {
        let ping: Rc<[u8]> = stage.options.format.encode("1", envelopes::ping()).into();
        let mut tasks = Tasks::new(stage);
        let count = cast.len();
        for (index, mut player) in cast.into_iter().enumerate() {
            let (stage, ping, depth) = (stage.clone(), Rc::clone(&ping), self.depth.max(1));
            let turns = self.rate.turns(&stage, clock, index, count);
            let is_paced = self.rate.rate.is_some();
            tasks.start(async move {
                if is_paced {
                    by_the_clock(&mut player, &ping, turns, &stage).await
                } else {
                    closed_loop(&mut player, &ping, depth, clock, &stage).await
                }
            });
        }
        tasks.finish(clock).await;
    }
}

/// Keeps `depth` pings in flight.
async fn closed_loop(
    player: &mut Player,
    ping: &[u8],
    depth: usize,
    clock: Clock,
    stage: &Stage,
) -> Result<()> {
    let mut sent: VecDeque<Instant> = VecDeque::with_capacity(depth);
    let mut heard = 0;
    while !clock.is_over() {
        while sent.len() < depth {
            sent.push_back(Instant::now());
            player.socket.queue_payload(ping);
        }
        player.socket.flush().await?;
        let pong = |_: &[u8]| {
            if let Some(at) = sent.pop_front() {
                heard += 1;
                stage.done("pong", at.elapsed());
            }
        };
        player.socket.drain(pong).await?;
    }
    stage.sender_did(heard);
    Ok(())
}

/// Sends when a ping is due, one at a time; a late answer delays the next but is charged with the delay.
async fn by_the_clock(
    player: &mut Player,
    ping: &[u8],
    mut turns: Turns,
    stage: &Stage,
) -> Result<()> {
    while let Some(due) = turns.next().await {
        player.socket.send_payload(ping).await?;
        player.socket.drain(|_| stage.done("pong", due.elapsed())).await?;
    }
    Ok(())
}
