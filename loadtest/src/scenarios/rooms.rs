//! Chat rooms: what fan-out costs. Some members of each room send, all members hear it.

use std::{collections::VecDeque, time::Instant};

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, join_all, players},
    pacing::Rate,
};
use crate::{
    client::{codec::Format, envelopes, player::Player, stamp::Stamp},
    pace::Pace,
};

const DELIVERY: &str = "delivery";

/// Chat rooms: members send to their room and every member hears it.
#[derive(Clone, Debug, Args)]
pub struct Rooms {
    #[arg(long = "rooms", default_value_t = 50)]
    count: usize,
    #[arg(long, default_value_t = 20)]
    members: usize,
    /// Members of a room who send.
    #[arg(long, default_value_t = 1)]
    senders: usize,
    /// Bytes of each message's content.
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Messages of a sender that it has not heard yet itself, without a rate.
    #[arg(long, default_value_t = 1)]
    depth: usize,
    /// The rate counts deliveries: each message has one for every member.
    #[command(flatten)]
    rate: Rate,
}

pub struct Room {
    pub name: String,
    pub channel: String,
    pub members: Vec<Player>,
}

impl Story for Rooms {
    type Cast = Vec<Room>;

    async fn set_up(&self, stage: &Stage) -> Result<Vec<Room>> {
        fill_rooms(stage, stage.share(self.count), self.members).await
    }

    async fn play(&self, cast: Vec<Room>, stage: &Stage, clock: Clock) {
        let mut tasks = Tasks::new(stage);
        let senders = self.senders.clamp(1, self.members.max(1));
        let count = cast.len() * senders;
        for (index, room) in cast.into_iter().enumerate() {
            let line = Line::new(&room.channel, self.size, stage, clock);
            for (seat, player) in room.members.into_iter().enumerate() {
                let (line, depth) = (line.clone(), self.depth);
                let sends = stage.rate(self.rate.rate).map(|rate| rate / self.members as f64);
                if seat >= senders {
                    tasks.start(line.listen(player));
                } else if let Some(sends) = sends {
                    let sender = index * senders + seat;
                    let pace = if self.rate.random {
                        let seed = stage.chance(sender).u64(..);
                        Pace::random(clock.start, sends / count as f64, seed)
                    } else {
                        let phase = sender as f64 / count as f64;
                        Pace::even(clock.start, sends / count as f64, phase)
                    };
                    tasks.start(line.speak_by_the_clock(player, pace));
                } else {
                    tasks.start(line.speak_when_heard(player, depth.max(1)));
                }
            }
        }
        tasks.finish(clock).await;
    }
}

/// `count` rooms of a thread's own, each with `members` new players in it.
pub async fn fill_rooms(stage: &Stage, count: usize, members: usize) -> Result<Vec<Room>> {
    let run = super::cast::new_device();
    let mut rooms = Vec::with_capacity(count);
    for room in 0..count {
        let mut members = players(stage, members).await?;
        let name = format!("{run}-{room}");
        let joined = members.iter_mut().map(|player| player.join(envelopes::join_room(&name)));
        let mut channel = String::new();
        for id in join_all(joined).await {
            channel = id?;
        }
        rooms.push(Room { name, channel, members });
    }
    Ok(rooms)
}

/// What members of one room say and hear.
#[derive(Clone)]
pub struct Line {
    channel: String,
    size: usize,
    format: Format,
    stamp: Stamp,
    stage: Stage,
    clock: Clock,
}

impl Line {
    pub fn new(channel: &str, size: usize, stage: &Stage, clock: Clock) -> Self {
        Self {
            channel: channel.to_owned(),
            size,
            format: stage.options.format,
            stamp: Stamp::new(clock.start),
            stage: stage.clone(),
            clock,
        }
    }

    fn message(&self, due: Instant) -> Vec<u8> {
        let content = self.stamp.content(due, self.size);
        self.format.encode("", envelopes::channel_message(&self.channel, content))
    }

    /// Counts a delivery and tells when it was due; acknowledgements and presence events are none.
    fn heard(&self, payload: &[u8]) -> Option<Instant> {
        let due = self.stamp.due(payload)?;
        self.stage.done(DELIVERY, due.elapsed());
        Some(due)
    }

    pub async fn listen(self, mut player: Player) -> Result<()> {
        let heard = |payload: &[u8]| {
            self.heard(payload);
        };
        player.listen_until(self.clock.end, heard).await
    }

    /// Sends the next message as soon as it hears an earlier one of its own, `depth` of them on their way.
    async fn speak_when_heard(self, mut player: Player, depth: usize) -> Result<()> {
        let (mut under_way, mut sent) = (VecDeque::with_capacity(depth), 0);
        while !self.clock.is_over() {
            while under_way.len() < depth {
                let now = Instant::now();
                player.socket.queue_payload(&self.message(now));
                under_way.push_back(now);
                sent += 1;
            }
            player.socket.flush().await?;
            // A message is known by when it was due, to the nanosecond.
            let heard = |payload: &[u8]| {
                if self.heard(payload).is_some_and(|due| under_way.front() == Some(&due)) {
                    under_way.pop_front();
                }
            };
            match tokio::time::timeout_at(self.clock.end.into(), player.socket.drain(heard)).await {
                Ok(result) => result?,
                Err(_time_is_up) => break,
            }
        }
        self.stage.sender_did(sent);
        Ok(())
    }

    pub async fn speak_by_the_clock(self, mut player: Player, mut pace: Pace) -> Result<()> {
        while pace.peek() < self.clock.end {
            let due = pace.advance();
            let heard = |payload: &[u8]| {
                self.heard(payload);
            };
            if due > Instant::now() {
                player.listen_until_due(due, heard).await?;
            }
            player.socket.send_payload(&self.message(due)).await?;
        }
        self.listen(player).await
    }
}
