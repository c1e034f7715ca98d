//! Supervised fastText models: read from `.bin` and `.ftz`, asked for labels and probabilities.
//!
//! The answers are those of the library (Joulin et al. 2017, arXiv:1607.01759; file format 11 and
//! 12), to 1e-5, faster: an output is linear in the rows of the input matrix that a text selects, so
//! where there are fewer outputs than dimensions each row is multiplied by the output matrix once,
//! on loading, and a text costs a few additions a word. Quantised rows are expanded on loading, and
//! a known word's row is summed with those of its subwords. Sums are float64, because float32 stops
//! counting in texts of millions of words.

mod dictionary;
mod file;
mod loss;
mod matrix;
mod ngrams;
mod text;
mod unknown;

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;
use rayon::prelude::*;

use crate::threads::with_threads;
use crate::{Error, Result};
use dictionary::Dictionary;
use loss::Loss;
use matrix::{Output, Rows};
use ngrams::Ngrams;
use text::Scratch;

/// A supervised model, ready to be asked from any number of threads.
#[derive(Debug)]
pub struct Model {
    labels: Vec<String>,
    dictionary: Dictionary,
    ngrams: Ngrams,
    rows: Rows,
    output: Output,
    loss: Loss,
}

/// A label, by its place in [`Model::labels`], and its probability.
pub type Answer = (usize, f32);

impl Model {
    /// Read a model from a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be read, [`Error::Format`] when it is no supervised
    /// fastText model, ends early or contradicts itself. Nothing is allocated for a size that the
    /// file's length does not cover.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let refused = |source| Error::Io { path: name.clone(), source };
        let file = File::open(path).map_err(refused)?;
        // SAFETY: the map is read only, and dropped before this returns. Twin: reading the file
        // whole, which holds 800 MB more for a common model of 2 million buckets. A file that
        // another process cuts short meanwhile ends this one, as with any map.
        let bytes = unsafe { Mmap::map(&file) }.map_err(refused)?;
        Self::parse(&bytes).map_err(|problem| Error::Format { what: name.clone(), problem })
    }

    /// The labels as the model has them, prefix included.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The likeliest label of each text; none where the model knows nothing of the text.
    ///
    /// Of a text longer than `max_bytes` the beginning is read, whole characters.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when `threads` is zero.
    pub fn predict(
        &self,
        texts: &[&str],
        threads: usize,
        max_bytes: usize,
    ) -> Result<Vec<Option<Answer>>> {
        self.each(texts, threads, max_bytes, |outputs, loss| loss.best(outputs))
    }

    /// The probability of the label `label` for each text; none where the model knows nothing of
    /// the text.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] when `threads` is zero or there is no such label.
    pub fn score(
        &self,
        texts: &[&str],
        label: usize,
        threads: usize,
        max_bytes: usize,
    ) -> Result<Vec<Option<f32>>> {
        if label >= self.labels.len() {
            return Err(Error::Parameter {
                name: "label",
                value: label.to_string(),
                allowed: "the number of a label",
            });
        }
        self.each(texts, threads, max_bytes, |outputs, loss| loss.probability(outputs, label))
    }

    fn each<T: Send>(
        &self,
        texts: &[&str],
        threads: usize,
        max_bytes: usize,
        answer: impl Fn(&mut [f32], &Loss) -> T + Sync,
    ) -> Result<Vec<Option<T>>> {
        let one = |scratch: &mut Scratch, text: &str| {
            let text = &text[..text.floor_char_boundary(max_bytes)];
            let outputs = self.outputs(text.as_bytes(), scratch)?;
            Some(answer(outputs, &self.loss))
        };
        if threads == 1 {
            let mut scratch = self.scratch();
            return Ok(texts.iter().map(|text| one(&mut scratch, text)).collect());
        }
        with_threads(threads, || {
            let texts = texts.par_iter().with_min_len(16);
            Ok(texts.map_init(|| self.scratch(), |scratch, text| one(scratch, text)).collect())
        })
    }
}
