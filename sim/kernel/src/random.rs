//! The one source of chance. Each actor has a stream of its own, derived from the run's seed and its name, so that leaving one
//! actor out changes nothing of what the others draw.

/// SplitMix64: small, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// Another actor's stream, of the seed that this one began with.
    pub fn stream(seed: u64, name: &str, index: usize) -> Random {
        let mut random = Random(seed);
        for byte in name.bytes().chain(index.to_le_bytes()) {
            random.0 = random.number() ^ u64::from(byte);
        }
        random
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `count`, which is at least 1.
    pub fn below(&mut self, count: u64) -> u64 {
        self.number() % count
    }

    /// An index below `count`.
    pub fn index(&mut self, count: usize) -> usize {
        self.below(count as u64) as usize
    }

    /// From `least` to `most`, both included.
    pub fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// True once in `1 / share` draws.
    pub fn is(&mut self, share: f64) -> bool {
        ((self.number() >> 11) as f64) < share * (1_u64 << 53) as f64
    }

    /// From `least` to `most`, small ones as often as large ones: each order of magnitude has its share.
    pub fn magnitude(&mut self, least: u64, most: u64) -> u64 {
        debug_assert!(least >= 1 && least <= most);
        let span = (most as f64 / least as f64).ln();
        let share = (self.number() >> 11) as f64 / (1_u64 << 53) as f64;
        ((least as f64 * (span * share).exp()) as u64).clamp(least, most)
    }
}
