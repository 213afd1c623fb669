//! Players post scores and look at the board.

use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{accounts, join_all},
    pacing::Rate,
    requests::{ask_in_turns, connections, status},
};
use crate::client::{
    http::{Http, Request},
    player::Account,
};

/// Writes scores, lists the top, and lists around the player, a third each. Clients cannot create a
/// leaderboard, so one that takes scores from them has to exist.
#[derive(Clone, Debug, Args)]
pub struct Leaderboard {
    /// The leaderboard's id.
    #[arg(long)]
    id: String,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[command(flatten)]
    rate: Rate,
}

impl Story for Leaderboard {
    type Cast = (Vec<Http>, Vec<Account>);

    /// Every player has a score before the first list is asked for.
    async fn set_up(&self, stage: &Stage) -> Result<Self::Cast> {
        let count = stage.share(self.connections);
        let players = accounts(stage, count).await?;
        let mut lines = connections(stage, count).await?;
        let posted = lines
            .iter_mut()
            .zip(&players)
            .map(|(http, player)| post_score(http, player, &self.id, 1));
        for status in join_all(posted).await {
            let status = status?;
            ensure!(status == 200, "leaderboard {}: a score answered {status}", self.id);
        }
        Ok((lines, players))
    }

    async fn play(&self, (lines, players): Self::Cast, stage: &Stage, clock: Clock) {
        let (id, options) = (self.id.clone(), Arc::clone(&stage.options));
        let ask = async move |http: &mut Http, index: usize, asked: u64| {
            let player = &players[index];
            player.renew(&options).await?;
            let bearer = player.bearer();
            match asked % 3 {
                0 => Ok(("score", post_score(http, player, &id, asked * 31 % 10_007).await?)),
                1 => {
                    let path = format!("/v2/leaderboard/{id}?limit=10");
                    Ok(status("top 10", &http.get(&bearer, &path).await?))
                }
                _ => {
                    let path = format!("/v2/leaderboard/{id}/owner/{}?limit=10", player.user_id);
                    Ok(status("around the player", &http.get(&bearer, &path).await?))
                }
            }
        };
        ask_in_turns(stage, clock, self.rate, lines, ask).await;
    }
}

async fn post_score(http: &mut Http, player: &Account, id: &str, score: u64) -> Result<u16> {
    let (path, body) = (format!("/v2/leaderboard/{id}"), format!("{{\"score\":\"{score}\"}}"));
    let request = Request { method: "POST", path: &path, body: &body };
    Ok(http.send(&player.bearer(), request).await?.status)
}
