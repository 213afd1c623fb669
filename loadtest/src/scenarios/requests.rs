//! Calls of the request interface over keep-alive connections: sign-in, sign-up, account reads.

use std::{cell::RefCell, rc::Rc, time::Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use super::{Clock, OPENING_MAX, Story, finish, join_all, new_device};
use crate::{http::Http, measure::Measure, options::Options, pace::Pace};

/// What each connection asks for, over and over.
#[derive(Clone)]
enum Call {
    SignIn(Rc<Vec<String>>),
    SignUp,
    Account(Rc<String>),
}

pub struct Requests {
    connections: Vec<(Http, Call)>,
    rate: Option<f64>,
}

impl Requests {
    pub async fn sign_in(
        options: &Options,
        connections: usize,
        devices: usize,
        rate: Option<f64>,
    ) -> Result<Self> {
        let devices: Rc<Vec<String>> = Rc::new((0..devices.max(1)).map(|_| new_device()).collect());
        for batch in devices.chunks(OPENING_MAX) {
            let made = batch
                .iter()
                .map(|device| async move { Http::open(options).await?.token(device).await });
            join_all(made).await.into_iter().collect::<Result<Vec<_>>>()?;
        }
        Self::open(options, connections, rate, |_| Call::SignIn(Rc::clone(&devices))).await
    }

    pub async fn sign_up(options: &Options, connections: usize, rate: Option<f64>) -> Result<Self> {
        Self::open(options, connections, rate, |_| Call::SignUp).await
    }

    pub async fn account(options: &Options, connections: usize, rate: Option<f64>) -> Result<Self> {
        let mut tokens = Vec::with_capacity(connections);
        let mut http = Http::open(options).await?;
        for _ in 0..connections {
            tokens.push(Rc::new(format!("Bearer {}", http.token(&new_device()).await?)));
        }
        Self::open(options, connections, rate, |at| Call::Account(Rc::clone(&tokens[at]))).await
    }

    async fn open(
        options: &Options,
        count: usize,
        rate: Option<f64>,
        call: impl Fn(usize) -> Call,
    ) -> Result<Self> {
        let mut connections = Vec::with_capacity(count);
        for at in 0..count {
            connections.push((Http::open(options).await?, call(at)));
        }
        Ok(Self { connections, rate })
    }
}

impl Story for Requests {
    async fn tell(self, clock: Clock, measure: Rc<RefCell<Measure>>) {
        let count = self.connections.len();
        let mut tasks = JoinSet::new();
        for (index, (mut http, call)) in self.connections.into_iter().enumerate() {
            let measure = Rc::clone(&measure);
            let mut pace = self.rate.map(|rate| {
                Pace::new(clock.start, rate / count as f64, index as f64 / count as f64)
            });
            tasks.spawn_local(async move {
                let mut turn = index;
                while !clock.over() {
                    let due = match &mut pace {
                        Some(pace) => pace.due().await,
                        None => Instant::now(),
                    };
                    let reply = match &call {
                        Call::SignIn(devices) => http.device(&devices[turn % devices.len()]).await,
                        Call::SignUp => http.device(&new_device()).await,
                        Call::Account(bearer) => http.account(bearer).await,
                    };
                    turn += count;
                    match reply {
                        Ok(reply) if reply.status == 200 => {
                            measure.borrow_mut().done(due.elapsed());
                        }
                        Ok(reply) => measure.borrow_mut().error(format!("status {}", reply.status)),
                        Err(error) => {
                            measure.borrow_mut().error(error.to_string());
                            return;
                        }
                    }
                }
            });
        }
        finish(tasks, clock).await;
    }
}
