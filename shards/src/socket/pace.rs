//! How long a paced write may wait for company: not at all while the core has time to spare, and on a
//! busy core as little as keeps it from being overrun. What waits shares a send, so a core that is busy
//! spends its time on fewer, fuller sends.

use super::cpu_time::thread_cpu_micros;

/// Below this share of busy time nothing waits.
const RELAXED: f64 = 0.6;
/// The window grows while the core is busier than this and shrinks while it is less.
const GOAL: f64 = 0.8;
/// By how much of its bound the window changes with a sample, for each unit that the load is off. From
/// the goal to a core without rest, the whole bound takes 0.2 s, and a core that has time to spare gives it up at once.
const GAIN: f64 = 0.25;
/// A sample of load is taken this often at most.
const SAMPLE_MICROS: u64 = 10_000;
/// A sample this long says all there is to know, whatever was before.
const FORGET_MICROS: u64 = 100_000;
/// Weight of a new sample.
const WEIGHT: f64 = 0.3;

/// Times are those of the shard's monotonic clock, in microseconds.
pub(super) struct Pacer {
    window_max: f64,
    window: f64,
    load: f64,
    sampled_at: u64,
    slept: u64,
    /// Of the time that the pump slept: how long it kept the core nevertheless, looking for work.
    lingered: u64,
    cpu: u64,
}

impl Pacer {
    pub(super) fn new(window_max_micros: u64, now: u64) -> Self {
        Self {
            window_max: window_max_micros as f64,
            window: 0.0,
            load: 0.0,
            sampled_at: now,
            slept: 0,
            lingered: 0,
            cpu: thread_cpu_micros(),
        }
    }

    /// How long a paced write that comes now may wait.
    pub(super) fn window_micros(&self) -> u64 {
        self.window as u64
    }

    /// The busy share of the core, in parts of a thousand.
    pub(super) fn load_permille(&self) -> u64 {
        (self.load * 1000.0) as u64
    }

    /// As if the core were so busy, until the next sample.
    #[cfg(test)]
    pub(super) fn pretend_window(&mut self, micros: u64) {
        self.window = micros as f64;
        self.sampled_at = u64::MAX;
    }

    /// The pump slept this long for lack of work.
    pub(super) fn slept(&mut self, micros: u64) {
        self.slept += micros;
    }

    /// The pump looked for work this long and found none.
    pub(super) fn lingered(&mut self, micros: u64) {
        self.slept += micros;
        self.lingered += micros;
    }

    /// Samples the load when a sample is due. True where it did.
    pub(super) fn turn(&mut self, now: u64) -> bool {
        let due = now.saturating_sub(self.sampled_at) >= SAMPLE_MICROS;
        if due {
            let cpu = thread_cpu_micros();
            self.sample(now, cpu.saturating_sub(self.cpu + self.lingered));
            self.cpu = cpu;
        }
        due
    }

    /// The pump's own waking time misses what other tasks of the core burn while it sleeps; processor
    /// time misses what other processes took from a saturated core. The larger of both is the load.
    fn sample(&mut self, now: u64, cpu: u64) {
        let wall = now.saturating_sub(self.sampled_at).max(1);
        let awake = wall.saturating_sub(self.slept);
        let busy = (awake.max(cpu) as f64 / wall as f64).min(1.0);
        let weight = if wall >= FORGET_MICROS { 1.0 } else { WEIGHT };
        self.load += (busy - self.load) * weight;
        self.window = if self.load < RELAXED {
            0.0
        } else {
            let change = (self.load - GOAL) * GAIN * self.window_max;
            (self.window + change).clamp(0.0, self.window_max)
        };
        self.slept = 0;
        self.lingered = 0;
        self.sampled_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer_at(busy_permille: u64) -> Pacer {
        let mut pacer = Pacer::new(4000, 0);
        for sample in 1..=500 {
            pacer.slept(SAMPLE_MICROS * (1000 - busy_permille) / 1000);
            pacer.sample(sample * SAMPLE_MICROS, 0);
        }
        pacer
    }

    #[test]
    fn an_idle_core_sends_at_once() {
        assert_eq!(pacer_at(300).window_micros(), 0);
    }

    #[test]
    fn a_core_without_rest_widens_the_window_step_by_step_up_to_its_bound() {
        let mut pacer = Pacer::new(4000, 0);
        let mut before = 0;
        let mut steps = 0;
        for sample in 1..=500 {
            pacer.sample(sample * SAMPLE_MICROS, 0);
            let window = pacer.window_micros();
            assert!(window >= before);
            steps += u32::from(window > before);
            before = window;
        }
        assert_eq!(before, 4000);
        assert!(steps > 10, "{steps}");
    }

    #[test]
    fn a_core_that_has_rest_again_narrows_the_window() {
        let mut pacer = pacer_at(1000);
        let at = pacer.sampled_at;
        for sample in 1..=500 {
            pacer.slept(SAMPLE_MICROS / 4);
            pacer.sample(at + sample * SAMPLE_MICROS, 0);
        }
        assert_eq!(pacer.window_micros(), 0);
    }

    /// A core whose work shrinks with the window, as that of sends does.
    #[test]
    fn the_window_settles_where_the_core_is_busy_and_not_overrun() {
        let mut pacer = Pacer::new(8000, 0);
        for sample in 1..=3000 {
            let busy = (1.2 - pacer.window / 10_000.0).min(1.0);
            pacer.slept((SAMPLE_MICROS as f64 * (1.0 - busy)) as u64);
            pacer.sample(sample * SAMPLE_MICROS, 0);
        }
        let load = pacer.load;
        assert!((GOAL - 0.02..GOAL + 0.02).contains(&load), "{load}");
    }

    #[test]
    fn processor_time_of_other_tasks_counts_while_the_pump_sleeps() {
        let mut pacer = Pacer::new(4000, 0);
        pacer.slept(FORGET_MICROS);
        pacer.sample(FORGET_MICROS, FORGET_MICROS);
        assert_eq!(pacer.load_permille(), 1000);
        assert!(pacer.window_micros() > 0);
    }

    #[test]
    fn time_spent_looking_for_work_is_no_load() {
        let mut pacer = Pacer::new(4000, 0);
        pacer.cpu = 0;
        pacer.lingered(FORGET_MICROS);
        pacer.sample(FORGET_MICROS, 0);
        assert_eq!((pacer.window_micros(), pacer.lingered), (0, 0));
    }

    #[test]
    fn a_long_rest_forgets_the_load() {
        let mut pacer = pacer_at(1000);
        pacer.slept(FORGET_MICROS);
        pacer.sample(pacer.sampled_at + FORGET_MICROS, 0);
        assert_eq!(pacer.window_micros(), 0);
    }
}
