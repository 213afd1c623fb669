//! Some members of a room stop reading. The others must not notice.

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts, in_time},
    deliveries::Ledger,
    rooms::{Line, Room, fill_rooms},
};
use crate::{
    client::{
        envelopes,
        socket::{Opening, Socket},
    },
    options::rate,
    pace::Pace,
};

/// The kernel's receive buffer of a reader that stops: small, so that the server feels it soon.
const SLOW_RECEIVE_BYTES: u32 = 4096;

/// Chat rooms in which some members never read. Latency and errors are the others'; a note tells how
/// many of the slow the server cut off.
#[derive(Clone, Debug, Args)]
pub struct SlowReaders {
    #[arg(long, default_value_t = 20)]
    rooms: usize,
    /// Members of a room who read.
    #[arg(long, default_value_t = 10)]
    members: usize,
    /// Members of a room who do not.
    #[arg(long, default_value_t = 2)]
    slow: usize,
    /// Bytes of each message's content.
    #[arg(long, default_value_t = 512)]
    size: usize,
    /// Messages a second in each room.
    #[arg(long, default_value = "100", value_parser = rate)]
    hz: f64,
}

impl Story for SlowReaders {
    type Cast = Vec<(Room, Vec<Socket>)>;

    async fn set_up(&self, stage: &Stage) -> Result<Self::Cast> {
        let rooms = fill_rooms(stage, stage.share(self.rooms), self.members.max(1)).await?;
        let mut cast = Vec::with_capacity(rooms.len());
        for room in rooms {
            let mut slow = Vec::with_capacity(self.slow);
            for account in accounts(stage, self.slow).await? {
                let opening = Opening {
                    target: stage.options.target.address(),
                    format: stage.options.format,
                    token: &account.token(),
                    appear_online: false,
                    receive_bytes: Some(SLOW_RECEIVE_BYTES),
                };
                let mut socket = in_time(Socket::open(opening)).await?;
                socket.send("1", envelopes::join_room(&room.name)).await?;
                slow.push(socket);
            }
            cast.push((room, slow));
        }
        Ok(cast)
    }

    async fn play(&self, cast: Self::Cast, stage: &Stage, clock: Clock) {
        let mut tasks = Tasks::new(stage);
        let count = cast.len();
        for (index, (room, slow)) in cast.into_iter().enumerate() {
            let ledger = Ledger::new(room.members.len().min(1));
            let line = Line::new(&room.channel, self.size, ledger, (stage, clock));
            let pace = Pace::even(clock.start, self.hz, index as f64 / count as f64);
            let mut members = room.members.into_iter();
            if let Some(speaker) = members.next() {
                tasks.start(line.clone().speak_by_the_clock(speaker, pace));
            }
            members.for_each(|player| tasks.start(line.clone().listen(player)));
            for socket in slow {
                let stage = stage.clone();
                tasks.start(async move {
                    clock.wait_until(clock.end).await;
                    stage.note(if socket.was_cut_off().await {
                        "slow readers cut off"
                    } else {
                        "slow readers kept"
                    });
                    Ok(())
                });
            }
        }
        tasks.finish(clock).await;
    }
}
