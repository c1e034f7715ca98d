//! Toxicity: texts in, windows of plain words out.

use std::sync::Arc;

use arrow_array::{ArrayRef, LargeStringArray, UInt32Array};
use gristmill_core::toxicity::{self, Windows};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error::leave;

/// Windows of plain words: the place of the text each is of, and its words.
#[pyfunction]
#[pyo3(signature = (texts, max_words, threads))]
pub fn toxicity_windows(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    max_words: usize,
    threads: usize,
) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let windows = leave(py, || toxicity::windows_all(&strs, max_words, threads))?;
    let per_text = windows.iter().flat_map(Windows::per_text);
    let document: UInt32Array = per_text
        .enumerate()
        .flat_map(|(at, n_windows)| std::iter::repeat_n(at as u32, *n_windows as usize))
        .collect();
    let words = LargeStringArray::from_iter_values(windows.iter().flat_map(Windows::iter));
    let columns: [(&str, ArrayRef); 2] =
        [("document", Arc::new(document)), ("words", Arc::new(words))];
    Batches::from_columns(columns)
}
