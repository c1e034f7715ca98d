//! Quality signals: text in, one float64 column per signal out.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array};
use gristmill_core::signals;
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
    Batches::from_columns(signals::NAMES.iter().enumerate().map(|(at, name)| {
        let column = rows.iter().map(|row| row[at]).collect::<Vec<_>>();
        (*name, Arc::new(Float64Array::from(column)) as ArrayRef)
    }))
}
