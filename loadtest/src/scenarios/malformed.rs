//! Attackers send what no client would. The others must not notice.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts, connect_all},
    pacing::{Rate, Turns},
};
use crate::client::{
    connect, envelopes,
    player::{Account, Player},
};

/// How long an attacker waits for the server to react.
const REACTION_TIME_MAX: Duration = Duration::from_secs(3);
/// Bytes of one attack, at most.
const ATTACK_LEN_MAX: usize = 8192;

/// Nonsense over HTTP and sockets from attackers who come again and again, while well-behaved players
/// ping. Latency and errors are the players'; attacks are noted by kind.
#[derive(Clone, Debug, Args)]
pub struct Malformed {
    #[arg(long, default_value_t = 32)]
    attackers: usize,
    /// Well-behaved players; the rate is their pings'.
    #[arg(long, default_value_t = 100)]
    players: usize,
    #[command(flatten)]
    rate: Rate,
}

pub struct Both {
    attackers: Vec<Account>,
    players: Vec<Player>,
}

impl Story for Malformed {
    type Cast = Both;

    async fn set_up(&self, stage: &Stage) -> Result<Both> {
        let attackers = accounts(stage, stage.share(self.attackers)).await?;
        let players = accounts(stage, stage.share(self.players)).await?;
        Ok(Both { attackers, players: connect_all(stage, &players).await? })
    }

    async fn play(&self, cast: Both, stage: &Stage, clock: Clock) {
        let mut tasks = Tasks::new(stage);
        let rate = Rate { rate: self.rate.rate.or(Some(1000.0)), ..self.rate };
        let count = cast.players.len();
        for (index, player) in cast.players.into_iter().enumerate() {
            let turns = rate.turns(stage, clock, index, count);
            tasks.start(behave(player, turns, stage.clone()));
        }
        for (index, account) in cast.attackers.into_iter().enumerate() {
            let (stage, mut chance) = (stage.clone(), stage.chance(index));
            tasks.start(async move {
                while !clock.is_over() {
                    // That the server refuses, resets or ignores it is what is hoped for.
                    let attack = attack(&stage, &account, &mut chance);
                    let _ = tokio::time::timeout_at(clock.end.into(), attack).await;
                }
                // An attacker too can play by the rules afterwards.
                account.renew(&stage.options).await?;
                let mut player = account.connect(&stage.options, false).await?;
                player.expect(envelopes::ping()).await?;
                Ok(())
            });
        }
        tasks.finish(clock).await;
    }
}

async fn behave(mut player: Player, mut turns: Turns, stage: Stage) -> Result<()> {
    while let Some(due) = turns.next().await {
        player.expect(envelopes::ping()).await?;
        stage.done("pong", due.elapsed());
    }
    Ok(())
}

/// One attack on a connection of its own.
async fn attack(stage: &Stage, account: &Account, chance: &mut fastrand::Rng) -> Result<()> {
    account.renew(&stage.options).await?;
    let mut noise = vec![0; chance.usize(1..ATTACK_LEN_MAX)];
    chance.fill(&mut noise);
    match chance.u8(0..5) {
        0 => {
            stage.note("attacks: bytes that are no HTTP");
            over_tcp(stage, &noise).await
        }
        1 => {
            stage.note("attacks: HTTP heads without end");
            let head = format!("POST /v2/account HTTP/1.1\r\nx: {}", "y".repeat(noise.len()));
            over_tcp(stage, head.as_bytes()).await
        }
        2 => {
            stage.note("attacks: bytes that are no frames");
            let mut player = account.connect(&stage.options, false).await?;
            player.socket.send_raw(&noise).await?;
            see_it_end(player).await
        }
        3 => {
            stage.note("attacks: frames that hold no envelope");
            let mut player = account.connect(&stage.options, false).await?;
            player.socket.send_payload(&noise).await?;
            see_it_end(player).await
        }
        _ => {
            stage.note("attacks: envelopes cut short");
            let mut player = account.connect(&stage.options, false).await?;
            let content = "z".repeat(noise.len());
            let whole =
                stage.options.format.encode("1", envelopes::channel_message("no-id", content));
            player.socket.send_payload(&whole[..whole.len() / 2]).await?;
            see_it_end(player).await
        }
    }
}

async fn over_tcp(stage: &Stage, bytes: &[u8]) -> Result<()> {
    let mut stream = connect(stage.options.target.address(), None).await?;
    stream.write_all(bytes).await?;
    let mut answer = Vec::new();
    // A head without end is left after a moment; the server must not wait for it forever either.
    let wait = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_millis(50), wait).await;
    Ok(())
}

async fn see_it_end(mut player: Player) -> Result<()> {
    player.listen_until(Instant::now() + REACTION_TIME_MAX, |_| {}).await
}
