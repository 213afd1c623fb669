//! What all stories of the request interface share: connections that ask over and over, one at a time.

use std::rc::Rc;

use anyhow::Result;

use super::{Clock, Stage, cast::Tasks, pacing::Rate};
use crate::client::http::{Http, Reply};

/// Opens `count` connections to the target.
pub async fn connections(stage: &Stage, count: usize) -> Result<Vec<Http>> {
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        connections.push(Http::open(stage.options.target.address, &stage.options.key).await?);
    }
    Ok(connections)
}

/// Every connection asks at its turns. `ask` gets the connection, its index and how often it asked
/// before; it gives the kind of thing it did with the answer. An answer that is not 200 is an error.
pub async fn ask_in_turns<A>(
    stage: &Stage,
    clock: Clock,
    rate: Rate,
    connections: Vec<Http>,
    ask: A,
) where
    A: AsyncFn(&mut Http, usize, u64) -> Result<(&'static str, u16)> + 'static,
{
    let (ask, count) = (Rc::new(ask), connections.len());
    let mut tasks = Tasks::new(stage);
    for (index, mut http) in connections.into_iter().enumerate() {
        let (stage, ask) = (stage.clone(), Rc::clone(&ask));
        let mut turns = rate.turns(&stage, clock, index, count);
        tasks.start(async move {
            let mut asked = 0;
            while let Some(due) = turns.next().await {
                match ask(&mut http, index, asked).await? {
                    (kind, 200) => stage.done(kind, due.elapsed()),
                    (kind, status) => stage.error(format!("{kind}: status {status}")),
                }
                asked += 1;
            }
            if rate.rate.is_none() {
                stage.sender_did(asked);
            }
            Ok(())
        });
    }
    tasks.finish(clock).await;
}

/// The status of an answer whose body does not matter.
pub fn status(kind: &'static str, reply: &Reply<'_>) -> (&'static str, u16) {
    (kind, reply.status)
}
