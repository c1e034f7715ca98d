//! Equal windows of one text stand together among its sorted suffixes.
//!
//! They are a run in which each suffix shares at least a window with the one before it. Of the lengths
//! that neighbours share only this one bit is needed, so the permuted LCP array is computed at every
//! eighth position: from one position to the next it falls by one at most, which decides nearly all
//! positions between; the others are compared. That is half a byte per byte of text instead of four,
//! and an eighth of the jumps.
//!
//! Source: Kärkkäinen, Manzini and Puglisi, "Permuted Longest-Common-Prefix Array" (2009), section 4.

use std::ops::Range;

use super::bits::Bits;
use crate::overlap::shared_prefix;
use crate::suffix_array::{Position, suffix_array};
use crate::{Result, huge};

/// Positions from one PLCP value to the next.
const STEP: usize = 8;

/// Blocks whose text is asked for ahead of its use.
const AHEAD: usize = 24;

/// Bytes of memory for each byte of text, with 32 and with 64 bits per position, in eighths: the
/// text, its suffixes, PLCP values, and four sets of bits.
pub(super) const MEMORY_EIGHTHS: [usize; 2] = [8 + 32 + 4 + 4, 8 + 64 + 8 + 4];

/// A text's sorted suffixes, and where runs of equal windows begin.
pub(super) struct Sorted<P> {
    suffixes: Vec<P>,
    /// By rank: whether the suffix shares a window with the one before.
    linked: Bits,
    /// By position: whether a window that counts begins there.
    whole: Bits,
}

impl<P: Position> Sorted<P> {
    pub(super) fn new(text: &[u8], whole: Bits, min_bytes: usize) -> Result<Self> {
        let suffixes = suffix_array::<P>(text)?;
        let linked = linked(text, &suffixes, min_bytes);
        Ok(Self { suffixes, linked, whole })
    }

    /// The starts of the windows that equal an earlier one, which begins in `first`.
    pub(super) fn duplicates(&self, first: &Range<usize>) -> Bits {
        let mut found = Bits::new(self.suffixes.len());
        self.each_run(|members| {
            if let Some(earliest) = self.earliest(members, first) {
                for position in self.windows(members).filter(|&p| p != earliest) {
                    found.insert(position);
                }
            }
        });
        found
    }

    /// For each of `wanted`, the first window equal to it that begins in `first`.
    pub(super) fn twins(
        &self,
        wanted: &Bits,
        first: &Range<usize>,
        mut visit: impl FnMut(usize, usize),
    ) {
        self.each_run(|members| {
            if members.iter().any(|p| wanted.contains(p.load()))
                && let Some(earliest) = self.earliest(members, first)
            {
                for position in self.windows(members).filter(|&p| wanted.contains(p)) {
                    visit(position, earliest);
                }
            }
        });
    }

    fn windows(&self, members: &[P]) -> impl Iterator<Item = usize> {
        members.iter().map(|p| p.load()).filter(|&p| self.whole.contains(p))
    }

    fn earliest(&self, members: &[P], first: &Range<usize>) -> Option<usize> {
        self.windows(members).min().filter(|p| first.contains(p))
    }

    /// Visit the runs of two and more.
    fn each_run(&self, mut visit: impl FnMut(&[P])) {
        let mut rank = self.linked.next(0);
        while rank < self.suffixes.len() {
            let end = self.linked.next_gap(rank);
            visit(&self.suffixes[rank - 1..end]);
            rank = self.linked.next(end);
        }
    }
}

/// For each rank, whether its suffix shares `min_bytes` with the one before.
fn linked<P: Position>(text: &[u8], suffixes: &[P], min_bytes: usize) -> Bits {
    let plcp = sparse_plcp(text, suffixes);
    // Most blocks decide for all of their positions; these sets are small enough for the cache.
    let (mut all, mut some) = (Bits::new(plcp.len()), Bits::new(plcp.len()));
    for (block, pair) in plcp.windows(2).enumerate() {
        if pair[0].load() >= min_bytes + STEP - 1 {
            all.insert(block);
            some.insert(block);
        } else if pair[1].load() + STEP >= min_bytes {
            some.insert(block);
        }
    }
    let mut linked = Bits::new(suffixes.len());
    let mut before = text.len();
    for (rank, suffix) in suffixes.iter().enumerate() {
        let at = suffix.load();
        let (block, offset) = (at / STEP, at % STEP);
        if some.contains(block) {
            let decided = || {
                let least = plcp[block].load().saturating_sub(offset);
                let most = plcp[block + 1].load() + STEP - offset;
                least >= min_bytes
                    || most >= min_bytes && shares(&text[at..], &text[before..], least, min_bytes)
            };
            if all.contains(block) || decided() {
                linked.insert(rank);
            }
        }
        before = at;
    }
    linked
}

/// Whether two suffixes that are known to share `known` bytes share `wanted`.
fn shares(a: &[u8], b: &[u8], known: usize, wanted: usize) -> bool {
    match (a.get(known..wanted), b.get(known..wanted)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// At every [`STEP`]th position, and past the end, the length of the prefix that its suffix shares with
/// the one before it in lexicographic order.
fn sparse_plcp<P: Position>(text: &[u8], suffixes: &[P]) -> Vec<P> {
    let n_blocks = text.len().div_ceil(STEP);
    let mut values: Vec<P> = huge::zeroed(n_blocks + 1);
    let mut before = text.len();
    for suffix in suffixes {
        let at = suffix.load();
        // One position in eight is kept; the others go past the end, which beats guessing wrong.
        values[if at.is_multiple_of(STEP) { at / STEP } else { n_blocks }] = P::store(before);
        before = at;
    }
    values[n_blocks] = P::store(0);
    let mut shared = 0;
    for block in 0..n_blocks {
        let ahead = values[(block + AHEAD).min(n_blocks)].load();
        std::hint::black_box(text.get(ahead));
        let (at, before) = (block * STEP, values[block].load());
        // The first suffix has none before it; the two can share nothing with the empty one.
        shared = shared.min(text.len() - at.max(before));
        shared += shared_prefix(&text[at + shared..], &text[before + shared..]);
        values[block] = P::store(shared);
        shared = shared.saturating_sub(STEP);
    }
    values
}
