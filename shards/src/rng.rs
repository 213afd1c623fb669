//! Randomness of a shard. The only place that draws it.

use std::{cell::RefCell, rc::Rc};

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// A shard's generator: `ChaCha8`, so that ids drawn from it cannot be guessed from earlier ones.
///
/// Clones share one stream. In the simulator the stream follows from the simulation's seed.
#[derive(Clone)]
pub struct Rng(Rc<RefCell<ChaCha8Rng>>);

impl Rng {
    /// A generator seeded by the operating system.
    pub fn from_os() -> Self {
        Self(Rc::new(RefCell::new(ChaCha8Rng::from_entropy())))
    }

    /// A generator that yields the same stream for the same seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    pub fn next_u64(&self) -> u64 {
        self.0.borrow_mut().next_u64()
    }

    pub fn next_u32(&self) -> u32 {
        self.0.borrow_mut().next_u32()
    }

    /// A number in `0..bound`, or 0 where the bound is 0. The bias is below `bound / 2^64`.
    pub fn below(&self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True once in `1 / probability` times; never at 0.0, always at 1.0.
    pub fn chance(&self, probability: f64) -> bool {
        ((self.next_u64() >> 11) as f64) * (1.0 / (1u64 << 53) as f64) < probability
    }

    pub fn fill(&self, bytes: &mut [u8]) {
        self.0.borrow_mut().fill_bytes(bytes);
    }

    /// Sixteen random bytes, what a version 4 UUID is made of.
    pub fn bytes_16(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_yields_one_stream() {
        let (a, b, c) = (Rng::from_seed(7), Rng::from_seed(7), Rng::from_seed(8));
        let draw = |rng: &Rng| (0..32).map(|_| rng.next_u64()).collect::<Vec<_>>();
        let first = draw(&a);
        assert_eq!(first, draw(&b));
        assert_ne!(first, draw(&c));
    }

    #[test]
    fn two_generators_of_the_operating_system_differ() {
        assert_ne!(Rng::from_os().bytes_16(), Rng::from_os().bytes_16());
    }

    #[test]
    fn numbers_below_a_bound_stay_below_it_and_reach_all_of_it() {
        let rng = Rng::from_seed(1);
        let mut seen = [false; 7];
        for _ in 0..1000 {
            seen[rng.below(7) as usize] = true;
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn chances_of_zero_and_one_are_certain() {
        let rng = Rng::from_seed(1);
        assert!((0..100).all(|_| !rng.chance(0.0) && rng.chance(1.0)));
    }
}
