//! The distinct words as one array, in which tokens grow in place.
//!
//! A token takes as many slots as it has bytes; its first and its last slot name it. So the next
//! token is found by the length of this one, the one before by the length of what the slot on the
//! left names, and merging two tokens writes two slots, however long the word is.

use std::iter::repeat_n;

use crate::{Error, Result, huge};

/// No token, no pair.
pub const NONE: u32 = u32::MAX;

/// One byte of a word.
#[derive(Clone, Copy)]
pub struct Slot {
    /// The token that begins or ends here; [`NONE`] between words.
    pub token: u32,
    /// The pair that the token beginning here makes with the next; [`NONE`] where there is none.
    pub pair: u32,
}

const BETWEEN: Slot = Slot { token: NONE, pair: NONE };

/// All distinct words, and how often each occurs.
pub struct Words {
    /// The words one after the other, with one slot before, between and after them.
    pub slots: Vec<Slot>,
    counts: Counts,
}

impl Words {
    /// Make room for `n` words and bytes of words.
    pub fn with_capacity(n: usize) -> Self {
        let mut slots = Vec::with_capacity(n + 1);
        huge::advise_capacity(&slots);
        slots.push(BETWEEN);
        Self { slots, counts: Counts::default() }
    }

    /// Append a word of `tokens`, each of `lens[token]` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Format`] when all words together reach 4 GiB.
    pub fn push(&mut self, tokens: &[u32], lens: &[u32], count: u64) -> Result<()> {
        for &token in tokens {
            self.slots.push(Slot { token, pair: NONE });
            let others = lens[token as usize] as usize - 1;
            self.slots.extend(repeat_n(Slot { token, pair: NONE }, others));
        }
        self.slots.push(BETWEEN);
        if self.slots.len() >= NONE as usize {
            return Err(Error::Format {
                what: "texts".to_owned(),
                problem: "their distinct words have 4 GiB or more; train on a sample of them \
                          (sample_bytes)"
                    .to_owned(),
            });
        }
        self.counts.push(self.slots.len(), i64::try_from(count).unwrap_or(i64::MAX));
        Ok(())
    }

    /// How often the word that holds slot `at` occurs.
    #[inline(always)]
    pub fn count_at(&self, at: usize) -> i64 {
        self.counts.at(at)
    }
}

/// The counts of runs of words that occur equally often.
#[derive(Default)]
struct Counts {
    /// Where each run ends, and its count.
    runs: Vec<(usize, i64)>,
    /// The run that holds the first slot of each block.
    of_block: Vec<u32>,
}

const BLOCK: usize = 64;

impl Counts {
    fn push(&mut self, end: usize, count: i64) {
        match self.runs.last_mut() {
            Some(last) if last.1 == count => last.0 = end,
            _ => self.runs.push((end, count)),
        }
        self.of_block.resize(end.div_ceil(BLOCK), self.runs.len() as u32 - 1);
    }

    #[inline(always)]
    fn at(&self, at: usize) -> i64 {
        let mut run = self.of_block[at / BLOCK] as usize;
        while self.runs[run].0 <= at {
            run += 1;
        }
        self.runs[run].1
    }
}
