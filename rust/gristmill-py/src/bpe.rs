//! Byte-level BPE for Python: count and train, encode Arrow text, decode.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{ArrayRef, LargeListArray, ListArray, UInt32Array, UInt64Array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use gristmill_core::bpe::encode::{AddedToken, Encoded, Encoder, Options, Specials};
use gristmill_core::bpe::pretokenize::Pattern;
use gristmill_core::bpe::ranks;
use gristmill_core::bpe::train::{self, Base, Learner, Trainer};
use gristmill_core::bpe::vocab::{Merge, Vocabulary};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrow::{Batches, Texts};
use crate::error;

/// Counts the words of texts, given in portions, and then learns their vocabulary.
#[pyclass(module = "gristmill._core", frozen, name = "BpeTrainer")]
pub struct PyBpeTrainer(Mutex<Training>);

enum Training {
    Counting(Box<Trainer>),
    Learning(Box<Learner>),
    Done,
}

/// Of a vocabulary to extend: tokens, merges, added tokens, and whether it ignores merges and adds
/// a space in front.
type BaseParts = (Vec<Option<Vec<u8>>>, Vec<Merge>, Vec<(String, u32, bool)>, bool, bool);

#[pymethods]
impl PyBpeTrainer {
    #[new]
    #[pyo3(signature = (pattern, vocab_size, special_tokens, min_frequency, max_token_bytes, sample_bytes=None, extend=None))]
    fn new(
        pattern: &str,
        vocab_size: usize,
        special_tokens: Vec<String>,
        min_frequency: u64,
        max_token_bytes: usize,
        sample_bytes: Option<u64>,
        extend: Option<BaseParts>,
    ) -> PyResult<Self> {
        let extend = extend.map(|(tokens, merges, added, ignore_merges, add_prefix_space)| Base {
            tokens,
            merges,
            added,
            ignore_merges,
            add_prefix_space,
        });
        let options = train::Options {
            vocab_size,
            special_tokens,
            min_frequency,
            max_token_bytes,
            sample_bytes,
            extend,
        };
        let trainer = Pattern::from_name(pattern).and_then(|one| Trainer::new(one, options));
        Ok(Self(Mutex::new(Training::Counting(Box::new(trainer.map_err(error::to_py)?)))))
    }

    /// Count the words of more texts.
    fn add(&self, py: Python<'_>, texts: &Bound<'_, PyAny>, threads: usize) -> PyResult<()> {
        let texts = Texts::read(texts)?;
        let counted = error::leave(py, || match &mut *self.lock() {
            Training::Counting(trainer) => trainer.add(&texts.as_strs(), threads).map(Some),
            _ => Ok(None),
        })?;
        counted.ok_or_else(|| PyValueError::new_err("the words are counted already"))
    }

    /// Make at most `n` merges; gives how many, fewer when there are no more.
    fn learn(&self, py: Python<'_>, n: usize) -> PyResult<usize> {
        error::leave(py, || {
            let mut training = self.lock();
            let mut learner = match std::mem::replace(&mut *training, Training::Done) {
                Training::Counting(trainer) => Box::new(trainer.learner()?),
                Training::Learning(learner) => learner,
                Training::Done => return Ok(0),
            };
            let n_made = learner.learn(n);
            *training = Training::Learning(learner);
            Ok(n_made)
        })
    }

    /// What was learned, once: the bytes of each token by id, and (left, right, result) by rank.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<(Vec<Bound<'py, PyBytes>>, Vec<Merge>)> {
        let training = std::mem::replace(&mut *self.lock(), Training::Done);
        let Training::Learning(learner) = training else {
            return Err(PyValueError::new_err("nothing was learned, or it was taken already"));
        };
        let trained = learner.finish();
        let tokens = trained.tokens.iter().map(|token| PyBytes::new(py, token)).collect();
        Ok((tokens, trained.merges))
    }
}

impl PyBpeTrainer {
    fn lock(&self) -> MutexGuard<'_, Training> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A vocabulary ready to encode and decode.
#[pyclass(module = "gristmill._core", frozen, name = "BpeEncoder")]
pub struct PyBpeEncoder(pub(crate) Encoder);

#[pymethods]
impl PyBpeEncoder {
    #[new]
    #[pyo3(signature = (tokens, merges, added, pattern, *, ignore_merges=false, add_prefix_space=false, tied=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords for Python")]
    fn new(
        py: Python<'_>,
        tokens: Vec<Option<Vec<u8>>>,
        merges: Vec<Merge>,
        added: Vec<(String, u32, bool)>,
        pattern: &str,
        ignore_merges: bool,
        add_prefix_space: bool,
        tied: bool,
    ) -> PyResult<Self> {
        let added: Vec<_> = added
            .into_iter()
            .map(|(content, id, special)| AddedToken { content, id, special })
            .collect();
        error::leave(py, || {
            let pattern = Pattern::from_name(pattern)?;
            let ids: Vec<u32> = added.iter().map(|token| token.id).collect();
            let vocab = Vocabulary::with_ties(&tokens, &merges, &ids, tied)?;
            Encoder::new(vocab, Options { pattern, ignore_merges, add_prefix_space }, added)
        })
        .map(Self)
    }

    /// The words that a text is cut into.
    fn words<'t>(&self, text: &'t str) -> Vec<&'t str> {
        self.0.words(text)
    }

    /// The ids of one text.
    fn encode(&self, py: Python<'_>, text: &str, specials: &str) -> PyResult<Vec<u32>> {
        error::leave(py, || self.0.encode(text, Specials::from_name(specials)?))
    }

    /// The ids of many texts: one column `ids` of lists.
    fn encode_batch(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        specials: &str,
        threads: usize,
    ) -> PyResult<Batches> {
        let texts = Texts::read(texts)?;
        let encoded = error::leave(py, || {
            self.0.encode_batch(&texts.as_strs(), Specials::from_name(specials)?, threads)
        })?;
        Batches::from_columns([("ids", lists(encoded))])
    }

    /// The number of ids of each text: one column `n_tokens`.
    fn count_batch(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        specials: &str,
        threads: usize,
    ) -> PyResult<Batches> {
        let texts = Texts::read(texts)?;
        let counts = error::leave(py, || {
            self.0.count_batch(&texts.as_strs(), Specials::from_name(specials)?, threads)
        })?;
        Batches::from_columns([("n_tokens", Arc::new(UInt64Array::from(counts)) as ArrayRef)])
    }

    /// The bytes of a sequence of ids.
    fn decode<'py>(
        &self,
        py: Python<'py>,
        ids: Vec<u32>,
        skip_special_tokens: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.0.decode(&ids, skip_special_tokens).map_err(error::to_py)?;
        Ok(PyBytes::new(py, &bytes))
    }
}

/// The merges behind a tiktoken rank file, and whether each token is made by one of its own.
#[pyfunction]
pub fn merges_of_ranks(
    py: Python<'_>,
    tokens: Vec<Option<Vec<u8>>>,
) -> PyResult<(Vec<Merge>, bool)> {
    error::leave(py, || ranks::merges(&tokens))
}

/// A list array over the encoder's own buffer; with 64-bit offsets when there are 2^31 ids or more.
fn lists(encoded: Encoded) -> ArrayRef {
    let item = Arc::new(Field::new("item", DataType::UInt32, false));
    let values = Arc::new(UInt32Array::from(encoded.ids));
    let narrow: Result<Vec<i32>, _> =
        encoded.offsets.iter().map(|&offset| i32::try_from(offset)).collect();
    match narrow {
        Ok(offsets) => {
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(ListArray::new(item, offsets, values, None))
        }
        Err(_) => {
            let offsets = OffsetBuffer::new(encoded.offsets.into());
            Arc::new(LargeListArray::new(item, offsets, values, None))
        }
    }
}
