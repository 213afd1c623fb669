//! Matchmaking: players ask for others, meet them in a match, leave it, and ask again.

use std::{collections::BTreeMap, time::Instant};

use anyhow::Result;
use clap::Args;
use kakera_proto::realtime::{envelope::Message, matchmaker_matched::Id};
use tokio::time::timeout_at;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, players},
};
use crate::client::{envelopes, player::Player};

/// Ask for others, be matched, join by the token, leave, and again. How soon players are matched is up to
/// the server's `matchmaker.interval_sec`.
#[derive(Clone, Debug, Args)]
pub struct Matchmaking {
    /// How many look for others side by side.
    #[arg(long, default_value_t = 1000)]
    players: usize,
    /// Players of a match.
    #[arg(long, default_value_t = 2)]
    size: u16,
    /// Modes among which players choose one at random; only those of one mode are matched.
    #[arg(long, default_value_t = 10)]
    modes: u32,
}

impl Story for Matchmaking {
    type Cast = Vec<Player>;

    async fn set_up(&self, stage: &Stage) -> Result<Vec<Player>> {
        players(stage, stage.share(self.players)).await
    }

    async fn play(&self, cast: Vec<Player>, stage: &Stage, clock: Clock) {
        let mut tasks = Tasks::new(stage);
        for (index, player) in cast.into_iter().enumerate() {
            let mut chance = stage.chance(index);
            let (stage, size, modes) =
                (stage.clone(), i32::from(self.size.max(2)), self.modes.max(1));
            tasks.start(async move {
                let mut seeker = Seeker { player, stage, clock };
                while !clock.is_over() {
                    let mode = format!("m{}", chance.u32(0..modes));
                    if !seeker.look(&mode, size).await? {
                        break;
                    }
                }
                Ok(())
            });
        }
        tasks.finish(clock).await;
    }
}

struct Seeker {
    player: Player,
    stage: Stage,
    clock: Clock,
}

impl Seeker {
    /// From the ticket to the end of the match. `false`: time was up before anybody was found.
    async fn look(&mut self, mode: &str, size: i32) -> Result<bool> {
        let asked = Instant::now();
        let properties = BTreeMap::from([("mode".to_owned(), mode.to_owned())]);
        let query = format!("+properties.mode:{mode}");
        self.player.expect(envelopes::matchmaker_add(&query, (size, size), properties)).await?;
        self.stage.done("ticket", asked.elapsed());

        let Ok(token) = timeout_at(self.clock.end.into(), self.matched()).await else {
            return Ok(false);
        };
        let token = token?;
        self.stage.done("matched", asked.elapsed());

        let found = Instant::now();
        let id = self.player.enter_match(envelopes::join_match_by_token(&token)).await?;
        self.stage.done("join", found.elapsed());
        let played = Instant::now();
        self.player.expect(envelopes::leave_match(&id)).await?;
        self.stage.done("leave", played.elapsed());
        Ok(true)
    }

    /// Waits to be matched; what the last match still says is passed over.
    async fn matched(&mut self) -> Result<String> {
        loop {
            if let Some(Message::MatchmakerMatched(matched)) =
                self.player.socket.next().await?.message
            {
                return match matched.id {
                    Some(Id::Token(token)) => Ok(token),
                    other => anyhow::bail!("matched without a token: {other:?}"),
                };
            }
        }
    }
}
