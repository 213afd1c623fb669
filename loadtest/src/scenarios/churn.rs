//! Players who cannot sit still: statuses, follows, rooms joined and left.

use std::{rc::Rc, time::Instant};

use anyhow::Result;
use clap::Args;
use kakera_proto::realtime::envelope::Message;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts, connect_all},
};
use crate::client::{
    envelopes,
    player::{Account, Player},
};

/// Status updates, follows, and room joins and leaves, one after the other as fast as they are answered.
#[derive(Clone, Debug, Args)]
pub struct Churn {
    #[arg(long, default_value_t = 200)]
    sockets: usize,
    /// Players who share a room.
    #[arg(long, default_value_t = 4)]
    per_room: usize,
}

impl Story for Churn {
    type Cast = (Vec<Account>, Vec<Player>);

    async fn set_up(&self, stage: &Stage) -> Result<Self::Cast> {
        let accounts = accounts(stage, stage.share(self.sockets)).await?;
        let players = connect_all(stage, &accounts).await?;
        Ok((accounts, players))
    }

    async fn play(&self, (accounts, players): Self::Cast, stage: &Stage, clock: Clock) {
        let users: Rc<[String]> = accounts.into_iter().map(|account| account.user_id).collect();
        let run = super::cast::new_device();
        let mut tasks = Tasks::new(stage);
        for (index, player) in players.into_iter().enumerate() {
            let restless = Restless { player, stage: stage.clone(), done: 0 };
            let other = users[(index + 1) % users.len()].clone();
            let room = format!("{run}-{}", index / self.per_room.max(1));
            tasks.start(restless.wander(other, room, clock));
        }
        tasks.finish(clock).await;
    }
}

struct Restless {
    player: Player,
    stage: Stage,
    done: u64,
}

impl Restless {
    async fn wander(mut self, other: String, room: String, clock: Clock) -> Result<()> {
        while !clock.is_over() {
            self.act("status update", envelopes::status(Some("wandering".to_owned()))).await?;
            self.act("follow", envelopes::follow(&other)).await?;
            let joined = self.act("room join", envelopes::join_room(&room)).await?;
            if let Some(Message::Channel(channel)) = joined {
                self.act("room leave", envelopes::leave_channel(&channel.id)).await?;
            }
            self.act("unfollow", envelopes::unfollow(&other)).await?;
        }
        self.stage.sender_did(self.done);
        Ok(())
    }

    async fn act(&mut self, kind: &'static str, message: Message) -> Result<Option<Message>> {
        let start = Instant::now();
        let answer = self.player.expect(message).await?;
        self.stage.done(kind, start.elapsed());
        self.done += 1;
        Ok(answer)
    }
}
