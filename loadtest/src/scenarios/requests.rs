//! What all stories of the request interface share: connections that ask over and over, one at a time.

use std::rc::Rc;

use anyhow::Result;

use super::{Clock, Stage, cast::Tasks, pacing::Rate};
use crate::client::{
    http::{Http, Reply},
    trouble::Trouble,
};

/// Opens `count` connections to the target.
pub async fn connections(stage: &Stage, count: usize) -> Result<Vec<Http>> {
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        connections.push(Http::open(stage.options.target.address(), &stage.options.key).await?);
    }
    Ok(connections)
}

/// Every connection asks at its turns. `ask` gets the connection, its index and how often it asked
/// before; it gives the kind of thing it did, or how the server refused it, which counts as an error.
pub async fn ask_in_turns<A>(
    stage: &Stage,
    clock: Clock,
    rate: Rate,
    connections: Vec<Http>,
    ask: A,
) where
    A: AsyncFn(&mut Http, usize, u64) -> Result<Answer> + 'static,
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
                    Ok(kind) => stage.done(kind, due.elapsed()),
                    Err(refusal) => stage.error(refusal.to_string()),
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

/// What was done, or how the server refused it.
pub type Answer = Result<&'static str, Trouble>;

/// Takes an answer whose body does not matter.
pub fn answer(kind: &'static str, reply: &Reply<'_>) -> Answer {
    if reply.status == 200 {
        Ok(kind)
    } else {
        Err(Trouble::answered(kind, reply.status, reply.body))
    }
}
