//! From the bytes of a text to its outputs.

use super::Model;
use super::dictionary::{END, hash};

const LABEL_PREFIX: &[u8] = b"__label__";
const NGRAM_FACTOR: u64 = 116_049_371;

/// What a thread needs again for each text.
pub(super) struct Scratch {
    sum: Vec<f64>,
    n_rows: u64,
    mean: Vec<f32>,
    outputs: Vec<f32>,
    bounded: Vec<u8>,
    /// Hashes of the n-grams of words that end with the last word, from each of the words before.
    ngrams: Vec<u64>,
    n_hashed: usize,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x0B | 0x0C | 0)
}

impl Model {
    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            sum: vec![0.0; self.rows.width],
            n_rows: 0,
            mean: vec![0.0; self.rows.width],
            outputs: vec![0.0; self.output.n_outputs],
            bounded: Vec::new(),
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
        let words = text.split(|byte| is_space(*byte)).filter(|word| !word.is_empty());
        for word in words.chain([END]) {
            self.add_word(word, scratch);
            if word == END {
                break;
            }
        }
        if scratch.n_rows == 0 {
            return None;
        }
        let part = 1.0 / scratch.n_rows as f64;
        let sums = scratch.mean.iter_mut().zip(&scratch.sum);
        sums.for_each(|(mean, sum)| *mean = (sum * part) as f32);
        self.output.of(&scratch.mean, &mut scratch.outputs);
        Some(&mut scratch.outputs)
    }

    fn add_word(&self, word: &[u8], scratch: &mut Scratch) {
        let hash = hash(word);
        match self.dictionary.find(word, hash) {
            Some(number) if number < self.dictionary.n_words() => {
                scratch.add(self.rows.row(number));
                scratch.n_rows += u64::from(self.rows.count(number)) - 1;
            }
            Some(_) => return,
            None if word.starts_with(LABEL_PREFIX) => return,
            None => {
                let mut bounded = std::mem::take(&mut scratch.bounded);
                self.ngrams.subwords(word, &mut bounded, |row| scratch.add(self.rows.row(row)));
                scratch.bounded = bounded;
            }
        }
        self.add_ngrams(hash, scratch);
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
            if let Some(row) = self.ngrams.row(*ngram) {
                scratch.add(self.rows.row(row));
            }
        }
        let oldest = scratch.n_hashed % ngrams.len();
        ngrams[oldest] = hash;
        scratch.n_hashed += 1;
        scratch.ngrams = ngrams;
    }
}

impl Scratch {
    #[inline]
    fn add(&mut self, row: &[f32]) {
        self.sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        self.n_rows += 1;
    }
}
