//! Sockets that nobody uses: what a session costs while its player thinks.

use std::{cell::RefCell, rc::Rc};

use anyhow::Result;
use tokio::task::JoinSet;

use super::{Clock, Story, finish, open_sockets};
use crate::{measure::Measure, options::Options, socket::Socket};

pub struct Idle {
    sockets: Vec<Socket>,
}

impl Idle {
    pub async fn set_up(options: &Options, count: usize) -> Result<Self> {
        Ok(Self { sockets: open_sockets(options, count).await? })
    }
}

impl Story for Idle {
    /// Answers the server's pings and counts the sockets that stayed open to the end.
    async fn tell(self, clock: Clock, measure: Rc<RefCell<Measure>>) {
        let mut tasks = JoinSet::new();
        for mut socket in self.sockets {
            let measure = Rc::clone(&measure);
            tasks.spawn_local(async move {
                let read = async {
                    loop {
                        if let Err(error) = socket.reader.drain(&mut socket.writer, |_| {}).await {
                            return error;
                        }
                    }
                };
                match tokio::time::timeout_at(clock.end.into(), read).await {
                    Err(_still_open) => measure.borrow_mut().done += 1,
                    Ok(error) => measure.borrow_mut().error(error.to_string()),
                }
            });
        }
        finish(tasks, clock).await;
    }
}
