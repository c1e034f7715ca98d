//! Chooses the anchor of each window: the place in it that all its copies choose too.
//!
//! The anchor is the leftmost gram (8 bytes, 2 tokens) of smallest hash; it depends on the window's
//! symbols alone. About one place in 47 is an anchor for windows of 100 bytes. A gram that the next
//! one repeats (a run of one symbol) is chosen last, so that rulers and blank lines have few anchors;
//! windows of nothing else are reported as runs, since each but the first repeats the one before.
//!
//! Hashes and minima are computed for a block of places at a time by loops over arrays of `u32`, which
//! the compiler turns into vector instructions: hashing by doubling (pairs, pairs of pairs, ...), and
//! so the sliding minimum (windows of 1, 2, 4, ... grams; the last step overlaps).

/// Places in a block, at least, as a power of two: the buffers of a block fit the first-level cache.
const LEAST_BITS: u32 = 12;
/// The longest window, in symbols: a block has twice as many places, and a place's rank must have bits
/// left for its hash.
pub(super) const MAX_WINDOW: usize = 1 << 16;
/// Multipliers of the doubling steps and of the last mixing; odd, otherwise arbitrary.
const STEPS: [u32; 3] = [0x9E37_79B1, 0x85EB_CA77, 0xC2B2_AE3D];
const MIX: u32 = 0x27D4_EB2F;

/// Compile a loop over arrays for AVX2 too, and choose at run time.
///
/// Plain x86-64 has neither a minimum nor a product of 32-bit lanes: with AVX2 the whole engine takes
/// 3.5 s instead of 4.2 s for 327 MB of English. AVX-512 was no faster than AVX2.
macro_rules! vectorized {
    ($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) $body:block) => {
        $(#[$doc])*
        fn $name($($argument: $type),*) {
            #[inline(always)]
            fn plain($($argument: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($argument: $type),*) {
                    plain($($argument),*);
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has AVX2.
                    return unsafe { avx2($($argument),*) };
                }
            }
            plain($($argument),*);
        }
    };
}

/// A place, and the windows that it is the anchor of: all that begin in `first..=last`. Offsets in the
/// text that was scanned, in symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) place: usize,
    pub(super) first: usize,
    pub(super) last: usize,
    /// The windows hold one symbol only, and each is its own anchor; `place` is the first.
    pub(super) run: bool,
}

impl Anchor {
    fn up_to(self, last: usize) -> Self {
        Self { last, ..self }
    }

    /// Whether the window at `window` with its anchor at `place` belongs here too.
    fn takes(&self, window: usize, place: usize, run: bool) -> bool {
        if self.run { run && window == self.last + 1 } else { place == self.place }
    }
}

/// Finds anchors; keeps its buffers between texts.
pub(super) struct Anchors {
    /// Symbols in a window.
    window: usize,
    /// Bytes in a symbol.
    unit: usize,
    /// Doubling steps: a gram has `1 << steps` symbols.
    steps: usize,
    /// Places among which a window chooses.
    choice: usize,
    /// The bits of a rank that tell the place in the block.
    place: u32,
    ranks: Vec<u32>,
    spare: Vec<u32>,
    changes: Vec<u8>,
}

impl Anchors {
    /// Anchors of windows of `window` symbols, at most `MAX_WINDOW`.
    pub(super) fn new(window: usize, unit: usize) -> Self {
        let longest = if unit == 1 { 3 } else { 1 };
        // A gram takes at most a quarter of the window, and the symbol after it.
        let steps = (window / 4).checked_ilog2().map_or(0, |log| (log as usize).min(longest));
        let seen = (1 << steps) + 1;
        let choice = (window + 1).saturating_sub(seen).max(1);
        let block = 1 << (2 * window).next_power_of_two().trailing_zeros().max(LEAST_BITS);
        let buffer = || vec![0; block + 16];
        Self {
            window,
            unit,
            steps,
            choice,
            place: block as u32 - 1,
            ranks: buffer(),
            spare: buffer(),
            changes: vec![0; block],
        }
    }

    /// Places among which a window chooses: the anchor's offset in its windows is below.
    pub(super) fn choice(&self) -> usize {
        self.choice
    }

    /// Symbols that decide a place's rank: its gram and the one after, but for windows of a symbol.
    fn seen(&self) -> usize {
        ((1 << self.steps) + 1).min(self.window)
    }

    /// Call `visit` for each anchor of `text`, in order.
    pub(super) fn each(&mut self, text: &[u8], mut visit: impl FnMut(Anchor)) {
        let n_symbols = text.len() / self.unit;
        let Some(last_window) = n_symbols.checked_sub(self.window) else { return };
        let mut open: Option<Anchor> = None;
        let mut from = 0;
        while from <= last_window {
            // The block's windows see this many symbols beyond its places.
            let n_windows = (last_window + 1 - from).min(self.changes.len() - self.choice + 1);
            let n_places = n_windows + self.choice - 1;
            let to = (from + n_places + self.seen() - 1).min(n_symbols);
            self.rank(&text[from * self.unit..to * self.unit], n_places);
            self.minimize(n_windows);
            self.note_changes(n_windows);
            for at in changed(&self.changes[..n_windows]) {
                let (rank, window) = (self.ranks[at], from + at);
                let place = from + (rank & self.place) as usize;
                let run = rank | self.place == u32::MAX && place == window;
                match &mut open {
                    Some(anchor) if anchor.takes(window, place, run) => anchor.last = window,
                    _ => {
                        if let Some(anchor) = open.take() {
                            visit(anchor.up_to(window - 1));
                        }
                        open = Some(Anchor { place, first: window, last: window, run });
                    }
                }
            }
            from += n_windows;
        }
        if let Some(anchor) = open {
            visit(anchor.up_to(last_window));
        }
    }

    /// Write the rank of each of the first `n_places` places of `text`: its hash, with the place in
    /// the low bits, so that ranks differ and of equal hashes the leftmost is the least.
    fn rank(&mut self, text: &[u8], n_places: usize) {
        let n_symbols = text.len() / self.unit;
        let Self { ranks, spare, .. } = self;
        match self.unit {
            1 => widen_u8(text, &mut ranks[..n_symbols]),
            2 => widen_u16(text.as_chunks::<2>().0, &mut ranks[..n_symbols]),
            _ => widen_u32(text.as_chunks::<4>().0, &mut ranks[..n_symbols]),
        }
        let mut n_hashes = n_symbols;
        for (step, &multiplier) in STEPS[..self.steps].iter().enumerate() {
            n_hashes -= 1 << step;
            join(ranks, &mut spare[..n_hashes], 1 << step, multiplier);
            std::mem::swap(ranks, spare);
        }
        if n_hashes == n_places {
            ranks[n_places] = !ranks[n_places - 1]; // a window of one symbol looks no further
        }
        finish(&ranks[..n_places + 1], &mut spare[..n_places], self.place);
        std::mem::swap(ranks, spare);
    }

    /// Replace the rank at each of the first `n_windows` places by the least among `choice` from there.
    fn minimize(&mut self, n_windows: usize) {
        let Self { ranks, spare, .. } = self;
        let mut width = 1;
        while width < self.choice {
            // Two doublings at a time, or what is left of them.
            let shift = width.min(self.choice - width);
            let second = (width + shift).min(self.choice - width - shift);
            let n = n_windows + self.choice - width - shift - second;
            least(&ranks[..n + shift + second], &mut spare[..n], shift, second);
            std::mem::swap(ranks, spare);
            width += shift + second;
        }
    }

    /// Note where a window's anchor is another one than its left neighbour's.
    fn note_changes(&mut self, n_windows: usize) {
        self.changes[0] = 1;
        differ(&self.ranks[..n_windows], &mut self.changes[1..n_windows]);
    }
}

/// The indexes of the non-zero bytes, each 0 or 1.
fn changed(changes: &[u8]) -> impl Iterator<Item = usize> {
    let (words, rest) = changes.as_chunks::<8>();
    let mut tail = [0; 8];
    tail[..rest.len()].copy_from_slice(rest);
    words.iter().copied().chain([tail]).map(u64::from_le_bytes).enumerate().flat_map(|(i, word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let at = 8 * i + (left.trailing_zeros() / 8) as usize;
            (left != 0).then(|| {
                left &= left - 1;
                at
            })
        })
    })
}

vectorized! {
    fn widen_u8(symbols: &[u8], wide: &mut [u32]) {
        for (wide, &symbol) in wide.iter_mut().zip(symbols) {
            *wide = u32::from(symbol);
        }
    }
}

vectorized! {
    fn widen_u16(symbols: &[[u8; 2]], wide: &mut [u32]) {
        for (wide, &symbol) in wide.iter_mut().zip(symbols) {
            *wide = u32::from(u16::from_le_bytes(symbol));
        }
    }
}

vectorized! {
    fn widen_u32(symbols: &[[u8; 4]], wide: &mut [u32]) {
        for (wide, &symbol) in wide.iter_mut().zip(symbols) {
            *wide = u32::from_le_bytes(symbol);
        }
    }
}

vectorized! {
    /// Join the hashes of neighbouring grams to those of grams twice as long.
    fn join(hashes: &[u32], joined: &mut [u32], length: usize, multiplier: u32) {
        for ((joined, left), right) in joined.iter_mut().zip(hashes).zip(&hashes[length..]) {
            *joined = left.wrapping_mul(multiplier).wrapping_add(*right);
        }
    }
}

vectorized! {
    /// Mix hashes and put the place below; a gram that the next one repeats gets the greatest rank.
    fn finish(hashes: &[u32], ranks: &mut [u32], place_mask: u32) {
        for (place, (rank, pair)) in ranks.iter_mut().zip(hashes.windows(2)).enumerate() {
            let mixed = (pair[0] ^ (pair[0] >> 15)).wrapping_mul(MIX) >> 1;
            let hash = if pair[0] == pair[1] { u32::MAX } else { mixed };
            *rank = (hash & !place_mask) | place as u32;
        }
    }
}

vectorized! {
    /// The least of four ranks each: here, `shift` on, and both `second` on.
    fn least(ranks: &[u32], minima: &mut [u32], shift: usize, second: usize) {
        let (b, c, d) = (&ranks[shift..], &ranks[second..], &ranks[shift + second..]);
        for ((((minimum, a), b), c), d) in minima.iter_mut().zip(ranks).zip(b).zip(c).zip(d) {
            *minimum = *a.min(b).min(c.min(d));
        }
    }
}

vectorized! {
    fn differ(ranks: &[u32], changes: &mut [u8]) {
        for (change, pair) in changes.iter_mut().zip(ranks.windows(2)) {
            *change = u8::from(pair[0] != pair[1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Check what the engine relies on: every window has one anchor within it, equal windows have it
    /// at the same offset, and runs hold one symbol.
    fn check(text: &[u8], window: usize, unit: usize) {
        let symbols: Vec<&[u8]> = text.chunks_exact(unit).collect();
        let mut offsets: HashMap<&[&[u8]], usize> = HashMap::new();
        let mut next = 0;
        Anchors::new(window, unit).each(text, |Anchor { place, first, last, run }| {
            assert_eq!(first, next);
            next = last + 1;
            for at in first..=last {
                let bytes = &symbols[at..at + window];
                let place = if run { at } else { place };
                assert!((at..at + window).contains(&place));
                assert!(!run || bytes.iter().all(|symbol| *symbol == bytes[0]));
                assert_eq!(*offsets.entry(bytes).or_insert(place - at), place - at);
            }
        });
        assert_eq!(next, (symbols.len() + 1).saturating_sub(window));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn equal_windows_have_equal_anchors(
            text in prop::collection::vec(prop::sample::select(b"ab".to_vec()), 0..300),
            window in 1_usize..60,
            unit in prop::sample::select(vec![1, 2, 4]),
        ) {
            check(&text, window, unit);
        }
    }

    #[test]
    fn texts_of_several_blocks_and_long_runs() {
        let mut text: Vec<u8> = (0..20_000_u32).map(|i| (i * i / 7 % 5) as u8).collect();
        text[6_000..9_000].fill(1);
        text.copy_within(5_000..12_000, 12_500);
        for window in [1, 2, 10, 100, 2_900, 19_999, 20_000] {
            check(&text, window, 1);
        }
    }
}
