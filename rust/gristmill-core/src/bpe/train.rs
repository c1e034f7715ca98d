//! Finds the merges of a byte-level vocabulary: counts words once, then merges the commonest pair of
//! tokens over and over (Sennrich et al., 2016, arXiv:1508.07909).
//!
//! Texts are cut and counted in parallel (`cut`, `counter`), all of them or a sample (`sample`).
//! Then each distinct word stands once in one array (`words`), every pair knows its count and its
//! places there (`pairs`), and a merge touches those places alone (`learner`). So learning costs the
//! same for a word of 50 MB as for many short ones.
//!
//! The commonest pair wins, of equals the one with the smallest ids, as in `tokenizers`'
//! `BpeTrainer`; the result does not depend on threads or on the order of texts.

mod counter;
mod cut;
mod learner;
mod pairs;
mod sample;
mod start;
mod words;

use counter::Counter;
use cut::Cutter;
pub use learner::Learner;
use sample::{Levels, fit, level_of};
use start::{Start, refused};

use super::parallel;
use super::pretokenize::Pattern;
use super::vocab::Merge;
use crate::Result;

/// What to train.
#[derive(Debug, Clone)]
pub struct Options {
    /// Number of tokens wanted, special tokens and the 256 bytes included.
    pub vocab_size: usize,
    /// They take the first ids, in this order; the first new ones when a vocabulary is extended.
    pub special_tokens: Vec<String>,
    /// A pair that occurs less often is not merged.
    pub min_frequency: u64,
    /// No token gets longer than this many bytes.
    pub max_token_bytes: usize,
    /// Learn from a sample of the texts of at most this many bytes.
    pub sample_bytes: Option<u64>,
    /// Keep the ids and merges of this vocabulary, and add to them.
    pub extend: Option<Base>,
}

/// A vocabulary to extend, and how its encoder treats texts.
#[derive(Debug, Clone)]
pub struct Base {
    /// The bytes of each token, by id; `None` where no token has the id.
    pub tokens: Vec<Option<Vec<u8>>>,
    /// The merges by rank.
    pub merges: Vec<Merge>,
    /// Content and id of special and other added tokens, and whether they are special; the others
    /// are matched before a text is cut into words.
    pub added: Vec<(String, u32, bool)>,
    /// A word that is a token as a whole takes its id without merging.
    pub ignore_merges: bool,
    /// A space is put before a text that does not begin with one.
    pub add_prefix_space: bool,
}

/// A trained vocabulary: special tokens, then bytes, then one token per merge; or what was extended,
/// then new special tokens, then one token per new merge.
#[derive(Debug, PartialEq, Eq)]
pub struct Trained {
    /// The bytes of each token, by id.
    pub tokens: Vec<Vec<u8>>,
    /// The merges by rank.
    pub merges: Vec<Merge>,
}

/// Counts the words of texts, given in any order and portions, and then learns their vocabulary.
pub struct Trainer {
    cutter: Cutter,
    options: Options,
    start: Start,
    counted: Vec<Levels>,
    /// The lowest level of documents that may still be part of the sample.
    lowest: u32,
    text_bytes: u64,
}

impl Trainer {
    /// Prepare to train on words cut by `pattern`.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error) when `vocab_size` leaves no room for the 256 bytes and the
    /// special tokens, or for the vocabulary to extend; or a special token is given twice, is
    /// shorter than two bytes, or is an ordinary token of the vocabulary to extend.
    /// [`Error::Format`](crate::Error) when that vocabulary is damaged, or its added tokens cannot be
    /// matched.
    pub fn new(pattern: Pattern, mut options: Options) -> Result<Self> {
        let cutter = Cutter::new(pattern, options.extend.as_ref())?;
        let start = Start::new(&options)?;
        options.extend = None;
        Ok(Self { cutter, options, start, counted: Vec::new(), lowest: 0, text_bytes: 0 })
    }

    /// Count the words of more texts.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error) for zero threads.
    pub fn add(&mut self, texts: &[&str], threads: usize) -> Result<()> {
        if threads == 0 {
            return Err(refused("threads", 0, "at least 1"));
        }
        let chunks = parallel::chunks(texts);
        let n = threads.min(chunks.len());
        if self.counted.len() < n {
            self.counted.resize_with(n, Levels::default);
        }
        let (cutter, lowest, sampling) =
            (&self.cutter, self.lowest, self.options.sample_bytes.is_some());
        parallel::map(chunks.len(), &mut self.counted[..n], |counted, i| {
            for text in &texts[chunks[i].clone()] {
                let level = if sampling { level_of(text) } else { 0 };
                if level >= lowest {
                    let counted = counted.entry(level).or_default();
                    counted.text_bytes += text.len() as u64;
                    cutter.count(text, &mut counted.words);
                }
            }
        });
        self.text_bytes += texts.iter().map(|text| text.len() as u64).sum::<u64>();
        if let Some(budget) = self.options.sample_bytes {
            self.lowest = fit(&mut self.counted, budget).max(lowest);
        }
        Ok(())
    }

    /// Go on to learning, from the words counted so far.
    ///
    /// # Errors
    ///
    /// [`Error::Format`](crate::Error) when the distinct words have 4 GiB or more,
    /// [`Error::Parameter`](crate::Error) when no document fits `sample_bytes`.
    pub fn learner(self) -> Result<Learner> {
        let mut sampled_bytes = 0;
        let counted = self.counted.into_iter().flat_map(Levels::into_values);
        let words = counted.inspect(|counted| sampled_bytes += counted.text_bytes);
        let total = words.map(|counted| counted.words).reduce(Counter::merged_with);
        match self.options.sample_bytes {
            Some(budget) if sampled_bytes == 0 && self.text_bytes > 0 => {
                Err(refused("sample_bytes", budget, "enough for some of the documents"))
            }
            _ => Learner::new(total.unwrap_or_default(), self.start, &self.options),
        }
    }

    /// Learn all merges from the words counted so far.
    ///
    /// Fewer than `vocab_size` tokens come back when the words hold no more pairs to merge.
    ///
    /// # Errors
    ///
    /// As [`Trainer::learner`].
    pub fn train(self) -> Result<Trained> {
        let mut learner = self.learner()?;
        learner.learn(usize::MAX);
        Ok(learner.finish())
    }
}
