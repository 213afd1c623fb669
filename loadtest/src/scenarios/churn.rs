//! Players who cannot sit still: statuses, follows, rooms joined and left.

use std::rc::Rc;

use anyhow::Result;
use clap::Args;
use kakera_proto::realtime::envelope::Message;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts, connect_all},
    pacing::{Rate, Turns},
};
use crate::client::{
    envelopes,
    player::{Account, Player},
};

/// Status updates, follows, and room joins and leaves, one after the other as fast as they are answered, or so many a
/// second in total by --rate.
#[derive(Clone, Debug, Args)]
pub struct Churn {
    #[arg(long, default_value_t = 200)]
    sockets: usize,
    /// Players who share a room.
    #[arg(long, default_value_t = 4)]
    per_room: usize,
    #[command(flatten)]
    rate: Rate,
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
            let turns = self.rate.turns(stage, clock, index, users.len());
            let restless = Restless { player, stage: stage.clone(), turns, done: 0 };
            let other = users[(index + 1) % users.len()].clone();
            let room = format!("{run}-{}", index / self.per_room.max(1));
            tasks.start(restless.wander(other, room, self.rate.rate.is_none()));
        }
        tasks.finish(clock).await;
    }
}

struct Restless {
    player: Player,
    stage: Stage,
    turns: Turns,
    done: u64,
}

impl Restless {
    async fn wander(mut self, other: String, room: String, competes: bool) -> Result<()> {
        while self.go_around(&other, &room).await?.is_some() {}
        if competes {
            self.stage.sender_did(self.done);
        }
        Ok(())
    }

    /// Each thing once; nothing when the time is over.
    async fn go_around(&mut self, other: &str, room: &str) -> Result<Option<()>> {
        let joining = [
            ("status update", envelopes::status(Some("wandering".to_owned()))),
            ("follow", envelopes::follow(other)),
            ("room join", envelopes::join_room(room)),
        ];
        let mut channel = None;
        for (kind, message) in joining {
            let Some(answer) = self.act(kind, message).await? else { return Ok(None) };
            if let Some(Message::Channel(joined)) = answer {
                channel = Some(joined.id);
            }
        }
        let leaving = channel.map(|id| ("room leave", envelopes::leave_channel(&id)));
        for (kind, message) in leaving.into_iter().chain([("unfollow", envelopes::unfollow(other))])
        {
            if self.act(kind, message).await?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    /// Waits for its turn and acts. The answer; nothing when the time is over.
    async fn act(
        &mut self,
        kind: &'static str,
        message: Message,
    ) -> Result<Option<Option<Message>>> {
        let Some(due) = self.turns.next().await else { return Ok(None) };
        let answer = self.player.expect(message).await?;
        self.stage.done(kind, due.elapsed());
        self.done += 1;
        Ok(Some(answer))
    }
}
