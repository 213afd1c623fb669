//! Chat rooms: what fan-out costs. Some members of each room send, all members hear it.

use std::{cell::Cell, collections::VecDeque, rc::Rc, time::Instant};

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, in_time, join_all, players},
    deliveries::{Ledger, judge_oldest},
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
    #[arg(long, default_value_t = 4)]
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
            let ledger = Ledger::new(senders.min(room.members.len()));
            let line = Line::new(&room.channel, self.size, ledger, (stage, clock));
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
        let joined =
            members.iter_mut().map(|player| in_time(player.join(envelopes::join_room(&name))));
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
    ledger: Rc<Ledger>,
    format: Format,
    stamp: Stamp,
    stage: Stage,
    clock: Clock,
}

impl Line {
    pub fn new(
        channel: &str,
        size: usize,
        ledger: Rc<Ledger>,
        (stage, clock): (&Stage, Clock),
    ) -> Self {
        Self {
            channel: channel.to_owned(),
            size,
            ledger,
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

    /// Hears all that its room is told, and what is late after the end.
    pub async fn listen(self, player: Player) -> Result<()> {
        self.listen_on(player, &Cell::new(0)).await
    }

    async fn listen_on(self, mut player: Player, count: &Cell<u64>) -> Result<()> {
        let heard = |payload: &[u8]| {
            count.set(count.get() + u64::from(self.heard(payload).is_some()));
        };
        player.listen_until(self.clock.end, heard).await?;
        let at = (&self.stage, self.clock);
        self.ledger.hear_the_rest((&mut player, 0), count, heard, at).await
    }

    /// Sends the next message as soon as it hears an earlier one of its own, `depth` of them on their way.
    async fn speak_when_heard(self, mut player: Player, depth: usize) -> Result<()> {
        let (mut under_way, mut sent) = (VecDeque::with_capacity(depth), 0);
        let (sender, count) = (self.ledger.sender(), Cell::new(0));
        while !self.clock.is_over() {
            while under_way.len() < depth {
                let now = Instant::now();
                player.socket.queue_payload(&self.message(now));
                under_way.push_back(now);
                sender.sends();
                sent += 1;
            }
            player.socket.flush().await?;
            // A message is known by when it was due, to the nanosecond.
            let heard = |payload: &[u8]| {
                let Some(due) = self.heard(payload) else { return };
                count.set(count.get() + 1);
                if under_way.front() == Some(&due) {
                    under_way.pop_front();
                }
            };
            match tokio::time::timeout_at(self.clock.end.into(), player.socket.drain(heard)).await {
                Ok(result) => result?,
                Err(_time_is_up) => break,
            }
        }
        judge_oldest(&self.stage, under_way.front());
        self.stage.sender_did(sent);
        drop(sender);
        self.listen_on(player, &count).await
    }

    pub async fn speak_by_the_clock(self, mut player: Player, mut pace: Pace) -> Result<()> {
        let (sender, count) = (self.ledger.sender(), Cell::new(0));
        while pace.peek() < self.clock.end {
            let due = pace.advance();
            let heard = |payload: &[u8]| {
                count.set(count.get() + u64::from(self.heard(payload).is_some()));
            };
            if due > Instant::now() {
                player.listen_until_due(due, heard).await?;
            }
            let message = self.message(due);
            self.stage.sends_due(due);
            sender.sends();
            player.socket.send_payload(&message).await?;
        }
        drop(sender);
        self.listen_on(player, &count).await
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use clap::Parser;

    use super::*;
    use crate::{client::socket::pretended, options::Options, scenarios::Share};

    /// Plays one member of a room, who speaks for that long, against a server that `repeats` as many times as given
    /// what it is told, and then hangs. Gives the run's deliveries and errors.
    async fn spoken_to(repeats: usize, time: Duration) -> (u64, Vec<String>) {
        let options = Arc::new(Options::parse_from(["loadtest", "rooms"]));
        let (tell, _events) = std::sync::mpsc::sync_channel(1);
        let share = Share { index: 0, threads: 1, start: &|is_ready| is_ready, tell: &tell };
        let stage = Stage::new(&options, &share);
        let (socket, server) = pretended::opened().await;
        let clock = Clock::starting_now(time);
        let ledger = Ledger::with_grace(1, Duration::from_millis(50));
        let line = Line::new("room", 64, ledger, (&stage, clock));
        let speak = line.speak_when_heard(Player::over(socket), 1);
        let (spoken, _server) = tokio::join!(speak, pretended::repeat(server, repeats));
        spoken.unwrap();
        let measure = stage.into_measure();
        (measure.done_total(), measure.errors.into_keys().collect())
    }

    #[tokio::test]
    async fn a_server_that_hangs_owes_its_deliveries_and_is_told_to_have_stalled() {
        let (heard, errors) = spoken_to(3, Duration::from_millis(1300)).await;
        assert_eq!(heard, 3);
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert_eq!(errors[0], "deliveries that never came");
        assert!(errors[1].starts_with("held up"), "{errors:?}");
    }

    #[tokio::test]
    async fn what_is_under_way_at_the_end_is_waited_for_and_no_error() {
        let (heard, errors) = spoken_to(usize::MAX, Duration::from_millis(30)).await;
        assert!(heard > 0 && errors.is_empty(), "{heard} {errors:?}");
    }
}
