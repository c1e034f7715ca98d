//! Supervised fastText models: text in, labels and probabilities out.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, StringArray};
use gristmill_core::fasttext::Model;
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error::leave;

/// A supervised model in memory.
#[pyclass(module = "gristmill._core", frozen, name = "FastText")]
pub struct PyFastText(Model);

#[pymethods]
impl PyFastText {
    /// Read a `.bin` or `.ftz` file.
    #[new]
    #[expect(clippy::needless_pass_by_value, reason = "pyo3 extracts owned paths")]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        leave(py, || Model::open(&path)).map(Self)
    }

    /// The labels, prefix included.
    #[getter]
    fn labels(&self) -> Vec<&str> {
        self.0.labels().iter().map(String::as_str).collect()
    }

    /// The likeliest label of each text: columns label and score, null where there is none.
    fn predict(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        threads: usize,
        max_bytes: usize,
    ) -> PyResult<Batches> {
        let texts = Texts::read(texts)?;
        let strs = texts.as_strs();
        let found = leave(py, || self.0.predict(&strs, threads, max_bytes))?;
        let labels = self.0.labels();
        let label: StringArray =
            found.iter().map(|found| found.map(|(at, _)| labels[at].as_str())).collect();
        let score: Float32Array = found.iter().map(|found| found.map(|(_, score)| score)).collect();
        let columns: [(&str, ArrayRef); 2] =
            [("label", Arc::new(label)), ("score", Arc::new(score))];
        Batches::from_columns_with_nulls(columns)
    }

    /// The probability of one label, by its number: column score, null where there is none.
    fn score(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        label: usize,
        threads: usize,
        max_bytes: usize,
    ) -> PyResult<Batches> {
        let texts = Texts::read(texts)?;
        let strs = texts.as_strs();
        let scores = leave(py, || self.0.score(&strs, label, threads, max_bytes))?;
        let score: Float32Array = scores.into_iter().collect();
        Batches::from_columns_with_nulls([("score", Arc::new(score) as ArrayRef)])
    }
}
