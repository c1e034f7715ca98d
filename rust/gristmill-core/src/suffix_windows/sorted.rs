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

/// Neighbors whose text is compared in one go.
const ASKED: usize = 256;

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

    /// The positions that begin like an earlier window, which begins in `first`: the starts of all
    /// windows that equal it, and some where no window begins.
    pub(super) fn duplicates(&self, first: &Range<usize>) -> Bits {
        let mut found = Bits::new(self.suffixes.len());
        self.each_run(|members| {
            if let Some(earliest) = self.earliest(members, first) {
                for position in members.iter().map(|p| p.load()).filter(|&p| p != earliest) {
                    found.insert(position);
                }
            }
        });
        found
    }

    /// For each of `wanted`, which are windows, the first one equal to it that begins in `first`.
    pub(super) fn twins(
        &self,
        wanted: &Bits,
        first: &Range<usize>,
        mut visit: impl FnMut(usize, usize),
    ) {
        self.each_run(|members| {
            let mut asked = members.iter().map(|p| p.load()).filter(|&p| wanted.contains(p));
            if let Some(one) = asked.next()
                && let Some(earliest) = self.earliest(members, first)
            {
                visit(one, earliest);
                asked.for_each(|position| visit(position, earliest));
            }
        });
    }

    fn earliest(&self, members: &[P], first: &Range<usize>) -> Option<usize> {
        let positions = || members.iter().map(|p| p.load());
        let least = positions().min().filter(|&p| self.whole.contains(p));
        let least = least.or_else(|| positions().filter(|&p| self.whole.contains(p)).min());
        least.filter(|p| first.contains(p))
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
    let mut asked = Vec::with_capacity(ASKED);
    let mut before = text.len();
    for (rank, suffix) in suffixes.iter().enumerate() {
        let at = suffix.load();
        if some.contains(at / STEP) {
            if all.contains(at / STEP) {
                linked.insert(rank);
            } else {
                asked.push(Neighbors { rank, at, before, known: 0 });
            }
        }
        before = at;
        if asked.len() == ASKED {
            answer(text, &plcp, min_bytes, &mut asked, &mut linked);
        }
    }
    answer(text, &plcp, min_bytes, &mut asked, &mut linked);
    linked
}

/// A suffix and the one before it, which share `known` bytes or more.
struct Neighbors {
    rank: usize,
    at: usize,
    before: usize,
    known: usize,
}

/// Link those that share `min_bytes`. In three rounds, so that all of them wait for memory at once: that
/// takes half the time of one after the other.
fn answer<P: Position>(
    text: &[u8],
    plcp: &[P],
    min_bytes: usize,
    asked: &mut Vec<Neighbors>,
    linked: &mut Bits,
) {
    asked.retain_mut(|pair| {
        let (block, offset) = (pair.at / STEP, pair.at % STEP);
        pair.known = plcp[block].load().saturating_sub(offset).min(min_bytes);
        plcp[block + 1].load() + STEP - offset >= min_bytes
    });
    let byte = |at: usize| text.get(at).copied().unwrap_or_default();
    let touched =
        asked.iter().map(|pair| byte(pair.at + pair.known) ^ byte(pair.before + pair.known));
    std::hint::black_box(touched.fold(0, |all, byte| all ^ byte));
    for pair in asked.drain(..) {
        if shares(&text[pair.at..], &text[pair.before..], pair.known, min_bytes) {
            linked.insert(pair.rank);
        }
    }
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
