//! Sockets that nobody uses: what a session costs while its player thinks.

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, players},
};
use crate::client::player::Player;

/// Opens sockets and leaves them alone: what a session costs in memory.
#[derive(Clone, Debug, Args)]
pub struct Idle {
    #[arg(long, default_value_t = 10_000)]
    sockets: usize,
}

impl Story for Idle {
    type Cast = Vec<Player>;

    async fn set_up(&self, stage: &Stage) -> Result<Vec<Player>> {
        players(stage, stage.share(self.sockets)).await
    }

    /// Answers the server's pings and counts the sockets that stayed open to the end.
    async fn play(&self, cast: Vec<Player>, stage: &Stage, clock: Clock) {
        let mut tasks = Tasks::new(stage);
        for mut player in cast {
            let stage = stage.clone();
            tasks.start(async move {
                player.listen_until(clock.end, |_| {}).await?;
                stage.count("sockets that stayed open");
                Ok(())
            });
        }
        tasks.finish(clock).await;
    }
}
