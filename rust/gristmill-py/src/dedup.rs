//! `gristmill_core::{exact_substring, near_duplicates}` for Python.

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Float64Array, UInt32Array, UInt64Array};
use gristmill_core::exact_substring::{self, Engine, Range};
use gristmill_core::near_duplicates as near;
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

/// The cluster of each text: columns representative, twin, jaccard.
#[pyfunction]
#[pyo3(signature = (texts, threshold, num_perm, ngram, verify, threads, seed))]
#[expect(clippy::too_many_arguments, reason = "the parameters of the method, as Python names them")]
pub fn near_duplicates(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    threshold: f64,
    num_perm: usize,
    ngram: usize,
    verify: bool,
    threads: usize,
    seed: u64,
) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let options = near::Options { threshold, num_perm, ngram, verify, seed };
    let found = error::leave(py, || near::near_duplicates(&strs, &options, threads))?;
    let u32s = |field: fn(&near::Membership) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(found.iter().map(field)))
    };
    let jaccard = Float64Array::from_iter_values(found.iter().map(|found| found.jaccard));
    Batches::from_columns([
        ("representative", u32s(|found| found.representative)),
        ("twin", u32s(|found| found.twin)),
        ("jaccard", Arc::new(jaccard)),
    ])
}

/// The 128-bit xxh3 of each text: one column, hash.
#[pyfunction]
pub fn document_hashes(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    threads: usize,
) -> PyResult<Batches> {
    let texts = Texts::read(texts)?;
    let strs = texts.as_strs();
    let hashes = error::leave(py, || near::document_hashes(&strs, threads))?;
    let bytes: Vec<u8> = hashes.into_iter().flatten().collect();
    let hashes = FixedSizeBinaryArray::new(16, bytes.into(), None);
    Batches::from_columns([("hash", Arc::new(hashes) as ArrayRef)])
}
