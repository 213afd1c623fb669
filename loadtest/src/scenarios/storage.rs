//! Players save their game and load it.

use std::{ops::Range, sync::Arc};

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{accounts, in_time, join_all},
    pacing::Rate,
    requests::{Answer, answer, ask_in_turns, connections, is_write},
};
use crate::client::{
    http::{Http, Request},
    player::Account,
};

const COLLECTION: &str = "load";

/// Writes and reads storage objects of the players' own, over connections that stay open.
#[derive(Clone, Debug, Args)]
pub struct Storage {
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Of every 100 calls, how many write.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
    writes: u8,
    /// Bytes of an object's value.
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Objects of each player.
    #[arg(long, default_value_t = 16)]
    objects: u64,
    #[command(flatten)]
    rate: Rate,
}

impl Story for Storage {
    type Cast = (Vec<Http>, Vec<Account>);

    /// Every object is there before the first is read.
    async fn set_up(&self, stage: &Stage) -> Result<Self::Cast> {
        let count = stage.share(self.connections);
        let players = accounts(stage, count).await?;
        let mut lines = connections(stage, count).await?;
        let objects = 0..self.objects.max(1);
        let written = lines.iter_mut().zip(&players).map(|(http, player)| {
            let objects = objects.clone();
            async move { in_time(write(http, &player.bearer(), objects, self.size)).await }
        });
        for written in join_all(written).await {
            written??;
        }
        Ok((lines, players))
    }

    async fn play(&self, (lines, players): Self::Cast, stage: &Stage, clock: Clock) {
        let options = Arc::clone(&stage.options);
        let Self { writes, size, objects, .. } = *self;
        let ask = async move |http: &mut Http, index: usize, asked: u64| {
            players[index].renew(&options).await?;
            let (player, object) = (&players[index], asked % objects.max(1));
            if is_write(asked, writes) {
                write(http, &player.bearer(), object..object + 1, size).await
            } else {
                let body = format!(
                    "{{\"object_ids\":[{{\"collection\":\"{COLLECTION}\",\"key\":\"save-{object}\",\
                     \"user_id\":\"{}\"}}]}}",
                    player.user_id
                );
                let request = Request { method: "POST", path: "/v2/storage", body: &body };
                Ok(answer("storage read", &http.send(&player.bearer(), request).await?))
            }
        };
        ask_in_turns(stage, clock, self.rate, lines, ask).await;
    }
}

/// Writes these objects of a player in one call.
pub async fn write(
    http: &mut Http,
    bearer: &str,
    objects: Range<u64>,
    size: usize,
) -> Result<Answer> {
    let fill = "x".repeat(size.saturating_sub("{\"s\":\"\"}".len()));
    let objects: Vec<String> = objects
        .map(|object| {
            format!(
                "{{\"collection\":\"{COLLECTION}\",\"key\":\"save-{object}\",\
                 \"value\":\"{{\\\"s\\\":\\\"{fill}\\\"}}\",\
                 \"permission_read\":1,\"permission_write\":1}}"
            )
        })
        .collect();
    let body = format!("{{\"objects\":[{}]}}", objects.join(","));
    let request = Request { method: "PUT", path: "/v2/storage", body: &body };
    Ok(answer("storage write", &http.send(bearer, request).await?))
}
