//! Tells most numbers apart from those of a set, in 2 KB.

/// A set of numbers that may hold more than what was put in.
pub(super) struct Sieve([u64; 256]);

impl Default for Sieve {
    fn default() -> Self {
        Self([0; 256])
    }
}

impl Sieve {
    pub(super) fn insert(&mut self, number: u32) {
        let bit = Self::bit(number);
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    pub(super) fn contains(&self, number: u32) -> bool {
        let bit = Self::bit(number);
        self.0[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// One of 2^14 bits, by the golden ratio.
    fn bit(number: u32) -> usize {
        (number.wrapping_mul(0x9E37_79B9) >> 18) as usize
    }
}
