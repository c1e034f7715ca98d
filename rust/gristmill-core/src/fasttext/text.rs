//! From the bytes of a text to its outputs.

use super::Model;
use super::dictionary::{END, HASH_OF_NOTHING, hash, step};
use super::matrix::add;
use super::unknown::Unknown;

const LABEL_PREFIX: &[u8] = b"__label__";
const NGRAM_FACTOR: u64 = 116_049_371;

/// Words that are hashed before the first of them is looked up.
const AHEAD: usize = 16;

#[derive(Clone, Copy)]
struct Word<'t> {
    bytes: &'t [u8],
    hash: u32,
}

/// What a thread needs again for each text.
pub(super) struct Scratch {
    sum: Vec<f64>,
    n_rows: u64,
    mean: Vec<f32>,
    outputs: Vec<f32>,
    /// The sum of one word that the vocabulary lacks, while it is made.
    part: Vec<f64>,
    bounded: Vec<u8>,
    unknown: Unknown,
    /// Hashes of the n-grams of words that end with the last word, from each of the words before.
    ngrams: Vec<u64>,
    n_hashed: usize,
}

/// Space, newline, carriage return, tab, vertical tab, form feed and zero, a bit each.
const SPACES: u64 = 1 << b' ' | 1 << b'\n' | 1 << b'\r' | 1 << b'\t' | 1 << 0x0B | 1 << 0x0C | 1;

#[inline]
fn is_space(byte: u8) -> bool {
    byte <= b' ' && SPACES >> byte & 1 == 1
}

/// The next word from `at` on, its hash, and where it ends.
#[inline]
fn next_word(text: &[u8], mut at: usize) -> Option<(&[u8], u32, usize)> {
    while is_space(*text.get(at)?) {
        at += 1;
    }
    let (start, mut hash) = (at, HASH_OF_NOTHING);
    while let Some(byte) = text.get(at).filter(|byte| !is_space(**byte)) {
        hash = step(hash, *byte);
        at += 1;
    }
    Some((&text[start..at], hash, at))
}

impl Model {
    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            sum: vec![0.0; self.rows.width],
            n_rows: 0,
            mean: vec![0.0; self.rows.width],
            outputs: vec![0.0; self.output.n_outputs],
            part: vec![0.0; self.rows.width],
            bounded: Vec::new(),
            unknown: Unknown::new(self.rows.width),
            ngrams: vec![0; self.ngrams.words - 1],
            n_hashed: 0,
        }
    }

    /// The outputs for a text, newlines taken as spaces; none when no row of the model is selected.
    pub(super) fn outputs<'s>(
        &self,
        text: &[u8],
        scratch: &'s mut Scratch,
    ) -> Option<&'s mut [f32]> {
        scratch.sum.fill(0.0);
        scratch.n_rows = 0;
        scratch.n_hashed = 0;
        self.add_words(text, scratch);
        if scratch.n_rows == 0 {
            return None;
        }
        let part = 1.0 / scratch.n_rows as f64;
        let sums = scratch.mean.iter_mut().zip(&scratch.sum);
        sums.for_each(|(mean, sum)| *mean = (sum * part) as f32);
        self.output.of(&scratch.mean, &mut scratch.outputs);
        Some(&mut scratch.outputs)
    }

    /// Words are hashed some at a time before the first of them is looked up: what the look-ups need
    /// is then on its way. A model of 74,000 words reads 243 MB/s of English text with `prefetch`,
    /// 179 without.
    fn add_words(&self, text: &[u8], scratch: &mut Scratch) {
        let none = Word { bytes: &[], hash: 0 };
        let (mut ahead, mut at) = ([none; AHEAD], 0);
        loop {
            let mut n_ahead = 0;
            while n_ahead < AHEAD
                && let Some((bytes, hash, end)) = next_word(text, at)
            {
                self.dictionary.prefetch(hash);
                ahead[n_ahead] = Word { bytes, hash };
                (n_ahead, at) = (n_ahead + 1, end);
            }
            for word in &ahead[..n_ahead] {
                self.add_word(word, scratch);
                if word.bytes == END {
                    return;
                }
            }
            if n_ahead < AHEAD {
                break;
            }
        }
        let hash = hash(END);
        self.add_word(&Word { bytes: END, hash }, scratch);
    }

    #[inline]
    fn add_word(&self, word: &Word<'_>, scratch: &mut Scratch) {
        let Word { bytes: word, hash } = *word;
        match self.dictionary.find(word, hash) {
            Some(number) if number < self.dictionary.n_words() => {
                add(&mut scratch.sum, self.rows.row(number));
                scratch.n_rows += u64::from(self.rows.count(number));
            }
            Some(_) => return,
            None if word.starts_with(LABEL_PREFIX) => return,
            None if self.ngrams.has_subwords() => self.add_unknown(word, hash, scratch),
            None => {}
        }
        self.add_ngrams(hash, scratch);
    }

    #[inline]
    fn add_unknown(&self, word: &[u8], hash: u32, scratch: &mut Scratch) {
        let Scratch { sum, part, bounded, unknown, n_rows, .. } = scratch;
        let (row, count) = unknown.sum(word, hash, |row| {
            part.fill(0.0);
            let mut count = 0;
            self.ngrams.subwords(word, bounded, |row| {
                add(part, self.rows.row(row));
                count += 1;
            });
            row.iter_mut().zip(part).for_each(|(to, from)| *to = *from as f32);
            count
        });
        add(sum, row);
        *n_rows += u64::from(count);
    }

    fn add_ngrams(&self, hash: u32, scratch: &mut Scratch) {
        if scratch.ngrams.is_empty() {
            return;
        }
        let hash = hash.cast_signed() as u64; // sign-extended, as in the library
        let mut ngrams = std::mem::take(&mut scratch.ngrams);
        let n_before = scratch.n_hashed.min(ngrams.len());
        for ngram in &mut ngrams[..n_before] {
            *ngram = ngram.wrapping_mul(NGRAM_FACTOR).wrapping_add(hash);
            if let Some(row) = self.ngrams.row_of_words(*ngram) {
                add(&mut scratch.sum, self.rows.row(row));
                scratch.n_rows += 1;
            }
        }
        let oldest = scratch.n_hashed % ngrams.len();
        ngrams[oldest] = hash;
        scratch.n_hashed += 1;
        scratch.ngrams = ngrams;
    }
}
