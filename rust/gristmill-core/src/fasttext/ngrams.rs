//! Which rows the n-grams of letters and of words select.

use hashbrown::HashMap;

use super::dictionary::{END, HASH_OF_NOTHING, Pruned, step};
use super::file::{Args, Parsed};

/// More letters or words than any model in use has: bounds the work for one word.
const MAX_NGRAM: i32 = 64;

/// N-grams and the buckets that they fall into.
#[derive(Debug)]
pub(super) struct Ngrams {
    minn: usize,
    maxn: usize,
    /// Words in the longest n-gram of words, at least 1.
    pub words: usize,
    bucket: u64,
    n_words: usize,
    /// The row of each bucket in a pruned model.
    kept: Option<HashMap<u32, u32>>,
}

impl Ngrams {
    pub fn new(args: &Args, n_words: usize, pruned: Pruned) -> Parsed<Self> {
        for (name, value) in [("wordNgrams", args.word_ngrams), ("maxn", args.maxn)] {
            if value > MAX_NGRAM {
                return Err(format!("{name} = {value} is not allowed: at most {MAX_NGRAM}"));
            }
        }
        if args.bucket == 0 && (args.maxn > 0 || args.word_ngrams > 1) {
            return Err("bucket = 0 in a model with n-grams".to_owned());
        }
        Ok(Self {
            minn: args.minn.max(0) as usize,
            maxn: args.maxn.max(0) as usize,
            words: args.word_ngrams.max(1) as usize,
            bucket: args.bucket as u64,
            n_words,
            kept: pruned.map(|pairs| pairs.into_iter().collect()),
        })
    }

    pub fn is_pruned(&self) -> bool {
        self.kept.is_some()
    }

    /// Refuse an input matrix that lacks rows.
    pub fn check(&self, n_rows: usize) -> Parsed<()> {
        let n_buckets = match &self.kept {
            Some(kept) => kept.values().max().map_or(0, |last| *last as usize + 1),
            None if self.maxn > 0 || self.words > 1 => self.bucket as usize,
            None => 0,
        };
        let needed = self.n_words + n_buckets;
        if n_rows < needed {
            return Err(format!("the input matrix has {n_rows} rows, of {needed} needed"));
        }
        Ok(())
    }

    /// The row of a hashed n-gram, unless it was pruned.
    #[inline]
    pub fn row(&self, hash: u64) -> Option<usize> {
        let bucket = hash % self.bucket;
        let row = match &self.kept {
            None => bucket as usize,
            Some(kept) => *kept.get(&(bucket as u32))? as usize,
        };
        Some(self.n_words + row)
    }

    /// Call `each` with the row of every n-gram of letters of `word`.
    pub fn subwords(&self, word: &[u8], bounded: &mut Vec<u8>, mut each: impl FnMut(usize)) {
        if self.maxn == 0 || word == END {
            return;
        }
        bounded.clear();
        bounded.push(b'<');
        bounded.extend_from_slice(word);
        bounded.push(b'>');
        let word = bounded.as_slice();
        for start in (0..word.len()).filter(|at| !continues(word[*at])) {
            let (mut hash, mut end) = (HASH_OF_NOTHING, start);
            for n in 1..=self.maxn {
                if end == word.len() {
                    break;
                }
                loop {
                    hash = step(hash, word[end]);
                    end += 1;
                    if end == word.len() || !continues(word[end]) {
                        break;
                    }
                }
                let is_border = n == 1 && (start == 0 || end == word.len());
                if n >= self.minn && !is_border {
                    if let Some(row) = self.row(u64::from(hash)) {
                        each(row);
                    }
                }
            }
        }
    }
}

/// Whether a byte goes on with a character of UTF-8.
fn continues(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}
