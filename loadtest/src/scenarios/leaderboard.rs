//! Players post scores and look at the board.

use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use super::{
    Clock, Stage, Story,
    cast::{accounts, in_time, join_all},
    pacing::Rate,
    requests::{Answer, answer, ask_in_turns, connections},
};
use crate::client::{
    http::{Http, Request},
    player::Account,
};

/// How many scores there are to post; a prime, so that each comes up before one is posted again.
const SCORES: u64 = 10_007;

/// Writes scores, lists the top, and lists around the player, a third each or one of them alone. Clients
/// cannot create a leaderboard, so one that takes scores from them has to exist.
#[derive(Clone, Debug, Args)]
pub struct Leaderboard {
    /// The leaderboard's id.
    #[arg(long)]
    id: String,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Only this, over and over.
    #[arg(long, value_enum)]
    only: Option<Deed>,
    /// Records of a list.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    #[command(flatten)]
    rate: Rate,
}

/// What is done to a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deed {
    Score,
    Top,
    Around,
}

impl Deed {
    const ALL: [Self; 3] = [Self::Score, Self::Top, Self::Around];

    /// What a player does after it did `asked` things.
    fn of_turn(asked: u64) -> Self {
        Self::ALL[(asked % Self::ALL.len() as u64) as usize]
    }
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
            .map(|(http, player)| in_time(post_score(http, player, &self.id, 1)));
        for posted in join_all(posted).await {
            posted?.with_context(|| format!("leaderboard \"{}\"", self.id))?;
        }
        Ok((lines, players))
    }

    async fn play(&self, (lines, players): Self::Cast, stage: &Stage, clock: Clock) {
        let Self { only, limit, .. } = *self;
        let (id, options) = (self.id.clone(), Arc::clone(&stage.options));
        let ask = async move |http: &mut Http, index: usize, asked: u64| {
            let player = &players[index];
            player.renew(&options).await?;
            let bearer = player.bearer();
            match only.unwrap_or_else(|| Deed::of_turn(asked)) {
                // Another score than the last one, so that the board has something to do.
                Deed::Score => {
                    let score = (asked + 1) * 31 % SCORES + 2;
                    post_score(http, player, &id, score).await
                }
                Deed::Top => {
                    let path = format!("/v2/leaderboard/{id}?limit={limit}");
                    Ok(answer("top", &http.get(&bearer, &path).await?))
                }
                Deed::Around => {
                    let owner = &player.user_id;
                    let path = format!("/v2/leaderboard/{id}/owner/{owner}?limit={limit}");
                    Ok(answer("around the player", &http.get(&bearer, &path).await?))
                }
            }
        };
        ask_in_turns(stage, clock, self.rate, lines, ask).await;
    }
}

/// Posts a player's score to a board.
pub async fn post_score(http: &mut Http, player: &Account, id: &str, score: u64) -> Result<Answer> {
    let (path, body) = (format!("/v2/leaderboard/{id}"), format!("{{\"score\":\"{score}\"}}"));
    let request = Request { method: "POST", path: &path, body: &body };
    Ok(answer("score", &http.send(&player.bearer(), request).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_does_each_thing_in_its_turn() {
        let turns: Vec<Deed> = (0..4).map(Deed::of_turn).collect();
        assert_eq!(turns, [Deed::Score, Deed::Top, Deed::Around, Deed::Score]);
    }
}
