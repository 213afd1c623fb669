//! Short visits: connect, follow, join, leave, close, and again.

use std::{rc::Rc, time::Instant};

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts},
    pacing::Rate,
    requests::failed,
};
use crate::client::{envelopes, player::Account};

/// Connect, follow, join a room, leave it, close: each step counts, as fast as they are answered, or so many visits a
/// second by --rate.
#[derive(Clone, Debug, Args)]
pub struct Visits {
    /// How many visit side by side.
    #[arg(long, default_value_t = 64)]
    visitors: usize,
    /// Visitors who share a room.
    #[arg(long, default_value_t = 4)]
    per_room: usize,
    #[command(flatten)]
    rate: Rate,
}

impl Story for Visits {
    type Cast = Vec<Account>;

    async fn set_up(&self, stage: &Stage) -> Result<Vec<Account>> {
        accounts(stage, stage.share(self.visitors)).await
    }

    async fn play(&self, cast: Vec<Account>, stage: &Stage, clock: Clock) {
        let accounts: Rc<[Account]> = cast.into();
        let (run, count) = (super::cast::new_device(), accounts.len());
        let mut tasks = Tasks::new(stage);
        for index in 0..accounts.len() {
            let (stage, accounts) = (stage.clone(), Rc::clone(&accounts));
            let mut turns = self.rate.turns(&stage, clock, index, count);
            let room = format!("{run}-{}", index / self.per_room.max(1));
            tasks.start(async move {
                let other = &accounts[(index + 1) % accounts.len()].user_id;
                while let Some(due) = turns.next().await {
                    if let Err(error) = visit(&stage, &accounts[index], (other, &room), due).await {
                        failed(&stage, clock, &error).await;
                    }
                }
                Ok(())
            });
        }
        tasks.finish(clock).await;
    }
}

/// One visit, from door to door. Its first step takes from when it was due.
async fn visit(
    stage: &Stage,
    account: &Account,
    (other, room): (&str, &str),
    due: Instant,
) -> Result<()> {
    account.renew(&stage.options).await?;
    let mut last = due;
    let mut step = |kind| {
        let now = Instant::now();
        stage.done(kind, now - last);
        last = now;
    };
    let mut player = account.connect(&stage.options, false).await?;
    step("connect");
    player.expect(envelopes::follow(other)).await?;
    step("follow");
    let channel = player.join(envelopes::join_room(room)).await?;
    step("join");
    player.expect(envelopes::leave_channel(&channel)).await?;
    step("leave");
    player.socket.close().await?;
    step("close");
    Ok(())
}
