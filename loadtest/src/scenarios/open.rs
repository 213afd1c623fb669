//! The door: how many sockets a second can be opened, with a valid token each.

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts},
    pacing::Rate,
};
use crate::client::player::Account;

/// Opens sockets of players who are signed in, and closes them.
#[derive(Clone, Debug, Args)]
pub struct Open {
    /// How many are opened side by side.
    #[arg(long, default_value_t = 64)]
    lanes: usize,
    #[command(flatten)]
    rate: Rate,
}

impl Story for Open {
    type Cast = Vec<Account>;

    async fn set_up(&self, stage: &Stage) -> Result<Vec<Account>> {
        accounts(stage, stage.share(self.lanes)).await
    }

    async fn play(&self, cast: Vec<Account>, stage: &Stage, clock: Clock) {
        let mut tasks = Tasks::new(stage);
        let count = cast.len();
        for (index, account) in cast.into_iter().enumerate() {
            let mut turns = self.rate.turns(stage, clock, index, count);
            let stage = stage.clone();
            tasks.start(async move {
                while let Some(due) = turns.next().await {
                    account.renew(&stage.options).await?;
                    let player = account.connect(&stage.options, false).await?;
                    stage.done("open", due.elapsed());
                    player.socket.close().await?;
                }
                Ok(())
            });
        }
        tasks.finish(clock).await;
    }
}
