//! Turns each anchor into entries: stretches of windows with what they have in common.
//!
//! The windows of an anchor are split by where in them it stands (*classes*). All windows of a class
//! that are equal have the bytes around the anchor in common that every window of the class holds; the
//! hash of those is the entry's *key*. So equal windows are in entries of equal key, class and offset,
//! and only entries of equal keys need to be compared. The hash of all bytes that the entry's own
//! windows hold is its *context*: an entry that agrees with an earlier one in both repeats all of it.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::anchors::{Anchor, Anchors, MAX_WINDOW};
use super::verify::{Claim, MAX_CLAIMED};

/// Classes of an anchor's windows.
const CLASSES: usize = 2;
/// Bits of a position in the corpus: 16 TiB.
pub(super) const POSITION_BITS: u32 = 44;
/// Bits of an offset in a window, and of a number of windows.
const OFFSET_BITS: u32 = 18;
const OFFSET: u128 = (1 << OFFSET_BITS) - 1;

/// Neighbouring windows with one anchor and of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: u32,
    /// 48 bits of the context's hash.
    pub(super) context: u64,
    /// Position of the first window in the corpus.
    pub(super) start: u64,
    /// Symbols from there to the anchor.
    pub(super) offset: usize,
    /// Number of windows.
    pub(super) n_windows: usize,
}

impl Entry {
    /// Five words: 32 bits of the key, 48 of the context, 80 of the place.
    pub(super) fn pack(self) -> [u32; 5] {
        const { assert!(POSITION_BITS + 2 * OFFSET_BITS == 80 && MAX_WINDOW <= OFFSET as usize) };
        let place = u128::from(self.start) << (2 * OFFSET_BITS)
            | (self.offset as u128) << OFFSET_BITS
            | self.n_windows as u128;
        let all = u128::from(self.context) << 80 | place;
        [self.key, all as u32, (all >> 32) as u32, (all >> 64) as u32, (all >> 96) as u32]
    }

    pub(super) fn unpack([key, words @ ..]: [u32; 5]) -> Self {
        let all = words.iter().rev().fold(0, |all, &word| all << 32 | u128::from(word));
        Self {
            key,
            context: (all >> 80) as u64,
            start: (all >> (2 * OFFSET_BITS)) as u64 & ((1 << POSITION_BITS) - 1),
            offset: (all >> OFFSET_BITS & OFFSET) as usize,
            n_windows: (all & OFFSET) as usize,
        }
    }
}

/// Finds the entries of texts.
pub(super) struct Entries {
    anchors: Anchors,
    /// Bytes in a window and in a symbol.
    window: usize,
    unit: usize,
    seed: u64,
}

impl Entries {
    pub(super) fn new(window: usize, unit: usize, seed: u64) -> Self {
        Self { anchors: Anchors::new(window / unit, unit), window, unit, seed }
    }

    /// Call `visit` for each entry of `text`, which stands at `position` of the corpus, with all 64
    /// bits of its key, of which the entry holds the lower half; and `repeat` for windows that repeat
    /// the ones a symbol before them.
    pub(super) fn each(
        &mut self,
        text: &[u8],
        position: u64,
        mut visit: impl FnMut(u64, Entry),
        mut repeat: impl FnMut(Claim),
    ) {
        let Self { window, unit, seed, .. } = *self;
        let choice = self.anchors.choice();
        self.anchors.each(text, |Anchor { place, first, mut last, run }| {
            if run {
                for from in (first + 1..=last).step_by(MAX_CLAIMED) {
                    let n_windows = (last + 1 - from).min(MAX_CLAIMED);
                    let start = position + (from * unit) as u64;
                    repeat(Claim { start, n_windows, twin: start - unit as u64, proven: false });
                }
                last = first;
            }
            for class in 0..CLASSES {
                // Windows of the class hold the anchor at offsets low..high.
                let (low, high) = (class * choice / CLASSES, (class + 1) * choice / CLASSES);
                let from = first.max((place + 1).saturating_sub(high));
                if place < low || from > last.min(place - low) || low == high {
                    continue;
                }
                let to = last.min(place - low);
                let shared = &text[(place - low) * unit..(place + 1) * unit + window - high * unit];
                let whole = &text[from * unit..to * unit + window];
                let key = xxh3_64_with_seed(shared, seed + class as u64);
                let offset = place - from;
                visit(
                    key,
                    Entry {
                        key: key as u32,
                        context: xxh3_64_with_seed(whole, seed + offset as u64) >> 16,
                        start: position + (from * unit) as u64,
                        offset,
                        n_windows: to - from + 1,
                    },
                );
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_entry_can_be_packed() {
        let entry = Entry {
            key: u32::MAX,
            context: u64::MAX >> 16,
            start: (1 << POSITION_BITS) - 1,
            offset: MAX_WINDOW,
            n_windows: MAX_WINDOW,
        };
        for entry in
            [entry, Entry { start: 0, ..entry }, Entry { offset: 0, n_windows: 1, ..entry }]
        {
            assert_eq!(Entry::unpack(entry.pack()), entry);
        }
    }

    #[test]
    fn each_window_is_in_one_entry_or_repeats_the_one_before() {
        let text: Vec<u8> =
            (0..9_000_u32).map(|i| (i * i / 7 % 5) as u8).chain([7; 3_000]).collect();
        for (window, unit) in [(1, 1), (7, 1), (100, 1), (100, 2), (2_000, 4)] {
            let mut n_times = vec![0; text.len() / unit];
            let mut count = |start: u64, n_windows: usize| {
                let first = (start as usize - 5) / unit;
                n_times[first..first + n_windows].iter_mut().for_each(|n| *n += 1);
            };
            let mut repeats = Vec::new();
            let mut entries = Entries::new(window, unit, 3);
            entries.each(
                &text,
                5,
                |_, entry| count(entry.start, entry.n_windows),
                |claim| repeats.push(claim),
            );
            repeats.iter().for_each(|claim| count(claim.start, claim.n_windows));
            let n_windows = (text.len() - window) / unit + 1;
            assert!(n_times[..n_windows].iter().all(|&n| n == 1));
            assert!(n_times[n_windows..].iter().all(|&n| n == 0));
        }
    }
}
