//! Which documents a byte budget takes: those whose hash lies below a threshold.
//!
//! The threshold is one of 256, the largest under which the documents fit the budget. So the sample
//! depends on the documents alone, not on their order, nor on batches and threads; and what was
//! counted above a threshold that turns out too high is thrown away level by level.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::counter::Counter;

/// The level of a document: the smaller its hash, the higher.
///
/// Four levels halve the threshold, in steps of 1/8 of the larger one, so a budget that is a small
/// part of the texts is used for 4/5 at least, but for the size of single documents.
pub fn level_of(text: &str) -> u32 {
    let hash = xxh3_64(text.as_bytes()) | 1;
    let zeros = hash.leading_zeros();
    let next_two_bits = (hash << zeros << 1 >> 62) as u32;
    4 * zeros + 3 - next_two_bits
}

/// What was counted of the documents of one level.
#[derive(Default)]
pub struct Counted {
    /// The size of the documents.
    pub text_bytes: u64,
    /// Their words.
    pub words: Counter,
}

/// What one thread has counted, by level.
pub type Levels = BTreeMap<u32, Counted>;

/// Throw away the lowest levels until the rest fits `budget`; gives the lowest level that is left.
pub fn fit(threads: &mut [Levels], budget: u64) -> u32 {
    let mut sizes = BTreeMap::new();
    for (level, counted) in threads.iter().flatten() {
        *sizes.entry(*level).or_insert(0) += counted.text_bytes;
    }
    let mut size = 0;
    let too_high = sizes.iter().rev().find(|(_, n)| {
        size += **n;
        size > budget
    });
    let lowest = too_high.map_or(0, |(level, _)| level + 1);
    for levels in threads {
        *levels = levels.split_off(&lowest);
    }
    lowest
}
