//! Splits text into lower-cased words and hashes their n-grams as they stream by; no string is built.
//!
//! A word is a longest run of letters, digits, combining marks and underscores, as regular expressions'
//! `\w+` has it, in lower case. Scripts written without spaces (Chinese, Japanese, Thai, Lao, Khmer,
//! Burmese, Tibetan) have no such runs: there each character is a word, so that word n-grams are
//! character n-grams.
//!
//! Bytes that can belong to a word are found 64 at a time (`mask`); between them lie runs. A run of
//! ASCII is a word, hashed by two loads that set the bit of lower case in passing; any other goes
//! through its characters (`wide`).

use std::ops::Range;

use crate::simd::Simd;

mod mask;
mod wide;

use mask::BLOCK;
use wide::WideWord;

/// Multiplier of the n-gram hash: 2^64 over the golden ratio.
pub(crate) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// Another multiplier, which differs in its lowest bits too.
const OTHER: u64 = 0xC2B2_AE3D_27D4_EB4B;
/// What the two halves of a word are mixed with; no text has these bytes.
const SEEDS: [u64; 2] = [0xA409_3822_299F_31D0, 0x9B05_688C_EC4E_6C89];

/// Bytes of text whose words are gathered before their n-grams are made: all of it stays in the L1
/// cache.
const PORTION: usize = 4_096;

/// Spread the bits of `hash` (the finalizer of splitmix64, Steele et al. 2014).
#[inline]
pub fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

const BITS_OUTSIDE_ASCII: u64 = 0x8080_8080_8080_8080;

/// The bit of lower case in each byte.
const LOWER: u64 = 0x2020_2020_2020_2020;

/// For each length up to 16, which bits of two words its bytes fill.
static KEEP: [[u64; 2]; 17] = {
    let mut masks = [[0; 2]; 17];
    let mut length = 0;
    while length < 17 {
        let bits = if length == 16 { u128::MAX } else { (1 << (8 * length)) - 1 };
        masks[length] = [bits as u64, (bits >> 64) as u64];
        length += 1;
    }
    masks
};

/// The first `length` of some bytes, zeros after them.
#[inline]
fn halves(bytes: &[u8; 16], length: usize) -> [u64; 2] {
    let whole = u128::from_le_bytes(*bytes);
    let keep = KEEP[length];
    [whole as u64 & keep[0], (whole >> 64) as u64 & keep[1]]
}

/// Mix a word's next 16 bytes into its hash (the folded multiplication of Wang Yi's wyhash).
#[inline]
fn fold(hash: u64, [low, high]: [u64; 2]) -> u64 {
    let product = u128::from(hash ^ low ^ SEEDS[0]) * u128::from(high ^ SEEDS[1]);
    product as u64 ^ (product >> 64) as u64
}

/// The hash of a word given in lower case. Setting the bit of lower case in all ASCII changes no
/// letter and no digit, and makes of the underscore a byte that no word has.
fn hash_word(word: &[u8]) -> u64 {
    word.chunks(16).fold(0, |hash, chunk| {
        let mut bytes = [0; 16];
        bytes[..chunk.len()].copy_from_slice(chunk);
        fold(hash, halves(&bytes, chunk.len()).map(lower))
    })
}

/// Set the bit of lower case in the bytes of ASCII that are there.
#[inline]
fn lower(half: u64) -> u64 {
    // 0x7F is added to each byte's lower bits, so its highest bit tells whether the byte is zero.
    let present = (half & !BITS_OUTSIDE_ASCII).wrapping_add(!BITS_OUTSIDE_ASCII) | half;
    half | (present & !half & BITS_OUTSIDE_ASCII) >> 2
}

/// A text whose words are taken portion by portion.
struct Portions<'a> {
    text: &'a [u8],
    /// Where the next portion starts.
    at: usize,
    /// Where the run that reaches into it starts.
    open: Option<usize>,
}

impl<'a> Portions<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, open: None }
    }
}

/// Finds words; keeps its buffers between texts.
#[derive(Debug)]
struct Scan {
    simd: Simd,
    masks: Vec<u64>,
    /// Where runs start and end.
    runs: Vec<(usize, usize)>,
    wide: WideWord,
}

impl Scan {
    fn new(simd: Simd) -> Self {
        Self { simd, masks: Vec::new(), runs: Vec::new(), wide: WideWord::default() }
    }

    /// Append the hashes of the words of the next portion; the last may reach into it, and one that
    /// reaches out is left to the next. False when there is no further portion.
    fn portion(&mut self, portions: &mut Portions<'_>, words: &mut Vec<u64>) -> bool {
        if portions.at >= portions.text.len() {
            return false;
        }
        self.find_runs(portions);
        words.reserve(self.runs.len());
        for &(start, end) in &self.runs {
            match hash_ascii(portions.text, start, end) {
                Some(word) => words.push(word),
                None => self.wide.split(&portions.text[start..end], |word, _| words.push(word)),
            }
        }
        true
    }

    /// Find the runs that end in the next portion, or at the end of the text.
    fn find_runs(&mut self, portions: &mut Portions<'_>) {
        let end = (portions.at + PORTION).min(portions.text.len());
        mask::word_bytes(self.simd, &portions.text[portions.at..end], &mut self.masks);
        self.runs.clear();
        let mut start = portions.open.unwrap_or(0);
        let mut is_open = u64::from(portions.open.is_some());
        for (mask, base) in self.masks.iter().zip((portions.at..).step_by(BLOCK)) {
            // A bit is set where a run begins or ends.
            let mut edges = mask ^ (mask << 1 | is_open);
            let mut next = || {
                let at = base + edges.trailing_zeros() as usize;
                let is_edge = edges != 0;
                edges &= edges.wrapping_sub(1);
                is_edge.then_some(at)
            };
            if is_open == 1
                && let Some(end) = next()
            {
                self.runs.push((start, end));
            }
            while let Some(begin) = next() {
                start = begin;
                if let Some(end) = next() {
                    self.runs.push((start, end));
                }
            }
            is_open = mask >> 63;
        }
        portions.open = (is_open == 1).then_some(start);
        if end == portions.text.len() && is_open == 1 {
            self.runs.push((start, end));
        }
        portions.at = end;
    }
}

/// The hash of a run that is a word of ASCII.
#[inline]
fn hash_ascii(text: &[u8], start: usize, end: usize) -> Option<u64> {
    let length = end - start;
    if length <= 16
        && let Some(bytes) = text[start..].first_chunk()
    {
        let (halves, keep) = (halves(bytes, length), KEEP[length]);
        let is_ascii = (halves[0] | halves[1]) & BITS_OUTSIDE_ASCII == 0;
        return is_ascii
            .then(|| fold(0, [halves[0] | keep[0] & LOWER, halves[1] | keep[1] & LOWER]));
    }
    let run = &text[start..end];
    run.is_ascii().then(|| hash_word(run))
}

/// Call `visit` with the hash of each lower-cased word of `text`, in order.
pub fn each_word(text: impl AsRef<[u8]>, mut visit: impl FnMut(u64)) {
    WordHashes::default().each_portion(text, |words| words.iter().copied().for_each(&mut visit));
}

/// Hashes the lower-cased words of texts; keeps its buffers between them.
#[derive(Debug)]
pub struct WordHashes {
    scan: Scan,
    words: Vec<u64>,
}

impl Default for WordHashes {
    fn default() -> Self {
        Self { scan: Scan::new(Simd::widest()), words: Vec::new() }
    }
}

impl WordHashes {
    /// Call `visit` with the hashes of the words of `text`, in order, a few thousand at a time.
    pub fn each_portion(&mut self, text: impl AsRef<[u8]>, mut visit: impl FnMut(&[u64])) {
        let mut portions = Portions::new(text.as_ref());
        self.words.clear();
        while self.scan.portion(&mut portions, &mut self.words) {
            visit(&self.words);
            self.words.clear();
        }
    }
}

/// Finds the words of texts; keeps its buffers between texts.
#[derive(Debug)]
pub struct Words(Scan);

impl Default for Words {
    fn default() -> Self {
        Self(Scan::new(Simd::widest()))
    }
}

impl Words {
    /// Replace `words` by the hash of each lower-cased word of `text`, in order.
    pub fn hash(&mut self, text: &str, words: &mut Vec<u64>) {
        words.clear();
        let mut portions = Portions::new(text.as_bytes());
        while self.0.portion(&mut portions, words) {}
    }

    /// The bytes of the same words.
    pub fn spans(&mut self, text: &str) -> Vec<Range<usize>> {
        let (mut portions, mut spans) = (Portions::new(text.as_bytes()), Vec::new());
        while portions.at < portions.text.len() {
            self.0.find_runs(&mut portions);
            for &(start, end) in &self.0.runs {
                let run = &portions.text[start..end];
                if run.is_ascii() {
                    spans.push(start..end);
                } else {
                    let visit = |_, at: Range<usize>| spans.push(start + at.start..start + at.end);
                    self.0.wide.split(run, visit);
                }
            }
        }
        spans
    }
}

/// What [`Shingler`] says of a text besides its shingles: equal for two texts when their words are
/// equal (to 128 bits of hash), or, for texts without words, when they are identical.
pub type Identity = (u64, u64);

/// Makes the set of word n-gram hashes of a text; keeps its buffers between texts.
#[derive(Debug)]
pub struct Shingler {
    ngram: usize,
    scan: Scan,
    words: Vec<u64>,
    shingles: Vec<u64>,
    /// `GOLDEN^ngram`: weighs the word that leaves the n-gram.
    leaving: u64,
}

impl Shingler {
    /// Make a shingler of n-grams of `ngram` words, at least one.
    pub fn new(ngram: usize) -> Self {
        Self::with(ngram, Simd::widest())
    }

    /// As [`Shingler::new`], with instructions that the machine must have.
    pub fn with(ngram: usize, simd: Simd) -> Self {
        let leaving = (0..ngram).fold(1, |power: u64, _| power.wrapping_mul(GOLDEN));
        Self { ngram, scan: Scan::new(simd), words: Vec::new(), shingles: Vec::new(), leaving }
    }

    /// Replace `shingles` by the hashes of the word n-grams of `text`, in order of the text and with
    /// repeats. A text of fewer words is one shingle, all its words; a text without any word is one
    /// shingle too, its bytes, so it resembles nothing but itself.
    pub fn shingle(&mut self, text: impl AsRef<[u8]>, shingles: &mut Vec<u64>) -> Identity {
        shingles.clear();
        self.each_portion(text.as_ref(), |portion| shingles.extend_from_slice(portion))
    }

    /// Call `visit` with the same hashes, portion by portion, none of which is large.
    pub fn each_portion(&mut self, text: &[u8], mut visit: impl FnMut(&[u64])) -> Identity {
        self.words.clear();
        let mut portions = Portions::new(text);
        let (mut identity, mut any) = (SAME_WORDS, false);
        let mut n_known = 0;
        while self.scan.portion(&mut portions, &mut self.words) {
            identity = append_words(identity, &self.words[n_known..]);
            if self.words.len() >= self.ngram {
                self.hash_ngrams();
                visit(&self.shingles);
                any = true;
                self.words.drain(..self.words.len() + 1 - self.ngram);
            }
            n_known = self.words.len();
        }
        if any {
            return identity;
        }
        if self.words.is_empty() {
            let hash = xxhash_rust::xxh3::xxh3_128(text);
            identity = (hash as u64, (hash >> 64) as u64);
            visit(&[mix(hash as u64 ^ SEEDS[0])]);
        } else {
            visit(&[self.words.iter().fold(0, append)]);
        }
        identity
    }

    /// The hashes of all n-grams of `words`, each from the one before.
    fn hash_ngrams(&mut self) {
        let (first, next) = self.words.split_at(self.ngram);
        let mut hash = first.iter().fold(0, append);
        self.shingles.clear();
        self.shingles.push(hash);
        self.shingles.extend(next.iter().zip(&self.words).map(|(entering, leaving)| {
            // So parenthesized, only one multiplication and one addition wait for the hash before.
            let change = entering.wrapping_sub(leaving.wrapping_mul(self.leaving));
            hash = append(hash, &change);
            hash
        }));
    }
}

#[inline]
fn append(hash: u64, word: &u64) -> u64 {
    hash.wrapping_mul(GOLDEN).wrapping_add(*word)
}

/// The identity of no words.
const SAME_WORDS: Identity = (SEEDS[0], SEEDS[1]);

/// Two polynomials in the words, four words at a step so that the multiplications overlap.
fn append_words(identity: Identity, words: &[u64]) -> Identity {
    const fn powers(base: u64) -> [u64; 4] {
        let square = base.wrapping_mul(base);
        [square.wrapping_mul(square), square.wrapping_mul(base), square, base]
    }
    let four = |hash: u64, words: &[u64; 4], power: [u64; 4]| {
        hash.wrapping_mul(power[0])
            .wrapping_add(words[0].wrapping_mul(power[1]))
            .wrapping_add(words[1].wrapping_mul(power[2]))
            .wrapping_add(words[2].wrapping_mul(power[3]))
            .wrapping_add(words[3])
    };
    let one = |hash: u64, word: u64, base: u64| hash.wrapping_mul(base).wrapping_add(word);
    let (fours, rest) = words.as_chunks::<4>();
    let (golden, other) = (powers(GOLDEN), powers(OTHER));
    let start = fours
        .iter()
        .fold(identity, |(a, b), words| (four(a, words, golden), four(b, words, other)));
    rest.iter().fold(start, |(a, b), &word| (one(a, word, GOLDEN), one(b, word, OTHER)))
}
