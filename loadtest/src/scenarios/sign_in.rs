//! The front desk: players sign in, or sign up, with their device.

use std::{net::SocketAddr, rc::Rc};

use anyhow::Result;
use clap::Args;

use super::{
    Clock, Stage, Story,
    cast::{Tasks, accounts_of, in_time, new_device},
    pacing::Rate,
    requests::{answer, ask_in_turns, connections, reopen},
};
use crate::client::{
    grpc::Grpc,
    http::Http,
    trouble::{Trouble, words},
};

/// The connections of those who sign in or up.
#[derive(Clone, Debug, Args)]
struct Desk {
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Speaks gRPC, to the port before the target's, where the server has its gRPC interface.
    #[arg(long)]
    grpc: bool,
    #[command(flatten)]
    rate: Rate,
}

/// Signs in devices that exist already, over connections that stay open.
#[derive(Clone, Debug, Args)]
pub struct SignIn {
    /// Devices, made before the measurement.
    #[arg(long, default_value_t = 1_000)]
    devices: usize,
    #[command(flatten)]
    desk: Desk,
}

/// Signs up new devices, over connections that stay open.
#[derive(Clone, Debug, Args)]
pub struct SignUp {
    #[command(flatten)]
    desk: Desk,
}

/// Connections of one kind.
pub enum Lines {
    Http(Vec<Http>),
    Grpc(Vec<Grpc>),
}

impl Story for SignIn {
    type Cast = (Lines, Rc<[String]>);

    async fn set_up(&self, stage: &Stage) -> Result<Self::Cast> {
        let devices: Rc<[String]> =
            (0..stage.share(self.devices).max(1)).map(|_| new_device()).collect();
        accounts_of(stage, &devices).await?;
        Ok((self.desk.open(stage).await?, devices))
    }

    async fn play(&self, (lines, devices): Self::Cast, stage: &Stage, clock: Clock) {
        // Each connection walks through the devices from a place of its own.
        let device = move |index: usize, asked: u64| {
            devices[(index * 7919 + asked as usize) % devices.len()].clone()
        };
        self.desk.serve(lines, stage, clock, "sign-in", device).await;
    }
}

impl Story for SignUp {
    type Cast = Lines;

    async fn set_up(&self, stage: &Stage) -> Result<Lines> {
        self.desk.open(stage).await
    }

    async fn play(&self, lines: Lines, stage: &Stage, clock: Clock) {
        self.desk.serve(lines, stage, clock, "sign-up", |_, _| new_device()).await;
    }
}

/// The port before that of HTTP.
fn grpc_address(stage: &Stage) -> SocketAddr {
    let mut address = stage.options.target.address();
    address.set_port(address.port().saturating_sub(1));
    address
}

impl Desk {
    async fn open(&self, stage: &Stage) -> Result<Lines> {
        let count = stage.share(self.connections);
        if !self.grpc {
            return Ok(Lines::Http(connections(stage, count).await?));
        }
        let address = grpc_address(stage);
        let mut lines = Vec::with_capacity(count);
        for _ in 0..count {
            lines.push(in_time(Grpc::open(address, &stage.options.key)).await?);
        }
        Ok(Lines::Grpc(lines))
    }

    /// `device` tells who signs in: by the connection's index and how often it asked before.
    async fn serve(
        &self,
        lines: Lines,
        stage: &Stage,
        clock: Clock,
        kind: &'static str,
        device: impl Fn(usize, u64) -> String + 'static,
    ) {
        let lines = match lines {
            Lines::Http(lines) => {
                let ask = async move |http: &mut Http, index: usize, asked: u64| {
                    Ok(answer(kind, &http.device(&device(index, asked)).await?))
                };
                return ask_in_turns(stage, clock, self.rate, lines, ask).await;
            }
            Lines::Grpc(lines) => lines,
        };
        let (device, count) = (Rc::new(device), lines.len());
        let mut tasks = Tasks::new(stage);
        for (index, mut line) in lines.into_iter().enumerate() {
            let (stage, device) = (stage.clone(), Rc::clone(&device));
            let mut turns = self.rate.turns(&stage, clock, index, count);
            tasks.start(async move {
                let mut asked = 0;
                while let Some(due) = turns.next().await {
                    match line.device(&device(index, asked)).await {
                        Ok(_) => stage.done(kind, due.elapsed()),
                        Err(error) => {
                            stage.error(words(&error));
                            let is_refusal = matches!(
                                error.downcast_ref::<Trouble>(),
                                Some(Trouble::Refused { .. } | Trouble::Answered { .. })
                            );
                            if !is_refusal {
                                let address = grpc_address(&stage);
                                let open = async || Grpc::open(address, &stage.options.key).await;
                                let Some(opened) = reopen(&stage, clock, open).await else { break };
                                line = opened;
                            }
                        }
                    }
                    asked += 1;
                }
                Ok(())
            });
        }
        tasks.finish(clock).await;
    }
}
