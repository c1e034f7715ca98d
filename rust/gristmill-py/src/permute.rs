//! `permute`: a stretch of a keyed order of `0..n`.

use std::sync::Arc;

use arrow_array::{ArrayRef, UInt64Array};
use gristmill_core::permute::Permutation;
use pyo3::prelude::*;

use crate::arrow::Batches;
use crate::error::leave;

/// The numbers at positions `start + k * step` of a keyed order of `0..n`: column `index`, uint64.
#[pyfunction]
#[pyo3(signature = (n, key, start, count, step=1))]
pub fn permute(
    py: Python<'_>,
    n: u64,
    key: u64,
    start: u64,
    count: u64,
    step: u64,
) -> PyResult<Batches> {
    let order = leave(py, || Permutation::new(n, key).stride(start, count, step))?;
    Batches::from_columns([("index", Arc::new(UInt64Array::from(order)) as ArrayRef)])
}
