//! Relayed matches: every player tells the others where it is.

use std::time::Instant;

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, players},
};
use crate::{
    client::{codec::Format, envelopes, player::Player, stamp::Stamp},
    pace::Pace,
};

/// Relayed matches: every player sends to all others of its match.
#[derive(Clone, Debug, Args)]
pub struct Matches {
    #[arg(long = "matches", default_value_t = 50)]
    count: usize,
    #[arg(long, default_value_t = 8)]
    players: usize,
    /// Messages a second of each player; absent: to saturation, in lockstep: a player sends again when
    /// it has heard as much from the others.
    #[arg(long)]
    hz: Option<f64>,
    /// Bytes of each message's data.
    #[arg(long, default_value_t = 32)]
    size: usize,
    /// Rounds that a player may be ahead of the others, without a rate.
    #[arg(long, default_value_t = 1)]
    depth: u64,
}

/// One match and who is in it.
pub struct Table {
    id: String,
    players: Vec<Player>,
}

impl Story for Matches {
    type Cast = Vec<Table>;

    async fn set_up(&self, stage: &Stage) -> Result<Vec<Table>> {
        let mut tables = Vec::new();
        for _ in 0..stage.share(self.count) {
            let mut players = players(stage, self.players.max(2)).await?;
            let mut id = String::new();
            for player in &mut players {
                let enter = match id.as_str() {
                    "" => envelopes::create_match(),
                    id => envelopes::join_match(id),
                };
                id = player.enter_match(enter).await?;
            }
            tables.push(Table { id, players });
        }
        Ok(tables)
    }

    async fn play(&self, cast: Vec<Table>, stage: &Stage, clock: Clock) {
        let mut tasks = Tasks::new(stage);
        for (index, table) in cast.into_iter().enumerate() {
            let seats = table.players.len();
            for (seat, player) in table.players.into_iter().enumerate() {
                let seat_of = Seat {
                    player,
                    others: seats as u64 - 1,
                    id: table.id.clone(),
                    size: self.size,
                    stamp: Stamp::new(clock.start),
                    stage: stage.clone(),
                    clock,
                };
                match self.hz {
                    Some(hz) => {
                        // Players of one match are spread over the period, and matches a little too.
                        let phase = (seat as f64 / seats as f64 + index as f64 * 0.137).fract();
                        tasks.start(seat_of.send_at(Pace::even(clock.start, hz, phase)));
                    }
                    None => tasks.start(seat_of.keep_step(self.depth.max(1))),
                }
            }
        }
        tasks.finish(clock).await;
    }
}

/// A player at its match.
struct Seat {
    player: Player,
    others: u64,
    id: String,
    size: usize,
    stamp: Stamp,
    stage: Stage,
    clock: Clock,
}

impl Seat {
    fn message(&self, due: Instant) -> Vec<u8> {
        let format = self.stage.options.format;
        let data = self.stamp.data(due, self.size, format == Format::Json);
        format.encode("", envelopes::match_data(&self.id, data))
    }

    async fn send_at(mut self, mut pace: Pace) -> Result<()> {
        loop {
            let due = pace.peek().min(self.clock.end);
            let heard = |payload: &[u8]| {
                heard(&self.stamp, &self.stage, payload);
            };
            if due > Instant::now() {
                self.player.listen_until_due(due, heard).await?;
            }
            if self.clock.is_over() {
                return Ok(());
            }
            let message = self.message(pace.advance());
            self.player.socket.send_payload(&message).await?;
        }
    }

    /// Round after round, at most `depth` ahead of what it heard.
    async fn keep_step(mut self, depth: u64) -> Result<()> {
        let (mut sent, mut heard_count) = (0, 0);
        while !self.clock.is_over() {
            while sent < heard_count / self.others + depth {
                let message = self.message(Instant::now());
                self.player.socket.queue_payload(&message);
                sent += 1;
            }
            self.player.socket.flush().await?;
            let each = |payload: &[u8]| {
                heard_count += u64::from(heard(&self.stamp, &self.stage, payload));
            };
            // Others may have stopped at the end, with this one's round half heard.
            let drain = self.player.socket.drain(each);
            match tokio::time::timeout_at(self.clock.end.into(), drain).await {
                Ok(result) => result?,
                Err(_time_is_up) => break,
            }
        }
        self.stage.sender_did(sent);
        Ok(())
    }
}

/// Counts a delivery.
fn heard(stamp: &Stamp, stage: &Stage, payload: &[u8]) -> bool {
    let due = stamp.due(payload);
    if let Some(due) = due {
        stage.done("delivery", due.elapsed());
    }
    due.is_some()
}
