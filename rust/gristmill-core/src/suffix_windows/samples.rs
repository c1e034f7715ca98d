//! The minimisers of a document's windows: places that equal windows share.
//!
//! A window's *sample* is the place, among its first `width` places, where the hash of the next `k`
//! bytes is smallest, the last of equal ones. It depends on nothing but the window's bytes, so equal
//! windows have their samples at the same distance from their starts; and neighbouring windows mostly
//! have the same one, which makes samples few: about 1 in 18 places at 100 bytes.
//!
//! Source: Schleimer, Wilkerson and Aiken, "Winnowing" (2003), over the gear hash of Xia et al.,
//! "Ddelta" (2014), which forgets a byte by shifting it out.

use std::ops::Range;

/// Windows whose samples are found in one go.
const BLOCK: usize = 1024;

/// The windows' first places that are compared, at most: more would make samples rarer still, but a
/// rising run of hashes takes time in proportion.
const MAX_WIDTH: usize = 256;

/// How samples are chosen for windows of some length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sampling {
    /// Bytes that are hashed at a place: 32 or 64.
    k: usize,
    width: usize,
}

/// A sample, and the windows whose sample it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    /// Its place in the document.
    pub(super) at: usize,
    /// Equal for equal `k` bytes; all of its bits are good.
    pub(super) hash: u64,
    /// First and last window, as offsets in the document, last included.
    pub(super) windows: (usize, usize),
}

impl Sampling {
    /// None when windows are too short for it to pay.
    pub(super) fn new(min_bytes: usize) -> Option<Self> {
        let k = if min_bytes >= 88 { 64 } else { 32 };
        let width = (min_bytes + 1).saturating_sub(k).min(MAX_WIDTH);
        (width >= 9).then_some(Self { k, width })
    }

    /// Put the samples of some windows of a document, at most [`BLOCK`] of them, into `samples`.
    /// The windows must lie within the document.
    pub(super) fn find(
        self,
        text: &[u8],
        windows: Range<usize>,
        hashes: &mut Vec<u64>,
        samples: &mut Vec<Sample>,
    ) {
        samples.clear();
        let places = windows.start..windows.end + self.width - 1;
        self.hash(&text[places.start..places.end + self.k - 1], hashes);
        let mut least = (u64::MAX, 0);
        for first in 0..windows.len() {
            let newest = first + self.width - 1;
            if first > 0 && hashes[newest] > least.0 && least.1 >= first {
                continue;
            }
            least = if first > 0 && hashes[newest] <= least.0 {
                (hashes[newest], newest)
            } else {
                last_least(&hashes[first..=newest], first)
            };
            let window = windows.start + first;
            if let Some(last) = samples.last_mut() {
                last.windows.1 = window - 1;
            }
            let (at, hash) = (windows.start + least.1, mix(least.0));
            samples.push(Sample { at, hash, windows: (window, window) });
        }
        if let Some(last) = samples.last_mut() {
            last.windows.1 = windows.end - 1;
        }
    }

    /// Hash the `k` bytes at each place of `text` that has so many.
    fn hash(self, text: &[u8], hashes: &mut Vec<u64>) {
        let shift = 64 / self.k;
        let (head, tail) = text.split_at(self.k - 1);
        let mut hash = 0_u64;
        for &byte in head {
            hash = (hash << shift).wrapping_add(GEAR[byte as usize]);
        }
        hashes.clear();
        hashes.extend(tail.iter().map(|&byte| {
            hash = (hash << shift).wrapping_add(GEAR[byte as usize]);
            hash
        }));
    }
}

/// The windows of a document in blocks that [`Sampling::find`] takes.
pub(super) fn block(windows: &Range<usize>) -> Range<usize> {
    windows.start..windows.end.min(windows.start + BLOCK)
}

fn last_least(hashes: &[u64], first: usize) -> (u64, usize) {
    let mut least = (u64::MAX, first);
    for (place, &hash) in hashes.iter().enumerate() {
        if hash <= least.0 {
            least = (hash, first + place);
        }
    }
    least
}

/// The low bits of a gear hash know few bytes and the smallest hashes begin with zeros: spread both.
fn mix(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash ^ hash >> 29
}

/// A random word for each byte, by xorshift and a multiplication.
const GEAR: [u64; 256] = {
    let mut words = [0; 256];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut byte = 0;
    while byte < 256 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        words[byte] = state.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        byte += 1;
    }
    words
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The samples of all windows, each window on its own.
    fn naive(sampling: Sampling, text: &[u8], n_windows: usize) -> Vec<usize> {
        let mut hashes = Vec::new();
        let each = (0..n_windows).map(|window| {
            let places = window..window + sampling.width;
            let hash = |place: usize| {
                sampling.hash(&text[place..place + sampling.k], &mut hashes);
                hashes[0]
            };
            let of_places: Vec<(u64, usize)> = places.clone().map(hash).zip(places).collect();
            let least = of_places.iter().map(|(hash, _)| *hash).min();
            let last = of_places.iter().rev().find(|(hash, _)| Some(*hash) == least);
            last.map_or(0, |(_, place)| *place)
        });
        each.collect()
    }

    fn text(letters: u64, length: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let letter = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b'a' + ((state >> 33) % letters) as u8
        };
        (0..length).map(letter).collect()
    }

    #[test]
    fn every_window_has_the_last_of_its_smallest_hashes() {
        for (letters, min_bytes) in [(1, 40), (1, 100), (2, 45), (3, 100), (26, 300), (26, 1000)] {
            let text = text(letters, 3_000);
            let sampling = Sampling::new(min_bytes).unwrap();
            let n_windows = text.len() + 1 - min_bytes;
            let expected = naive(sampling, &text, n_windows);
            for start in [0, 1, 700] {
                let (mut hashes, mut samples) = (Vec::new(), Vec::new());
                sampling.find(&text, start..n_windows, &mut hashes, &mut samples);
                let found: Vec<usize> = samples
                    .iter()
                    .flat_map(|sample| vec![sample.at; sample.windows.1 + 1 - sample.windows.0])
                    .collect();
                assert_eq!(found, expected[start..]);
                assert_eq!(samples[0].windows.0, start);
            }
        }
    }

    #[test]
    fn short_windows_are_not_sampled() {
        assert_eq!(Sampling::new(39), None);
        assert!(Sampling::new(40).is_some());
    }
}
