//! `gristmill_core::{exact_substring, near_duplicates}` for Python.

use std::sync::Arc;

use arrow_array::{ArrayRef, UInt32Array, UInt64Array};
use gristmill_core::exact_substring::{self, Engine, Range};
use pyo3::prelude::*;

use crate::arrow::{Batches, Texts};
use crate::error;

/// Byte ranges to cut: columns document, start, end, twin_document, twin_offset.
#[pyfunction]
pub fn exact_duplicates(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    min_bytes: usize,
    engine: &str,
    threads: usize,
) -> PyResult<Batches> {
    let engine = Engine::from_name(engine).map_err(error::to_py)?;
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let ranges =
        error::leave(py, || exact_substring::exact_duplicates(&strs, min_bytes, engine, threads))?;
    let u32s = |field: fn(&Range) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(ranges.iter().map(field)))
    };
    let u64s = |field: fn(&Range) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(ranges.iter().map(field)))
    };
    Batches::from_columns([
        ("document", u32s(|range| range.document)),
        ("start", u64s(|range| range.start)),
        ("end", u64s(|range| range.end)),
        ("twin_document", u32s(|range| range.twin_document)),
        ("twin_offset", u64s(|range| range.twin_offset)),
    ])
}
