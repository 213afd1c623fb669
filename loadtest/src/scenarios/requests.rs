//! What all stories of the request interface share: connections that ask over and over, one at a time.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{Clock, Stage, cast::Tasks, pacing::Rate};
use crate::client::{
    http::{Http, Reply},
    trouble::{Trouble, words},
};

/// From a failure of a connection to the next attempt.
const PAUSE: Duration = Duration::from_millis(100);

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
                match ask(&mut http, index, asked).await {
                    Ok(Ok(kind)) => stage.done(kind, due.elapsed()),
                    Ok(Err(refusal)) => stage.error(refusal.to_string()),
                    Err(error) => {
                        stage.error(words(&error));
                        let target = stage.options.target.address();
                        let open = async || Http::open(target, &stage.options.key).await;
                        let Some(opened) = reopen(&stage, clock, open).await else { break };
                        http = opened;
                    }
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

/// Opens a connection in place of one that failed. Each failure counts; nothing at the end.
pub async fn reopen<T>(
    stage: &Stage,
    clock: Clock,
    open: impl AsyncFn() -> Result<T>,
) -> Option<T> {
    while !clock.is_over() {
        match open().await {
            Ok(opened) => return Some(opened),
            Err(error) => failed(stage, clock, &error).await,
        }
    }
    None
}

/// Counts a failure that does not end its lane, and waits a moment: a server in trouble is not helped by haste.
pub async fn failed(stage: &Stage, clock: Clock, error: &anyhow::Error) {
    stage.error(words(error));
    clock.wait_until(Instant::now() + PAUSE).await;
}

/// Whether the call after `asked` others is one of the `writes` of every 100, which are spread evenly: with 20, every
/// fifth call writes.
pub fn is_write(asked: u64, writes: u8) -> bool {
    (asked + 1) * u64::from(writes) / 100 > asked * u64::from(writes) / 100
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

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, sync::Arc};

    use clap::Parser;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::{
        options::Options,
        scenarios::{Share, stage::Stage},
    };

    /// A server that answers one request of each connection and closes it without a word.
    async fn serve_one_each(listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut head).await.unwrap();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_counts_and_its_lane_goes_on() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = listener.local_addr().unwrap().to_string();
        let arguments = ["loadtest", "--target", &target, "account"];
        let options = Arc::new(Options::parse_from(arguments));
        let (tell, _events) = std::sync::mpsc::sync_channel(1);
        let share = Share { index: 0, threads: 1, start: &|is_ready| is_ready, tell: &tell };
        let stage = Stage::new(&options, &share);
        let local = tokio::task::LocalSet::new();
        let play = async {
            tokio::task::spawn_local(serve_one_each(listener));
            let lines = connections(&stage, 1).await.unwrap();
            let clock = Clock::starting_now(Duration::from_millis(200));
            let ask = async |http: &mut Http, _, _| Ok(answer("read", &http.account("x").await?));
            ask_in_turns(&stage, clock, Rate { rate: None, random: false }, lines, ask).await;
        };
        local.run_until(play).await;
        let measure = stage.into_measure();
        assert!(measure.done_total() > 1, "{:?}", measure.errors);
        assert!(measure.errors_total() > 0);
    }
}
