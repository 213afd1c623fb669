//! Players look at their own account.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::accounts,
    pacing::Rate,
    requests::{answer, ask_in_turns, connections},
};
use crate::client::{http::Http, player};

/// Reads accounts, over connections that stay open.
#[derive(Clone, Debug, Args)]
pub struct Account {
    #[arg(long, default_value_t = 64)]
    connections: usize,
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
        let ask = async move |http: &mut Http, index: usize, _: u64| {
            let player = &players[index];
            player.renew(&options).await?;
            Ok(answer("account read", &http.account(&player.bearer()).await?))
        };
        ask_in_turns(stage, clock, self.rate, lines, ask).await;
    }
}
