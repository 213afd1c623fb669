//! What time it is, as this shard sees it. The only place that reads a wall clock.

use std::{
    cell::Cell,
    rc::Rc,
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

/// The instant that monotonic time counts from, the same on every shard of the process, because
/// deadlines travel between shards.
static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// A shard's clock. Reading it costs about 20 ns and is never stale; clones share the same source.
///
/// In the simulator time is virtual: it moves only when nothing is left to do.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Virtual(Rc<VirtualTime>),
    /// The machine's, with the time of day put forward by so many microseconds.
    Shifted(Rc<Cell<i64>>),
}

/// Measures how long something runs, for what bounds the use of a real core: the turns of the executor
/// and how long it looks for work. It decides nothing in the simulator.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Time that somebody sets by hand.
#[derive(Debug, Default)]
pub(crate) struct VirtualTime {
    elapsed_micros: Cell<u64>,
    unix_base_micros: Cell<i64>,
}

impl VirtualTime {
    pub(crate) fn new(unix_base_micros: i64) -> Rc<Self> {
        Rc::new(Self {
            elapsed_micros: Cell::new(0),
            unix_base_micros: Cell::new(unix_base_micros),
        })
    }

    pub(crate) fn set_micros(&self, elapsed: u64) {
        debug_assert!(elapsed >= self.elapsed_micros.get(), "virtual time never runs back");
        self.elapsed_micros.set(elapsed);
    }

    pub(crate) fn micros(&self) -> u64 {
        self.elapsed_micros.get()
    }
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        ORIGIN.get_or_init(Instant::now);
        Self(Source::System)
    }

    /// The machine's clocks, with the time of day put forward by what the cell holds, in microseconds. For
    /// tests of what happens at a time that is far away.
    pub fn shifted(by_micros: Rc<Cell<i64>>) -> Self {
        ORIGIN.get_or_init(Instant::now);
        Self(Source::Shifted(by_micros))
    }

    pub(crate) fn virtual_time(time: Rc<VirtualTime>) -> Self {
        Self(Source::Virtual(time))
    }

    /// Microseconds since a fixed instant of this process. Never runs back.
    pub fn monotonic_micros(&self) -> u64 {
        match &self.0 {
            Source::System | Source::Shifted(_) => {
                ORIGIN.get_or_init(Instant::now).elapsed().as_micros() as u64
            }
            Source::Virtual(time) => time.elapsed_micros.get(),
        }
    }

    /// Milliseconds since a fixed instant of this process. Never runs back; equal on all its shards.
    pub fn monotonic_ms(&self) -> u64 {
        self.monotonic_micros() / 1000
    }

    /// Microseconds since the Unix epoch. May step when the machine's clock is set.
    pub fn unix_micros(&self) -> i64 {
        match &self.0 {
            Source::System => machine_micros(),
            Source::Shifted(by_micros) => machine_micros().saturating_add(by_micros.get()),
            Source::Virtual(time) => {
                time.unix_base_micros.get().saturating_add(time.elapsed_micros.get() as i64)
            }
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_ms(&self) -> i64 {
        self.unix_micros() / 1000
    }

    /// Seconds since the Unix epoch.
    pub fn unix_sec(&self) -> i64 {
        self.unix_micros() / 1_000_000
    }
}

fn machine_micros() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_micros() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_system_clocks_count_from_the_same_instant() {
        let (a, b) = (Clock::system(), Clock::system());
        let (first, second) = (a.monotonic_micros(), b.monotonic_micros());
        assert!(second >= first && second - first < 5_000_000);
    }

    #[test]
    fn virtual_time_stands_still_until_it_is_set() {
        let time = VirtualTime::new(1_700_000_000_000_000);
        let clock = Clock::virtual_time(Rc::clone(&time));
        assert_eq!(clock.monotonic_ms(), 0);
        time.set_micros(2_500);
        assert_eq!(clock.monotonic_ms(), 2);
        assert_eq!(clock.unix_micros(), 1_700_000_000_002_500);
    }
}
