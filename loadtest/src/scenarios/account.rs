//! Players look at their own account, and change it.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::accounts,
    pacing::Rate,
    requests::{answer, ask_in_turns, connections, is_write},
};
use crate::client::{
    http::{Http, Request},
    player,
};

/// Reads accounts, or writes some of them, over connections that stay open.
#[derive(Clone, Debug, Args)]
pub struct Account {
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Of every 100 calls, how many change the account.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    writes: u8,
    #[command(flatten)]
    rate: Rate,
}

impl Story for Account {
    type Cast = (Vec<Http>, Vec<player::Account>);

    async fn set_up(&self, stage: &Stage) -> Result<Self::Cast> {
        let count = stage.share(self.connections);
        let players = accounts(stage, count).await?;
        Ok((connections(stage, count).await?, players))
    }

    async fn play(&self, (lines, players): Self::Cast, stage: &Stage, clock: Clock) {
        let options = Arc::clone(&stage.options);
        let writes = self.writes;
        let ask = async move |http: &mut Http, index: usize, asked: u64| {
            let player = &players[index];
            player.renew(&options).await?;
            if is_write(asked, writes) {
                // Another name than the last one, so that something changes.
                let body = format!("{{\"display_name\":\"player {asked}\"}}");
                let request = Request { method: "PUT", path: "/v2/account", body: &body };
                return Ok(answer("account write", &http.send(&player.bearer(), request).await?));
            }
            Ok(answer("account read", &http.account(&player.bearer()).await?))
        };
        ask_in_turns(stage, clock, self.rate, lines, ask).await;
    }
}
