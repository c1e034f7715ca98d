//! A set of numbers, one bit each.

use crate::huge;

/// A set of numbers below a bound.
pub(super) struct Bits {
    words: Vec<u64>,
    length: usize,
}

impl Bits {
    pub(super) fn new(length: usize) -> Self {
        Self { words: huge::zeroed(length.div_ceil(64)), length }
    }

    #[inline]
    pub(super) fn insert(&mut self, number: usize) {
        self.words[number / 64] |= 1 << (number % 64);
    }

    #[inline]
    pub(super) fn contains(&self, number: usize) -> bool {
        self.words[number / 64] >> (number % 64) & 1 == 1
    }

    /// The first member from `from` on; the bound when there is none.
    pub(super) fn next(&self, from: usize) -> usize {
        self.first(from, |word| word)
    }

    /// The first number from `from` on that is no member; the bound when there is none.
    pub(super) fn next_gap(&self, from: usize) -> usize {
        self.first(from, |word| !word)
    }

    fn first(&self, from: usize, wanted: impl Fn(u64) -> u64) -> usize {
        let mut seen = u64::MAX << (from % 64);
        for (place, &word) in self.words.iter().enumerate().skip(from / 64) {
            let found = wanted(word) & seen;
            if found != 0 {
                return self.length.min(64 * place + found.trailing_zeros() as usize);
            }
            seen = u64::MAX;
        }
        self.length
    }
}
