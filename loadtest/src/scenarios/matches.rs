//! Relayed matches: every player tells the others where it is.

use std::{cell::Cell, collections::VecDeque, rc::Rc, time::Instant};

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, in_time, players},
    deliveries::{Ledger, judge_oldest},
};
use crate::{
    client::{codec::Format, envelopes, player::Player, stamp::Stamp},
    options::rate,
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
    #[arg(long, value_parser = rate)]
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
                id = in_time(player.enter_match(enter)).await?;
            }
            tables.push(Table { id, players });
        }
        Ok(tables)
    }

    async fn play(&self, cast: Vec<Table>, stage: &Stage, clock: Clock) {
        let mut tasks = Tasks::new(stage);
        for (index, table) in cast.into_iter().enumerate() {
            let seats = table.players.len();
            let ledger = Ledger::new(seats);
            for (seat, player) in table.players.into_iter().enumerate() {
                let seat_of = Seat {
                    player,
                    ledger: Rc::clone(&ledger),
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
    ledger: Rc<Ledger>,
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
        let (sender, heard, mut sent) = (self.ledger.sender(), Cell::new(0), 0);
        loop {
            let due = pace.peek().min(self.clock.end);
            if due > Instant::now() {
                let each = |payload: &[u8]| hears(&heard, &self.stamp, &self.stage, payload);
                self.player.listen_until_due(due, each).await?;
            }
            if self.clock.is_over() {
                break;
            }
            let due = pace.advance();
            let message = self.message(due);
            self.stage.sends_due(due);
            sender.sends();
            sent += 1;
            self.player.socket.send_payload(&message).await?;
        }
        drop(sender);
        self.hear_the_rest(&heard, sent).await
    }

    /// Round after round, at most `depth` ahead of what it heard.
    async fn keep_step(mut self, depth: u64) -> Result<()> {
        let (sender, heard, mut sent) = (self.ledger.sender(), Cell::new(0), 0);
        // When its rounds began that are not answered yet, the oldest first.
        let mut rounds = VecDeque::new();
        while !self.clock.is_over() {
            let answered = heard.get() / self.others;
            while rounds.len() as u64 > sent - answered.min(sent) {
                rounds.pop_front();
            }
            while sent < answered + depth {
                let now = Instant::now();
                let message = self.message(now);
                self.player.socket.queue_payload(&message);
                rounds.push_back(now);
                sender.sends();
                sent += 1;
            }
            self.player.socket.flush().await?;
            let each = |payload: &[u8]| hears(&heard, &self.stamp, &self.stage, payload);
            // Others may have stopped at the end, with this one's round half heard.
            let drain = self.player.socket.drain(each);
            match tokio::time::timeout_at(self.clock.end.into(), drain).await {
                Ok(result) => result?,
                Err(_time_is_up) => break,
            }
        }
        judge_oldest(&self.stage, rounds.front());
        self.stage.sender_did(sent);
        drop(sender);
        self.hear_the_rest(&heard, sent).await
    }

    async fn hear_the_rest(mut self, heard: &Cell<u64>, own: u64) -> Result<()> {
        let each = |payload: &[u8]| hears(heard, &self.stamp, &self.stage, payload);
        let at = (&self.stage, self.clock);
        self.ledger.hear_the_rest((&mut self.player, own), heard, each, at).await
    }
}

/// Counts a delivery.
fn hears(heard: &Cell<u64>, stamp: &Stamp, stage: &Stage, payload: &[u8]) {
    if let Some(due) = stamp.due(payload) {
        stage.done("delivery", due.elapsed());
        heard.set(heard.get() + 1);
    }
}
