//! Ping envelopes and their pongs: the cost of one message through the session layer.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Instant};

use anyhow::Result;
use kakera_proto::realtime::{Ping, envelope};
use tokio::task::JoinSet;

use super::{Clock, Story, finish, open_sockets};
use crate::{
    measure::Measure,
    options::{Format, Options},
    pace::Pace,
    socket::Socket,
};

pub struct Echo {
    sockets: Vec<Socket>,
    format: Format,
    depth: usize,
    rate: Option<f64>,
}

impl Echo {
    pub async fn set_up(
        options: &Options,
        count: usize,
        depth: usize,
        rate: Option<f64>,
    ) -> Result<Self> {
        let sockets = open_sockets(options, count).await?;
        Ok(Self { sockets, format: options.format, depth: depth.max(1), rate })
    }
}

impl Story for Echo {
    async fn tell(self, clock: Clock, measure: Rc<RefCell<Measure>>) {
        let ping = Rc::new(self.format.encode("1", envelope::Message::Ping(Ping {})));
        let count = self.sockets.len();
        let mut tasks = JoinSet::new();
        for (index, mut socket) in self.sockets.into_iter().enumerate() {
            let (measure, ping) = (Rc::clone(&measure), Rc::clone(&ping));
            let pace = self.rate.map(|rate| {
                Pace::new(clock.start, rate / count as f64, index as f64 / count as f64)
            });
            let depth = self.depth;
            tasks.spawn_local(async move {
                let result = match pace {
                    Some(pace) => paced(&mut socket, &ping, pace, clock, &measure).await,
                    None => closed_loop(&mut socket, &ping, depth, clock, &measure).await,
                };
                if let Err(error) = result {
                    measure.borrow_mut().error(error.to_string());
                }
            });
        }
        finish(tasks, clock).await;
    }
}

/// Keeps `depth` pings in flight.
async fn closed_loop(
    socket: &mut Socket,
    ping: &[u8],
    depth: usize,
    clock: Clock,
    measure: &RefCell<Measure>,
) -> Result<()> {
    let mut sent: VecDeque<Instant> = VecDeque::with_capacity(depth);
    while !clock.over() {
        while sent.len() < depth {
            sent.push_back(Instant::now());
            socket.writer.send_payload(ping).await?;
        }
        let now = |_: &[u8]| {
            if let Some(at) = sent.pop_front() {
                measure.borrow_mut().done(at.elapsed());
            }
        };
        socket.reader.drain(&mut socket.writer, now).await?;
    }
    Ok(())
}

/// Sends when a ping is due, one at a time; a late answer delays the next but is charged with the delay.
async fn paced(
    socket: &mut Socket,
    ping: &[u8],
    mut pace: Pace,
    clock: Clock,
    measure: &RefCell<Measure>,
) -> Result<()> {
    while !clock.over() {
        let due = pace.due().await;
        socket.writer.send_payload(ping).await?;
        socket
            .reader
            .drain(&mut socket.writer, |_| measure.borrow_mut().done(due.elapsed()))
            .await?;
    }
    Ok(())
}
