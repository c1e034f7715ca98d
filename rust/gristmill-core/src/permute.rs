//! A keyed permutation of `0..n` that is computed, not stored: position in, shuffled index out.
//!
//! A Feistel network permutes the `b`-bit numbers, with `b` the smallest width that holds `n - 1`;
//! a result of `n` or more goes through the network again until it falls below `n` (cycle
//! walking), which keeps the map a bijection and takes fewer than two passes on average. The two
//! halves may differ by one bit: each round changes one half by a function of the other, so every
//! round, and hence the whole, is invertible for any split, the empty half included.
//!
//! Source: Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains", section 4 (generalised
//! Feistel) and section 3 (cycle walking). The round function mixes for spread, not for secrecy.

use crate::{Error, Result};

const ROUNDS: usize = 8;

/// A pseudo-random order of `0..n`, a pure function of `n` and the key.
#[derive(Clone, Debug)]
pub struct Permutation {
    n: u64,
    low_bits: u32,
    low_mask: u64,
    high_mask: u64,
    round_keys: [u64; ROUNDS],
}

impl Permutation {
    /// The order of `0..n` under `key`.
    #[must_use]
    pub fn new(n: u64, key: u64) -> Self {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        let high_bits = bits / 2;
        let low_bits = bits - high_bits;
        let mut state = key;
        Self {
            n,
            low_bits,
            low_mask: mask(low_bits),
            high_mask: mask(high_bits),
            round_keys: std::array::from_fn(|_| split_mix(&mut state)),
        }
    }

    /// How many numbers are permuted.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.n
    }

    /// Whether there is nothing to permute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// The number at position `index`, or `None` when `index` is `n` or more.
    #[must_use]
    pub fn get(&self, index: u64) -> Option<u64> {
        if index >= self.n {
            return None;
        }
        let mut value = self.network(index);
        while value >= self.n {
            value = self.network(value);
        }
        Some(value)
    }

    /// The numbers at positions `start`, `start + step`, … , `count` of them.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when a position is `n` or more.
    pub fn stride(&self, start: u64, count: u64, step: u64) -> Result<Vec<u64>> {
        let last = count
            .checked_sub(1)
            .map(|steps| steps.checked_mul(step).and_then(|distance| start.checked_add(distance)));
        match last {
            None => Ok(Vec::new()),
            Some(Some(last)) if last < self.n => {
                Ok((0..count).filter_map(|k| self.get(start + k * step)).collect())
            }
            _ => Err(Error::Parameter {
                name: "positions",
                value: format!("{count} from {start} in steps of {step}"),
                allowed: "those below n",
            }),
        }
    }

    fn network(&self, value: u64) -> u64 {
        let mut low = value & self.low_mask;
        let mut high = (value >> self.low_bits) & self.high_mask;
        for keys in self.round_keys.chunks_exact(2) {
            high ^= mix(low ^ keys[0]) & self.high_mask;
            low ^= mix(high ^ keys[1]) & self.low_mask;
        }
        (high << self.low_bits) | low
    }
}

/// `bits` ones; a half never has more than 32 of them.
fn mask(bits: u32) -> u64 {
    (1_u64 << bits) - 1
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014), whose every output bit depends on every
/// input bit.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mix(*state)
}
