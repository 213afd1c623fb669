//! The door: how many sockets a second can be opened, with a valid token each.

use std::{cell::Cell, rc::Rc, time::Instant};

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts},
    pacing::Rate,
    requests::failed,
};
use crate::client::player::Account;

/// Opens sockets of players who are signed in, and closes them at once or, with --keep, after the measurement.
#[derive(Clone, Debug, Args)]
pub struct Open {
    /// How many are opened side by side.
    #[arg(long, default_value_t = 64)]
    lanes: usize,
    /// Keeps so many sockets open and ends when they are: what opening costs by itself. They need as many open
    /// files on both sides.
    #[arg(long)]
    keep: Option<usize>,
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
        let left = Rc::new(Cell::new(self.keep.map_or(usize::MAX, |keep| stage.share(keep))));
        for (index, account) in cast.into_iter().enumerate() {
            let mut turns = self.rate.turns(stage, clock, index, count);
            let stage = stage.clone();
            let (is_kept, left) = (self.keep.is_some(), Rc::clone(&left));
            tasks.start(async move {
                while let Some(due) = turns.next().await {
                    if left.replace(left.get().saturating_sub(1)) == 0 {
                        break;
                    }
                    let opened = open(&stage, &account, (due, is_kept)).await;
                    if let Err(error) = opened {
                        failed(&stage, clock, &error).await;
                    }
                }
                Ok(())
            });
        }
        tasks.finish(clock).await;
    }
}

async fn open(stage: &Stage, account: &Account, (due, is_kept): (Instant, bool)) -> Result<()> {
    account.renew(&stage.options).await?;
    let player = account.connect(&stage.options, false).await?;
    stage.done("open", due.elapsed());
    if is_kept {
        stage.keep(player);
        return Ok(());
    }
    player.socket.close().await
}
