//! One file a scenario, each a story: set up, start together, measure, end.

mod echo;
mod idle;
mod requests;
mod rooms;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Barrier,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::{
    http::Http,
    measure::Measure,
    options::{Options, Scenario},
    socket::Socket,
};

/// How many connections are opened at once while setting up.
const OPENING_MAX: usize = 64;

/// A thread's part of a run.
pub struct Share<'a> {
    pub index: usize,
    pub threads: usize,
    pub start: &'a Barrier,
}

impl Share<'_> {
    /// This thread's part of `total`.
    pub fn of(&self, total: usize) -> usize {
        total / self.threads + usize::from(self.index < total % self.threads)
    }
}

/// The part of a scenario between the start and the end of the measurement.
trait Story {
    async fn tell(self, clock: Clock, measure: Rc<RefCell<Measure>>);
}

/// When the measurement started and when it ends.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub start: Instant,
    pub end: Instant,
}

impl Clock {
    pub fn over(self) -> bool {
        Instant::now() >= self.end
    }
}

pub async fn run(options: &Options, share: &Share<'_>) -> Result<Measure> {
    match options.scenario {
        Scenario::Idle { sockets } => {
            play(options, share, idle::Idle::set_up(options, share.of(sockets)).await).await
        }
        Scenario::Echo { sockets, depth, rate } => {
            let story =
                echo::Echo::set_up(options, share.of(sockets), depth, part(rate, share)).await;
            play(options, share, story).await
        }
        Scenario::SignIn { connections, devices, rate } => {
            let story = requests::Requests::sign_in(
                options,
                share.of(connections),
                share.of(devices),
                part(rate, share),
            )
            .await;
            play(options, share, story).await
        }
        Scenario::SignUp { connections, rate } => {
            let story =
                requests::Requests::sign_up(options, share.of(connections), part(rate, share))
                    .await;
            play(options, share, story).await
        }
        Scenario::Account { connections, rate } => {
            let story =
                requests::Requests::account(options, share.of(connections), part(rate, share))
                    .await;
            play(options, share, story).await
        }
        Scenario::Rooms { rooms, members, size, rate } => {
            let shape =
                rooms::Shape { rooms: share.of(rooms), members, size, rate: part(rate, share) };
            play(options, share, rooms::Rooms::set_up(options, share.index, shape).await).await
        }
    }
}

fn part(rate: Option<f64>, share: &Share<'_>) -> Option<f64> {
    rate.map(|rate| rate / share.threads as f64)
}

/// Waits for all threads, tells the story, and waits again. A thread whose set-up failed comes to both
/// barriers too, so that nobody waits for it forever.
async fn play<S: Story>(options: &Options, share: &Share<'_>, story: Result<S>) -> Result<Measure> {
    share.start.wait();
    let start = Instant::now();
    let clock = Clock { start, end: start + options.duration };
    let measure = Rc::new(RefCell::new(Measure::new()));
    let told = match story {
        Ok(story) => {
            story.tell(clock, Rc::clone(&measure)).await;
            Ok(())
        }
        Err(error) => Err(error),
    };
    share.start.wait();
    told?;
    let measure = measure.borrow().clone();
    Ok(measure)
}

/// Opens `count` sockets of new players.
async fn open_sockets(options: &Options, count: usize) -> Result<Vec<Socket>> {
    let mut sockets = Vec::with_capacity(count);
    while sockets.len() < count {
        let batch = OPENING_MAX.min(count - sockets.len());
        let opened = (0..batch).map(|_| async {
            let token = Http::open(options).await?.token(&new_device()).await?;
            Socket::open(options, &token).await
        });
        for socket in join_all(opened).await {
            sockets.push(socket?);
        }
    }
    Ok(sockets)
}

/// Runs futures that borrow side by side on this thread.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

/// Waits for the tasks of a story, and ends those that hang on an answer that never comes.
async fn finish(mut tasks: JoinSet<()>, clock: Clock) {
    const GRACE: Duration = Duration::from_secs(2);
    let all = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout_at((clock.end + GRACE).into(), all).await;
}

/// A device id that no other run uses.
fn new_device() -> String {
    use std::{
        process,
        sync::atomic::{AtomicU64, Ordering},
        time::{SystemTime, UNIX_EPOCH},
    };
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("load-{:x}-{nanos:x}-{:x}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
