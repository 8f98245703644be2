//! Chance that can be had again.

use std::time::SystemTime;

/// A xorshift64* of which the seed is told.
#[derive(Debug)]
pub(crate) struct Chance {
    pub(crate) seed: u64,
    state: u64,
}

impl Chance {
    /// From NETNSCTL_SEED, or from the clock.
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let chosen = std::env::var("NETNSCTL_SEED").ok();
        let chosen = chosen.and_then(|seed| seed.parse().ok());
        let seed = chosen.unwrap_or_else(|| now.map_or(1, |now| u64::from(now.subsec_nanos())));
        Self {
            seed,
            state: seed.wrapping_mul(2).wrapping_add(1),
        }
    }

    /// Some number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(number).unwrap_or(0) % bound.max(1)
    }
}
