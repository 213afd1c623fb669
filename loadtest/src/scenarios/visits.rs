//! Short visits: connect, follow, join, leave, close, and again.

use std::{rc::Rc, time::Instant};

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts},
};
use crate::client::{envelopes, player::Account};

/// Connect, follow, join a room, leave it, close: each step counts, as fast as they are answered.
#[derive(Clone, Debug, Args)]
pub struct Visits {
    /// How many visit side by side.
    #[arg(long, default_value_t = 64)]
    visitors: usize,
    /// Visitors who share a room.
    #[arg(long, default_value_t = 4)]
    per_room: usize,
}

impl Story for Visits {
    type Cast = Vec<Account>;

    async fn set_up(&self, stage: &Stage) -> Result<Vec<Account>> {
        accounts(stage, stage.share(self.visitors)).await
    }

    async fn play(&self, cast: Vec<Account>, stage: &Stage, clock: Clock) {
        let accounts: Rc<[Account]> = cast.into();
        let run = super::cast::new_device();
        let mut tasks = Tasks::new(stage);
        for index in 0..accounts.len() {
            let (stage, accounts) = (stage.clone(), Rc::clone(&accounts));
            let room = format!("{run}-{}", index / self.per_room.max(1));
            tasks.start(async move {
                let other = &accounts[(index + 1) % accounts.len()].user_id;
                while !clock.is_over() {
                    visit(&stage, &accounts[index], other, &room).await?;
                }
                Ok(())
            });
        }
        tasks.finish(clock).await;
    }
}

/// One visit, from door to door.
async fn visit(stage: &Stage, account: &Account, other: &str, room: &str) -> Result<()> {
    account.renew(&stage.options).await?;
    let mut last = Instant::now();
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
