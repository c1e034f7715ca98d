//! The winnowing engine: finds duplicate windows without sorting suffixes, in linear time.
//!
//! Four steps, each over the corpus in order:
//!
//! 1. *Count.* A window's k-gram of smallest hash, its minimiser, depends on the window's bytes alone.
//!    Copies of a window therefore have copies of its minimiser: a window can be a duplicate only if
//!    its minimiser stands at two places. Two bits per fingerprint count "never, once, more often".
//! 2. *Propose.* Windows whose minimiser stands at two places are the candidates (two in five on
//!    English documentation); they come in runs.
//! 3. *Find.* Candidates are grouped by a rolling hash modulo 2^61 - 1, one slice of the hash space
//!    at a time and in small tables, so memory is bounded and tables stay in the cache. Each candidate
//!    learns the first position of its group.
//! 4. *Verify.* Every candidate is compared with that position, byte by byte; a window that goes on
//!    where its left neighbour's copy goes on costs one byte. One mismatch, a collision of the rolling
//!    hash, and steps 3 and 4 run again with another base; after three the suffix array decides.
//!    So the result never depends on luck.
//!
//! Source: Schleimer, Wilkerson and Aiken, "Winnowing: Local Algorithms for Document Fingerprinting"
//! (2003); the exact use of it is our own.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use crate::exact_substring::{self as exact, Options, Ranges, Windows};
use crate::{Error, Result, suffix_windows};

struct Corpus {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Corpus {
    fn start(&self, document: usize) -> usize {
        if document == 0 { 0 } else { self.ends[document - 1] }
    }
}

/// The longest text: positions are 32 bits.
const MAX_TEXT_BYTES: usize = u32::MAX as usize;
/// Most k-grams in a window; a longer window takes longer k-grams instead.
const MAX_GRAMS: usize = 4096;
/// Low bits of a packed k-gram that hold its offset, below `2 * MAX_GRAMS`.
const OFFSET_BITS: u32 = 13;
/// Candidates grouped at a time: 16 bytes each.
const SLICE_CANDIDATES: usize = 1 << 25;
/// Tables per slice, as a power of two.
const PARTITION_BITS: u32 = 9;
/// The modulus of the rolling hash, a Mersenne prime.
const MODULUS: u64 = (1 << 61) - 1;
/// Bases of the rolling hash, one per attempt (digits of pi, e and the golden ratio).
const BASES: [u64; 3] = [0x0243_F6A8_885A_308D, 0x0AB7_E151_628A_ED2A, 0x0E37_79B9_7F4A_7C15];
/// Multiplier of the k-gram hash and of the mixers: 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// Past this window size a changed diagonal is settled by lookup before bytes are compared, so that
/// a corpus of one repeated byte stays linear.
const LONG_WINDOW: usize = 512;

/// Push every duplicate window of the corpus and its first occurrence, in ascending order.
///
/// # Errors
///
/// [`Error::Parameter`] when the corpus has more than 2^32 - 1 bytes.
pub(crate) fn find(
    outer: &exact::Corpus<'_>,
    options: &Options<'_>,
    ranges: &mut Ranges<'_>,
) -> Result<()> {
    let min_bytes = options.min_bytes;
    let corpus = &Corpus {
        text: outer.documents().concat(),
        ends: (0..outer.documents().len()).map(|i| outer.end(i) as usize).collect(),
    };
    if corpus.text.len() > MAX_TEXT_BYTES {
        return Err(Error::Parameter {
            name: "texts",
            value: format!("{} bytes", corpus.text.len()),
            allowed: "at most 4,294,967,295 bytes with engine winnowing; engine suffix-array takes more",
        });
    }
    let blocks = document_blocks(corpus);
    let counts = count_places(corpus, min_bytes, &blocks);
    let runs = propose(corpus, min_bytes, &blocks, &counts);
    drop(counts);
    for base in BASES {
        let first = first_occurrences(corpus, min_bytes, &runs, base);
        if verify(corpus, min_bytes, &runs, &first) {
            for (candidate, start) in positions(&runs) {
                let twin = first[candidate].load(Relaxed) as usize;
                if twin < start {
                    let (start, first) = (start as u64, twin as u64);
                    ranges.push(Windows { start, last: start, first });
                }
            }
            return Ok(());
        }
    }
    suffix_windows::find(outer, options, ranges)
}

/// Ranges of documents of about equal bytes, for the threads to take.
fn document_blocks(corpus: &Corpus) -> Vec<std::ops::Range<usize>> {
    let block_bytes = corpus.text.len() / (8 * rayon::current_num_threads()) + 1;
    let mut blocks = Vec::new();
    let mut from = 0;
    for (document, &end) in corpus.ends.iter().enumerate() {
        if end - corpus.start(from) >= block_bytes || document + 1 == corpus.ends.len() {
            blocks.push(from..document + 1);
            from = document + 1;
        }
    }
    blocks
}

// ---- 1. count ----

/// How often each fingerprint stands in the corpus, up to two; fingerprints that share a slot add up,
/// which costs candidates and never loses one.
struct Counts {
    once: Vec<AtomicU64>,
    twice: Vec<AtomicU64>,
    shift: u32,
}

impl Counts {
    fn new(text_bytes: usize) -> Self {
        let bits = text_bytes.next_power_of_two().max(64).trailing_zeros();
        let zeros = || (0..1_usize << (bits - 6)).map(|_| AtomicU64::new(0)).collect();
        Self { once: zeros(), twice: zeros(), shift: 64 - bits }
    }

    fn slot(&self, fingerprint: u64) -> (usize, u64) {
        let slot = fingerprint.wrapping_mul(GOLDEN) >> self.shift;
        ((slot / 64) as usize, 1 << (slot % 64))
    }

    fn add(&self, fingerprint: u64) {
        let (word, bit) = self.slot(fingerprint);
        if self.once[word].fetch_or(bit, Relaxed) & bit != 0 {
            self.twice[word].fetch_or(bit, Relaxed);
        }
    }

    fn repeats(&self, fingerprint: u64) -> bool {
        let (word, bit) = self.slot(fingerprint);
        self.twice[word].load(Relaxed) & bit != 0
    }
}

fn count_places(corpus: &Corpus, min_bytes: usize, blocks: &[std::ops::Range<usize>]) -> Counts {
    let counts = Counts::new(corpus.text.len());
    blocks.par_iter().for_each_init(
        || Minimizers::new(min_bytes),
        |minimizers, block| {
            for document in block.clone() {
                let text = &corpus.text[corpus.start(document)..corpus.ends[document]];
                let mut last = usize::MAX;
                minimizers.each(text, |_, place, fingerprint| {
                    if place != last {
                        counts.add(fingerprint);
                        last = place;
                    }
                });
            }
        },
    );
    counts
}

/// Gives each window of a text its minimiser; keeps its buffers between texts.
struct Minimizers {
    k: usize,
    /// K-grams per window.
    grams: usize,
    /// Smallest k-gram of the previous block from each offset on.
    suffix_minima: Vec<u64>,
    block: Vec<u64>,
    /// `(byte + 1) * GOLDEN^k`: what a byte that leaves the k-gram takes away.
    leaving: [u64; 256],
}

impl Minimizers {
    fn new(min_bytes: usize) -> Self {
        // k = 0.55 of the window: shorter k-grams repeat more often by chance, longer ones give more
        // places to count.
        let grams = (min_bytes * 9 / 20 + 1).min(MAX_GRAMS);
        let k = min_bytes - grams + 1;
        let power = GOLDEN.wrapping_pow(k as u32);
        let leaving = std::array::from_fn(|byte| (byte as u64 + 1).wrapping_mul(power));
        Self { k, grams, suffix_minima: vec![0; grams], block: vec![0; grams], leaving }
    }

    /// Call `visit(window start, place of its minimiser, fingerprint)` for each window of `text`.
    ///
    /// Sliding minimum by blocks of `grams` (van Herk 1992; Gil and Werman 1993): a window is the end
    /// of one block and the beginning of the next. A k-gram is packed with its offset below the hash,
    /// so of equal hashes the leftmost is the minimum.
    fn each(&mut self, text: &[u8], mut visit: impl FnMut(usize, usize, u64)) {
        let Self { k, grams, .. } = *self;
        if text.len() < k + grams - 1 {
            return;
        }
        let n_grams = text.len() - k + 1;
        let mut hash = text[..k - 1]
            .iter()
            .fold(0_u64, |hash, &byte| hash.wrapping_mul(GOLDEN).wrapping_add(u64::from(byte) + 1));
        let mut roll = |gram: usize, leaving: &[u64; 256]| {
            hash = hash.wrapping_mul(GOLDEN).wrapping_add(u64::from(text[gram + k - 1]) + 1);
            if gram > 0 {
                hash = hash.wrapping_sub(leaving[usize::from(text[gram - 1])]);
            }
            (hash ^ (hash >> 32)).wrapping_mul(GOLDEN) >> OFFSET_BITS << OFFSET_BITS
        };
        let mut report = |base: usize, start: usize, packed: u64| {
            let offset = (packed & ((1 << OFFSET_BITS) - 1)) as usize;
            visit(start, base + offset, packed >> OFFSET_BITS);
        };
        for (offset, packed) in self.suffix_minima.iter_mut().enumerate() {
            *packed = roll(offset, &self.leaving) | offset as u64;
        }
        suffix_minima(&mut self.suffix_minima);
        let mut base = 0;
        loop {
            let next = base + grams;
            let in_block = grams.min(n_grams - next);
            let mut prefix_minimum = u64::MAX;
            for offset in 0..in_block {
                let minimum = self.suffix_minima[offset].min(prefix_minimum);
                report(base, base + offset, minimum);
                let packed = roll(next + offset, &self.leaving) | offset as u64;
                self.block[offset] = packed;
                prefix_minimum = prefix_minimum.min(packed + grams as u64);
            }
            if in_block < grams {
                let minimum = self.suffix_minima[in_block].min(prefix_minimum);
                report(base, base + in_block, minimum);
                return;
            }
            suffix_minima(&mut self.block);
            std::mem::swap(&mut self.block, &mut self.suffix_minima);
            base = next;
        }
    }
}

fn suffix_minima(block: &mut [u64]) {
    let mut minimum = u64::MAX;
    for packed in block.iter_mut().rev() {
        minimum = minimum.min(*packed);
        *packed = minimum;
    }
}

// ---- 2. propose ----

/// Neighboring candidate windows of one document.
#[derive(Clone, Copy)]
struct Run {
    /// First window.
    start: u32,
    /// Number of windows.
    length: u32,
    /// Candidates in all runs before this one.
    before: usize,
}

fn propose(
    corpus: &Corpus,
    min_bytes: usize,
    blocks: &[std::ops::Range<usize>],
    counts: &Counts,
) -> Vec<Run> {
    let found: Vec<Vec<Run>> = blocks
        .par_iter()
        .map_init(
            || Minimizers::new(min_bytes),
            |minimizers, block| {
                let mut runs = Vec::new();
                for document in block.clone() {
                    propose_in(corpus, document, minimizers, counts, &mut runs);
                }
                runs
            },
        )
        .collect();
    let mut runs = Vec::with_capacity(found.iter().map(Vec::len).sum());
    let mut before = 0;
    for run in found.into_iter().flatten() {
        runs.push(Run { before, ..run });
        before += run.length as usize;
    }
    runs
}

fn propose_in(
    corpus: &Corpus,
    document: usize,
    minimizers: &mut Minimizers,
    counts: &Counts,
    runs: &mut Vec<Run>,
) {
    let base = corpus.start(document);
    let (mut last, mut repeats, mut open) = (usize::MAX, false, None::<Run>);
    minimizers.each(&corpus.text[base..corpus.ends[document]], |window, place, fingerprint| {
        if place != last {
            last = place;
            repeats = counts.repeats(fingerprint);
            if !repeats {
                runs.extend(open.take());
            }
        }
        if repeats {
            let start = (base + window) as u32;
            open.get_or_insert(Run { start, length: 0, before: 0 }).length += 1;
        }
    });
    runs.extend(open);
}

/// All candidates in order: their number and their position.
fn positions(runs: &[Run]) -> impl Iterator<Item = (usize, usize)> {
    runs.iter()
        .flat_map(|run| (0..run.length as usize).map(|i| (run.before + i, run.start as usize + i)))
}

/// The number of the candidate at `position`, if there is one.
fn candidate_at(runs: &[Run], position: usize) -> Option<usize> {
    let after = runs.partition_point(|run| run.start as usize <= position);
    let run = runs.get(after.checked_sub(1)?)?;
    let offset = position - run.start as usize;
    (offset < run.length as usize).then_some(run.before + offset)
}

// ---- 3. find ----

/// A candidate window; its number fits 32 bits because there are no more candidates than bytes.
#[derive(Clone, Copy)]
struct Candidate {
    hash: u64,
    number: u32,
    position: u32,
}

/// For each candidate the first position whose window has the same rolling hash.
fn first_occurrences(corpus: &Corpus, min_bytes: usize, runs: &[Run], base: u64) -> Vec<AtomicU32> {
    let n_candidates = runs.last().map_or(0, |run| run.before + run.length as usize);
    let first: Vec<AtomicU32> = (0..n_candidates).map(|_| AtomicU32::new(0)).collect();
    let n_slices = n_candidates.div_ceil(SLICE_CANDIDATES) as u64;
    let n_blocks = 4 * rayon::current_num_threads();
    let rolling = Rolling::new(base, min_bytes);
    for slice in 0..n_slices {
        let blocks: Vec<Vec<Vec<Candidate>>> = runs
            .par_chunks(runs.len().div_ceil(n_blocks))
            .map(|runs| scatter(corpus, runs, &rolling, slice, n_slices))
            .collect();
        (0..1_usize << PARTITION_BITS).into_par_iter().for_each_init(
            Vec::new,
            |table, partition| {
                group(blocks.iter().map(|block| block[partition].as_slice()), table, &first);
            },
        );
    }
    first
}

/// Sort the candidates of one slice of the hash space into partitions.
fn scatter(
    corpus: &Corpus,
    runs: &[Run],
    rolling: &Rolling,
    slice: u64,
    n_slices: u64,
) -> Vec<Vec<Candidate>> {
    let n_candidates: usize = runs.iter().map(|run| run.length as usize).sum();
    let expected = (n_candidates / n_slices as usize) >> PARTITION_BITS;
    let mut partitions: Vec<Vec<Candidate>> =
        (0..1 << PARTITION_BITS).map(|_| Vec::with_capacity(expected + expected / 8)).collect();
    rolling.each(&corpus.text, runs, |number, position, hash| {
        let mixed = hash.wrapping_mul(GOLDEN);
        let place = u128::from(mixed) * u128::from(n_slices);
        if (place >> 64) as u64 == slice {
            let partition = (place as u64 >> (64 - PARTITION_BITS)) as usize;
            partitions[partition].push(Candidate {
                hash,
                number: number as u32,
                position: position as u32,
            });
        }
    });
    partitions
}

/// Write down the first position of each hash, with an open-addressing table.
fn group<'a>(
    blocks: impl Iterator<Item = &'a [Candidate]> + Clone,
    table: &mut Vec<(u64, u32)>,
    first: &[AtomicU32],
) {
    const FREE: u64 = u64::MAX; // no hash: those are below MODULUS
    let n_candidates: usize = blocks.clone().map(<[_]>::len).sum();
    let mask = (n_candidates * 2).next_power_of_two() - 1;
    table.clear();
    table.resize(mask + 1, (FREE, 0));
    for candidate in blocks.flatten() {
        let mut slot = (candidate.hash ^ candidate.hash >> 29) as usize & mask;
        while table[slot].0 != candidate.hash {
            if table[slot].0 == FREE {
                table[slot] = (candidate.hash, candidate.position);
                break;
            }
            slot = (slot + 1) & mask;
        }
        first[candidate.number as usize].store(table[slot].1, Relaxed);
    }
}

/// The polynomial hash of a window modulo 2^61 - 1.
struct Rolling {
    base: u64,
    window: usize,
    /// `-(byte + 1) * base^window`: what a byte that leaves the window takes away.
    leaving: [u64; 256],
}

impl Rolling {
    fn new(base: u64, window: usize) -> Self {
        let mut power = 1;
        for _ in 0..window {
            power = multiply(power, base);
        }
        let leaving = std::array::from_fn(|byte| MODULUS - multiply(power, byte as u64 + 1));
        Self { base, window, leaving }
    }

    /// Call `visit(number, position, hash)` for each candidate. A short gap between runs is rolled
    /// over, a long one starts afresh, so the cost is linear in the text at worst.
    fn each(&self, text: &[u8], runs: &[Run], mut visit: impl FnMut(usize, usize, u64)) {
        let (mut hash, mut at) = (0, None::<usize>);
        for run in runs {
            let start = run.start as usize;
            match at {
                Some(from) if start - from < self.window => {
                    for position in from..start {
                        hash = self.roll(hash, text, position);
                    }
                }
                _ => {
                    hash = text[start..start + self.window]
                        .iter()
                        .fold(0, |hash, &byte| self.append(hash, byte, 0));
                }
            }
            visit(run.before, start, hash);
            for i in 1..run.length as usize {
                hash = self.roll(hash, text, start + i - 1);
                visit(run.before + i, start + i, hash);
            }
            at = Some(start + run.length as usize - 1);
        }
    }

    /// From the window at `position` to the next.
    fn roll(&self, hash: u64, text: &[u8], position: usize) -> u64 {
        let leaving = self.leaving[usize::from(text[position])];
        self.append(hash, text[position + self.window], leaving)
    }

    fn append(&self, hash: u64, byte: u8, leaving: u64) -> u64 {
        let product = u128::from(hash) * u128::from(self.base);
        let sum =
            (product as u64 & MODULUS) + (product >> 61) as u64 + u64::from(byte) + 1 + leaving;
        reduce(sum)
    }
}

/// `sum` modulo 2^61 - 1, canonical.
fn reduce(sum: u64) -> u64 {
    let once = (sum & MODULUS) + (sum >> 61);
    if once >= MODULUS { once - MODULUS } else { once }
}

fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    reduce((product as u64 & MODULUS) + (product >> 61) as u64)
}

// ---- 4. verify ----

/// Whether every candidate's window really equals that of its first position.
///
/// A window that follows a verified one, `p - 1` equal to `f - 1`, equals the window at `f` when one
/// more byte agrees. When its first position is another one, the window at `f` is an earlier member
/// of the same group and vouches for it.
fn verify(corpus: &Corpus, min_bytes: usize, runs: &[Run], first: &[AtomicU32]) -> bool {
    let text = &corpus.text;
    let first_of = |candidate: usize| first[candidate].load(Relaxed) as usize;
    let equal = |p: usize, f: usize| text[p..p + min_bytes] == text[f..f + min_bytes];
    let last_byte_equal = |p: usize, f: usize| text[p + min_bytes - 1] == text[f + min_bytes - 1];
    let vouched = |p: usize, neighbor: usize, twin: usize| {
        min_bytes > LONG_WINDOW
            && neighbor + min_bytes <= text.len()
            && last_byte_equal(p, neighbor)
            && candidate_at(runs, neighbor).is_some_and(|member| first_of(member) == twin)
    };
    runs.par_iter().all(|run| {
        let mut neighbor = None;
        (0..run.length as usize).all(|i| {
            let (position, twin) = (run.start as usize + i, first_of(run.before + i));
            let fine = twin == position
                || match neighbor {
                    Some(next) if next == twin => last_byte_equal(position, twin),
                    Some(next) => vouched(position, next, twin) || equal(position, twin),
                    None => equal(position, twin),
                };
            neighbor = (twin < position).then_some(twin + 1);
            fine
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_window_gets_the_leftmost_smallest_kgram() {
        let text: Vec<u8> = (0..3000_u32).map(|i| (i * i / 7 % 5) as u8).collect();
        for min_bytes in [1, 2, 3, 10, 100, 2999, 3000, 3001] {
            let mut minimizers = Minimizers::new(min_bytes);
            let (k, grams) = (minimizers.k, minimizers.grams);
            let hash = |gram: usize| {
                let hash = text[gram..gram + k].iter().fold(0_u64, |hash, &byte| {
                    hash.wrapping_mul(GOLDEN).wrapping_add(u64::from(byte) + 1)
                });
                (hash ^ (hash >> 32)).wrapping_mul(GOLDEN) >> OFFSET_BITS
            };
            let mut n_windows = 0;
            minimizers.each(&text, |start, place, fingerprint| {
                assert_eq!(start, n_windows);
                n_windows += 1;
                let smallest = (start..start + grams).min_by_key(|&gram| (hash(gram), gram));
                assert_eq!((Some(place), fingerprint), (smallest, hash(place)));
            });
            assert_eq!(n_windows, (text.len() + 1).saturating_sub(min_bytes));
        }
    }

    #[test]
    fn a_wrong_first_position_is_noticed() {
        let text = b"abcdabcdabce".to_vec();
        let corpus = Corpus { ends: vec![text.len()], text };
        let runs = [Run { start: 0, length: 9, before: 0 }];
        let firsts = |values: [u32; 9]| values.map(AtomicU32::new);
        assert!(verify(&corpus, 4, &runs, &firsts([0, 1, 2, 3, 0, 1, 2, 3, 8])));
        assert!(!verify(&corpus, 4, &runs, &firsts([0, 1, 2, 3, 0, 1, 2, 3, 4])));
        assert!(!verify(&corpus, 4, &runs, &firsts([0, 1, 2, 3, 1, 1, 2, 3, 8])));
    }

    #[test]
    fn the_rolling_hash_is_the_same_rolled_and_fresh() {
        let text: Vec<u8> = (0..500_u32).map(|i| (i * 37 % 251) as u8).collect();
        let rolling = Rolling::new(BASES[0], 40);
        let fresh = |at: usize| {
            text[at..at + 40].iter().fold(0, |hash, &byte| rolling.append(hash, byte, 0))
        };
        let runs = [
            Run { start: 3, length: 5, before: 0 },
            Run { start: 20, length: 1, before: 5 },
            Run { start: 300, length: 100, before: 6 },
        ];
        let mut seen = Vec::new();
        rolling.each(&text, &runs, |number, position, hash| {
            assert_eq!(hash, fresh(position));
            seen.push((number, position));
        });
        assert_eq!(seen, positions(&runs).collect::<Vec<_>>());
    }
}
