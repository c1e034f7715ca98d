//! The language of texts: text in, codes and scores out.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float32Array, StringArray};
use gristmill_core::language::{self, Model};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error::{leave, to_py};

/// A language model, read from the bytes of its file.
#[pyclass(module = "gristmill._core", frozen)]
pub struct LanguageModel(Model);

#[pymethods]
impl LanguageModel {
    #[new]
    fn new(data: &[u8]) -> PyResult<Self> {
        Model::read(data).map(Self).map_err(to_py)
    }

    /// The codes it can give.
    fn codes(&self) -> Vec<String> {
        self.0.codes().to_vec()
    }

    /// Name the language of each text: columns ``language`` (null: undetermined), ``score``
    /// and ``sure``.
    #[pyo3(signature = (texts, hints, threads))]
    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned strings")]
    fn identify(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        hints: Vec<String>,
        threads: usize,
    ) -> PyResult<Batches> {
        let texts = Texts::read(texts)?;
        let strs = texts.as_strs();
        let found = leave(py, || language::identify(&self.0, &strs, &hints, threads))?;
        let names: StringArray = found.iter().map(|one| one.language).collect();
        let scores: Float32Array = found.iter().map(|one| one.score).collect();
        let sure: BooleanArray = found.iter().map(|one| Some(one.sure)).collect();
        Batches::from_columns_with_nulls([
            ("language", Arc::new(names) as ArrayRef),
            ("score", Arc::new(scores) as ArrayRef),
            ("sure", Arc::new(sure) as ArrayRef),
        ])
    }
}

/// Script and words of each text as the model reads them, to train one.
#[pyfunction]
pub fn language_words(texts: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let texts = Texts::read(texts)?;
    let read = texts.as_strs().into_iter().map(language::model_words);
    Ok(read.map(|(script, words)| (format!("{script:?}"), words)).collect())
}
