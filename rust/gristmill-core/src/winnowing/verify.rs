//! Proves claims of duplicate windows byte by byte, and joins them where the copies go on together.
//!
//! Claims are taken in the order of the corpus. One that continues where the last one's copy
//! continues costs the comparison of the bytes that are new; only where that copy ends is the
//! claim's own twin looked at.

use super::entries::POSITION_BITS;
use crate::exact_substring::{Corpus, Windows};
use crate::overlap::shared_prefix;

/// Most windows in a claim.
pub(super) const MAX_CLAIMED: usize = 1 << 18;

/// So many neighbouring windows equal those from `twin` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// Position of the first window.
    pub(super) start: u64,
    pub(super) n_windows: usize,
    /// Position of its copy, before it.
    pub(super) twin: u64,
    /// Whether their bytes have been compared.
    pub(super) proven: bool,
}

impl Claim {
    /// Whether the window at `start` and its copy at `twin` come right after these.
    pub(super) fn is_followed_by(&self, start: u64, twin: u64, unit: usize) -> bool {
        let length = (self.n_windows * unit) as u64;
        (self.start + length, self.twin + length) == (start, twin)
    }

    /// Four words, in the order of `start`.
    pub(super) fn pack(self) -> [u32; 4] {
        const { assert!(POSITION_BITS + 20 == 64 && MAX_CLAIMED < 1 << 19) };
        let what = self.start << 20 | (self.n_windows as u64) << 1 | u64::from(self.proven);
        [(what >> 32) as u32, what as u32, (self.twin >> 32) as u32, self.twin as u32]
    }

    pub(super) fn unpack([a, b, c, d]: [u32; 4]) -> Self {
        let what = u64::from(a) << 32 | u64::from(b);
        Self {
            start: what >> 20,
            n_windows: (what >> 1) as usize & ((1 << 19) - 1),
            twin: u64::from(c) << 32 | u64::from(d),
            proven: what & 1 == 1,
        }
    }
}

/// A stretch of the corpus and an earlier copy of it, compared up to `end`.
struct Copy<'a> {
    /// What follows in both documents.
    rest: &'a [u8],
    twin_rest: &'a [u8],
    /// Position of the rest.
    end: u64,
}

/// Turns claims into windows that are disjoint, in order and proven.
pub(super) struct Proof<'a> {
    corpus: &'a Corpus<'a>,
    window: u64,
    unit: u64,
    copy: Option<Copy<'a>>,
    windows: Vec<Windows>,
    /// Bytes of text from files that may be touched before they are let go; all when absent.
    resident_bytes: Option<usize>,
    touched_bytes: usize,
}

/// What the system maps around a place of a file that is touched.
const TOUCHED_BYTES: usize = 1 << 16;

impl<'a> Proof<'a> {
    pub(super) fn new(
        corpus: &'a Corpus<'a>,
        window: usize,
        resident_bytes: Option<usize>,
    ) -> Self {
        Self {
            corpus,
            window: window as u64,
            unit: corpus.unit() as u64,
            copy: None,
            windows: Vec::new(),
            resident_bytes,
            touched_bytes: 0,
        }
    }

    /// Take the next claim, in ascending order; whether it holds.
    #[must_use]
    pub(super) fn take(&mut self, claim: Claim) -> bool {
        let end = claim.start + claim.n_windows as u64 * self.unit;
        let mut from = claim.start;
        if let Some(last) = self.windows.last() {
            from = from.max(last.last + self.unit);
            if from >= end {
                return true;
            }
            let follows = from == last.last + self.unit;
            if follows {
                from = self.follow(end - self.unit);
                if from == end {
                    return true;
                }
            }
        }
        self.jump(Claim {
            start: from,
            n_windows: ((end - from) / self.unit) as usize,
            twin: claim.twin + (from - claim.start),
            ..claim
        })
    }

    /// Follow the copy up to the window at `last`; the first window that it does not reach.
    fn follow(&mut self, last: u64) -> u64 {
        let (Some(copy), Some(windows)) = (&mut self.copy, self.windows.last_mut()) else {
            return last;
        };
        let wanted = (last + self.window).saturating_sub(copy.end) as usize;
        let rest = &copy.rest[..wanted.min(copy.rest.len())];
        let same = shared_prefix(rest, copy.twin_rest) / self.unit as usize * self.unit as usize;
        copy.rest = &copy.rest[same..];
        copy.twin_rest = &copy.twin_rest[same..];
        copy.end += same as u64;
        windows.last = windows.last.max((copy.end - self.window).min(last));
        windows.last + self.unit
    }

    /// Compare the claim with its own twin.
    fn jump(&mut self, claim: Claim) -> bool {
        self.touch();
        let length = self.window as usize + (claim.n_windows - 1) * self.unit as usize;
        let (rest, twin_rest) = (self.corpus.rest(claim.start), self.corpus.rest(claim.twin));
        let (Some(bytes), Some(twin)) = (rest.get(..length), twin_rest.get(..length)) else {
            return false;
        };
        if !claim.proven && bytes != twin {
            return false;
        }
        let end = claim.start + length as u64;
        self.copy = Some(Copy { rest: &rest[length..], twin_rest: &twin_rest[length..], end });
        let last = end - self.window;
        self.windows.push(Windows { start: claim.start, last, first: claim.twin });
        true
    }

    /// Let go of text from files now and then.
    fn touch(&mut self) {
        self.touched_bytes += TOUCHED_BYTES;
        if self.resident_bytes.is_some_and(|allowed| self.touched_bytes > allowed) {
            self.corpus.release();
            self.touched_bytes = 0;
        }
    }

    pub(super) fn finish(self) -> Vec<Windows> {
        self.windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "abcdefgh--abcdefgh..abcdXfgh";

    fn prove(claims: &[Claim]) -> Option<Vec<Windows>> {
        let corpus = Corpus::of_texts(&[TEXT]);
        let mut proof = Proof::new(&corpus, 4, None);
        claims.iter().all(|claim| proof.take(*claim)).then(|| proof.finish())
    }

    fn claim(start: u64, n_windows: usize, twin: u64) -> Claim {
        Claim { start, n_windows, twin, proven: false }
    }

    #[test]
    fn claims_are_joined_along_a_copy() {
        // The second claim names another copy, but the first one's goes on.
        let windows = prove(&[claim(10, 2, 0), claim(12, 3, 2), claim(20, 1, 10)]);
        let joined = Windows { start: 10, last: 14, first: 0 };
        assert_eq!(windows, Some(vec![joined, Windows { start: 20, last: 20, first: 10 }]));
    }

    #[test]
    fn a_wrong_claim_is_noticed() {
        assert_eq!(prove(&[claim(20, 2, 0)]), None);
        assert_eq!(prove(&[claim(10, 5, 0), claim(20, 1, 0), claim(21, 1, 11)]), None);
        assert_eq!(prove(&[claim(11, 1, 0)]), None);
        assert_eq!(prove(&[claim(20, 9, 10)]), None); // beyond the end
    }

    #[test]
    fn the_largest_claim_can_be_packed() {
        let start = (1 << POSITION_BITS) - 1;
        for proven in [false, true] {
            let claim = Claim { start, n_windows: MAX_CLAIMED, twin: start - 1, proven };
            assert_eq!(Claim::unpack(claim.pack()), claim);
        }
    }
}
