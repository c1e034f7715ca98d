//! `permute`: a stretch of a keyed order of `0..n`.

use std::sync::Arc;

use arrow_array::{ArrayRef, UInt64Array};
use gristmill_core::permute::Permutation;
use pyo3::prelude::*;

use crate::arrow::Batches;
use crate::error::leave;

/// The numbers at positions `start..start + count` of a keyed order of `0..n`: column `index`.
#[pyfunction]
pub fn permute(py: Python<'_>, n: u64, key: u64, start: u64, count: u64) -> PyResult<Batches> {
    let order = leave(py, || Permutation::new(n, key).range(start, count))?;
    Batches::from_columns([("index", Arc::new(UInt64Array::from(order)) as ArrayRef)])
}
