//! Quality signals: text in, one float64 column per signal out.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, UInt32Array};
use gristmill_core::signals::{self, BadWords};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error::leave;

/// Measure the signals of every text; columns in the order of `signals::NAMES`.
#[pyfunction]
#[pyo3(signature = (texts, threads))]
pub fn quality_signals(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    threads: usize,
) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let rows = leave(py, || signals::measure(&strs, threads))?;
    // Row by row: a column at a time would fetch every row from memory for each of its figures.
    let mut columns = signals::NAMES.map(|_| Vec::with_capacity(rows.len()));
    for row in &rows {
        columns.iter_mut().zip(row).for_each(|(column, figure)| column.push(*figure));
    }
    Batches::from_columns(
        signals::NAMES
            .into_iter()
            .zip(columns)
            .map(|(name, column)| (name, Arc::new(Float64Array::from(column)) as ArrayRef)),
    )
}

/// Count how often each text has one of `words`, as one column `count`.
#[pyfunction]
#[pyo3(signature = (texts, words, apart, threads))]
pub fn count_words(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    words: Vec<String>,
    apart: bool,
    threads: usize,
) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let counts = leave(py, || BadWords::new(&words, apart)?.count(&strs, threads))?;
    Batches::from_columns([("count", Arc::new(UInt32Array::from(counts)) as ArrayRef)])
}
